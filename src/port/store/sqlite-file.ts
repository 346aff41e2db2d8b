/**
 * Opens a SQLite file the way money needs it, migrates it forward, and gives its errors our names.
 * @module
 */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Fault, isFault, type FaultCode } from '../../base/fault/index.ts';
import { BUSY_TIMEOUT_MS, MAX_DATABASE_PAGES } from './limits.ts';

/** What kind of file it is and how it is shared. */
export interface SqliteFile {
  readonly file: string;
  /** One process for as long as it is open, or many with short transactions. */
  readonly owner: 'one' | 'many';
  /** Written into the file, so that a payer's file is not opened as a host's. */
  readonly applicationId: number;
  /** Statements that lead from version i to i + 1. Append only. */
  readonly migrations: readonly string[];
  /** The most pages of 4 KiB that the file may take. */
  readonly maxPages?: number;
}

/** Values that go into a statement. */
export type SqlValue = bigint | number | string | Uint8Array | null;

/** An open file. Not for use outside of the adapters. */
export class SqliteDatabase {
  readonly #db: DatabaseSync;
  readonly #busy: FaultCode;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync, owner: SqliteFile['owner']) {
    this.#db = db;
    this.#busy = owner === 'one' ? 'STORE_OWNED' : 'STORE_BUSY';
  }

  /** Runs a statement; the number of rows it changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** The first row; undefined when there is none. */
  row(sql: string, ...values: SqlValue[]): SqlRow | undefined {
    return this.#statement(sql).get(...values);
  }

  /** The first column of the first row; null when there is none. */
  value(sql: string, ...values: SqlValue[]): SqlValue {
    return Object.values(this.row(sql, ...values) ?? {})[0] ?? null;
  }

  /** All rows. */
  rows(sql: string, ...values: SqlValue[]): SqlRow[] {
    return this.#statement(sql).all(...values);
  }

  /** The rows one by one: for tables that do not fit into memory. */
  each(sql: string, ...values: SqlValue[]): IterableIterator<SqlRow> {
    return this.#statement(sql).iterate(...values) as IterableIterator<SqlRow>;
  }

  /** Runs statements that take no values. */
  exec(sql: string): void {
    this.#db.exec(sql);
  }

  /**
   * Runs `work` in a write transaction. When it throws, nothing was written, except with
   * `STORE_FAILED`: then it is unknown.
   */
  transaction<T>(work: () => T): T {
    return this.guarded(() => {
      this.#statement('BEGIN IMMEDIATE').run();
      try {
        const result = work();
        this.#statement('COMMIT').run();
        return result;
      } catch (error) {
        this.#rollback(error);
        throw error;
      }
    });
  }

  /** Runs `work`, giving its errors our names. */
  guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeFault(error, this.#busy);
    }
  }

  /** Closes the file; a last checkpoint empties the WAL. */
  close(): void {
    this.#statements.clear();
    this.guarded(() => this.#db.close());
  }

  #rollback(cause: unknown): void {
    if (!this.#db.isTransaction) return;
    try {
      this.#statement('ROLLBACK').run();
    } catch {
      throw new Fault('STORE_FAILED', {}, cause);
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReadBigInts(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** A row as SQLite returns it: integers are bigint. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/**
 * Opens, checks and migrates.
 * @throws Fault `STORE_OWNED`, `STORE_NEWER`, `STORE_READONLY`, `STORE_CORRUPT`
 */
export function openSqlite(options: SqliteFile): SqliteDatabase {
  const inMemory = options.file === ':memory:';
  try {
    if (!inMemory) mkdirSync(dirname(options.file), { recursive: true, mode: 0o700 });
    const raw = openRaw(options);
    try {
      const db = new SqliteDatabase(raw, options.owner);
      setUp(db, options);
      // The WAL files inherit the mode of the file.
      if (!inMemory) chmodSync(options.file, 0o600);
      return db;
    } catch (error) {
      raw.close();
      throw error;
    }
  } catch (error) {
    throw storeFault(error, options.owner === 'one' ? 'STORE_OWNED' : 'STORE_BUSY');
  }
}

function openRaw({ file, owner }: SqliteFile): DatabaseSync {
  // No secret may stand in a file that others can read, not even for a moment: it is made first.
  if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600));
  return new DatabaseSync(file, { timeout: owner === 'many' ? BUSY_TIMEOUT_MS : 0 });
}

function setUp(db: SqliteDatabase, options: SqliteFile): void {
  if (options.owner === 'one') db.exec('PRAGMA locking_mode = EXCLUSIVE');
  const mode = db.value('PRAGMA journal_mode = WAL');
  if (options.file !== ':memory:' && mode !== 'wal') throw new Fault('STORE_READONLY');
  // FULL: a commit survives a power cut.
  db.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF');
  db.exec(`PRAGMA max_page_count = ${options.maxPages ?? MAX_DATABASE_PAGES}`);
  db.transaction(() => migrate(db, options));
}

function migrate(db: SqliteDatabase, options: SqliteFile): void {
  const application = Number(db.value('PRAGMA application_id'));
  const version = Number(db.value('PRAGMA user_version'));
  const tables = Number(db.value('SELECT count(*) FROM sqlite_schema'));
  const foreign = application !== options.applicationId && (tables > 0 || application !== 0);
  if (foreign) throw new Fault('STORE_CORRUPT', { reason: 'not a file of this kind' });
  if (version > options.migrations.length) throw new Fault('STORE_NEWER', { version });
  if (version === options.migrations.length) return;
  for (const statements of options.migrations.slice(version)) db.exec(statements);
  db.exec(`PRAGMA application_id = ${options.applicationId}`);
  db.exec(`PRAGMA user_version = ${options.migrations.length}`);
}

/** SQLite's primary result codes, https://sqlite.org/rescode.html. */
const BY_ERRCODE: Readonly<Record<number, FaultCode>> = {
  8: 'STORE_READONLY', // SQLITE_READONLY
  11: 'STORE_CORRUPT', // SQLITE_CORRUPT
  13: 'STORE_FULL', // SQLITE_FULL
  14: 'STORE_READONLY', // SQLITE_CANTOPEN
  26: 'STORE_CORRUPT', // SQLITE_NOTADB
};

const BY_ERRNO: Readonly<Record<string, FaultCode>> = {
  EACCES: 'STORE_READONLY',
  EPERM: 'STORE_READONLY',
  EROFS: 'STORE_READONLY',
  ENOTDIR: 'STORE_READONLY',
  EISDIR: 'STORE_READONLY',
  EEXIST: 'STORE_READONLY',
  ENOSPC: 'STORE_FULL',
  EDQUOT: 'STORE_FULL',
};

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

/**
 * The fault that stands for an error of the store; `STORE_FAILED` when nothing certain is known.
 */
export function storeFault(error: unknown, busy: FaultCode): Fault {
  if (isFault(error)) return error;
  if (error instanceof Error && 'errcode' in error && typeof error.errcode === 'number') {
    const primary = error.errcode & 0xff;
    if (primary === SQLITE_BUSY || primary === SQLITE_LOCKED) return new Fault(busy, {}, error);
    return new Fault(BY_ERRCODE[primary] ?? 'STORE_FAILED', {}, error);
  }
  const errno = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new Fault(BY_ERRNO[errno] ?? 'STORE_FAILED', {}, error);
}
