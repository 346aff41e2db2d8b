/**
 * The database of a fake network.
 * @module
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Row } from './rows.ts';

/** The height of the chain of a new network. */
const FIRST_HEIGHT_BLOCKS = 100;
const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA busy_timeout = 10000;
  CREATE TABLE IF NOT EXISTS node (
    name TEXT PRIMARY KEY, key TEXT NOT NULL, balance_msat INTEGER NOT NULL DEFAULT 0,
    route_fee_msat INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE IF NOT EXISTS invoice (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT, payment_hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL, state TEXT NOT NULL, preimage TEXT,
    amount_msat INTEGER, expires_at_ms INTEGER NOT NULL, holder TEXT,
    received_msat INTEGER NOT NULL DEFAULT 0, paid_at_ms INTEGER) STRICT;
  CREATE TABLE IF NOT EXISTS payment (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, payment_hash TEXT NOT NULL,
    state TEXT NOT NULL, amount_msat INTEGER NOT NULL, fee_msat INTEGER NOT NULL, preimage TEXT,
    reason TEXT, sendable_msat INTEGER, UNIQUE (name, payment_hash)) STRICT;
  CREATE TABLE IF NOT EXISTS hold (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
    payment_hash TEXT NOT NULL UNIQUE, held_at_ms INTEGER NOT NULL,
    cancel_height INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS chain (
    one INTEGER PRIMARY KEY CHECK (one = 1), height INTEGER NOT NULL) STRICT;
  INSERT OR IGNORE INTO chain (one, height) VALUES (1, ${FIRST_HEIGHT_BLOCKS});
  CREATE TABLE IF NOT EXISTS received (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, payment_hash TEXT NOT NULL,
    received_msat INTEGER NOT NULL, paid_at_ms INTEGER NOT NULL) STRICT;`;

/** The open database; `atomically` makes a transaction. */
export class Books {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { readBigInts: true });
    this.#database.exec(SCHEMA);
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#prepared(sql).all(...values);
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.#prepared(sql).run(...values);
  }

  atomically<T>(work: () => T): T {
    this.run('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.run('COMMIT');
      return result;
    } catch (error) {
      this.run('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #prepared(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
