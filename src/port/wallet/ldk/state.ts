/**
 * The database of one node: everything it must not forget, in one SQLite file with one owner.
 *
 * Writes gather in one transaction, which `commit` makes durable. Nothing leaves the process before
 * (see `pump.ts`), so what a peer, a chain or a caller has seen is never ahead of the disk.
 * @module
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Fault } from '../../../base/fault/index.ts';
import type { Row } from '../rows.ts';

/** Kept in the database: append only. */
const MIGRATIONS = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
   CREATE TABLE monitor (funding TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
   CREATE TABLE block (
     hash BLOB PRIMARY KEY, height INTEGER NOT NULL, previous BLOB NOT NULL) STRICT;
   CREATE TABLE peer (node_id TEXT PRIMARY KEY, host TEXT NOT NULL, port INTEGER NOT NULL) STRICT;
   CREATE TABLE payment (
     payment_hash TEXT PRIMARY KEY, state TEXT NOT NULL, invoice TEXT NOT NULL,
     amount_msat INTEGER NOT NULL, max_fee_msat INTEGER NOT NULL, amount_open INTEGER NOT NULL,
     fee_msat INTEGER, preimage TEXT, reason TEXT) STRICT;
   CREATE TABLE invoice (
     payment_hash TEXT PRIMARY KEY, state TEXT NOT NULL, external INTEGER NOT NULL,
     expires_at_ms INTEGER NOT NULL, received_msat INTEGER NOT NULL DEFAULT 0,
     paid_at_ms INTEGER) STRICT;
   CREATE TABLE received (
     cursor INTEGER PRIMARY KEY AUTOINCREMENT, payment_hash TEXT NOT NULL UNIQUE,
     received_msat INTEGER NOT NULL, paid_at_ms INTEGER NOT NULL) STRICT;
   CREATE TABLE swept (descriptor BLOB PRIMARY KEY) STRICT;
   CREATE TABLE sweep (tx BLOB PRIMARY KEY, until_height INTEGER NOT NULL) STRICT;
   CREATE TABLE coin_lock (outpoint TEXT PRIMARY KEY) STRICT;`,
  `CREATE TABLE payment_2 (
     cursor INTEGER PRIMARY KEY AUTOINCREMENT, payment_hash TEXT NOT NULL UNIQUE,
     state TEXT NOT NULL, invoice TEXT NOT NULL, amount_msat INTEGER NOT NULL,
     max_fee_msat INTEGER NOT NULL, amount_open INTEGER NOT NULL,
     fee_msat INTEGER, preimage TEXT, reason TEXT, sendable_msat INTEGER) STRICT;
   INSERT INTO payment_2 (payment_hash, state, invoice, amount_msat, max_fee_msat, amount_open,
     fee_msat, preimage, reason)
     SELECT payment_hash, state, invoice, amount_msat, max_fee_msat, amount_open,
       fee_msat, preimage, reason FROM payment ORDER BY rowid;
   DROP TABLE payment;
   ALTER TABLE payment_2 RENAME TO payment;
   CREATE INDEX payment_pending ON payment (state) WHERE state = 'pending';
   CREATE TABLE invoice_2 (
     cursor INTEGER PRIMARY KEY AUTOINCREMENT, payment_hash TEXT NOT NULL UNIQUE,
     state TEXT NOT NULL, external INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL,
     received_msat INTEGER NOT NULL DEFAULT 0, paid_at_ms INTEGER, preimage TEXT) STRICT;
   INSERT INTO invoice_2 (payment_hash, state, external, expires_at_ms, received_msat, paid_at_ms)
     SELECT payment_hash, state, external, expires_at_ms, received_msat, paid_at_ms
     FROM invoice ORDER BY rowid;
   DROP TABLE invoice;
   ALTER TABLE invoice_2 RENAME TO invoice;
   CREATE INDEX invoice_settling ON invoice (state) WHERE state = 'settling';
   CREATE TABLE hold (
     cursor INTEGER PRIMARY KEY AUTOINCREMENT, payment_hash TEXT NOT NULL UNIQUE,
     held_at_ms INTEGER NOT NULL, cancel_height INTEGER NOT NULL) STRICT;
   -- Their deadline was not kept: they are sent back with the next block.
   INSERT INTO hold (payment_hash, held_at_ms, cancel_height)
     SELECT payment_hash, 0, 0 FROM invoice WHERE state = 'held';
   ALTER TABLE coin_lock ADD COLUMN funding TEXT;
   ALTER TABLE coin_lock ADD COLUMN tx BLOB;
   ALTER TABLE sweep ADD COLUMN txid TEXT;
   ALTER TABLE sweep ADD COLUMN amount_sat INTEGER;
   ALTER TABLE sweep ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 0;`,
];

/** The open database of a node. */
export interface State {
  /** The first row, if there is one. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all(sql: string, ...values: SQLInputValue[]): readonly Row[];
  /** Writes as part of the transaction that the next `commit` ends. */
  run(sql: string, ...values: SQLInputValue[]): void;
  /** Makes everything written so far durable. */
  commit(): void;
  close(): void;
}

/** Opens or creates the database. @throws Fault `STORE_OWNED`, `STORE_NEWER`, `STORE_FAILED` */
export function openState(dir: string): State {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const file = join(dir, 'node.db');
    makePrivate(file);
    const database = new DatabaseSync(file, { readBigInts: true, timeout: 0 });
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;');
    database.exec('PRAGMA synchronous = FULL;');
    migrate(database);
    return stateOf(database);
  } catch (error) {
    throw openingFault(error);
  }
}

/** For its owner alone; SQLite gives the files beside it the mode of the first. */
function makePrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
  for (const name of [file, `${file}-wal`]) if (existsSync(name)) chmodSync(name, 0o600);
}

function stateOf(database: DatabaseSync): State {
  const statements = new Map<string, StatementSync>();
  let writing = false;
  const prepared = (sql: string): StatementSync => {
    const statement = statements.get(sql) ?? database.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return {
    get: (sql, ...values) => prepared(sql).get(...values),
    all: (sql, ...values) => prepared(sql).all(...values),
    run: (sql, ...values) => {
      if (!writing) prepared('BEGIN IMMEDIATE').run();
      writing = true;
      prepared(sql).run(...values);
    },
    commit: () => {
      if (writing) prepared('COMMIT').run();
      writing = false;
    },
    close: () => database.close(),
  };
}

function migrate(database: DatabaseSync): void {
  const row = database.prepare('PRAGMA user_version').get() as { user_version: bigint };
  const version = Number(row.user_version);
  if (version > MIGRATIONS.length) throw new Fault('STORE_NEWER');
  database.exec('BEGIN IMMEDIATE');
  for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
  database.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT;`);
}

const SQLITE_BUSY = 5;

function openingFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const busy = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
  return new Fault(busy ? 'STORE_OWNED' : 'STORE_FAILED', {}, error);
}
