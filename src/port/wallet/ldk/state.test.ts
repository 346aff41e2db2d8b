/**
 * The database of a node: what an older version wrote is taken over.
 * @module
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openState } from './state.ts';

/** The tables of version 1 that changed. */
const VERSION_1 = `
  CREATE TABLE payment (
    payment_hash TEXT PRIMARY KEY, state TEXT NOT NULL, invoice TEXT NOT NULL,
    amount_msat INTEGER NOT NULL, max_fee_msat INTEGER NOT NULL, amount_open INTEGER NOT NULL,
    fee_msat INTEGER, preimage TEXT, reason TEXT) STRICT;
  CREATE TABLE invoice (
    payment_hash TEXT PRIMARY KEY, state TEXT NOT NULL, external INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL, received_msat INTEGER NOT NULL DEFAULT 0,
    paid_at_ms INTEGER) STRICT;
  CREATE TABLE sweep (tx BLOB PRIMARY KEY, until_height INTEGER NOT NULL) STRICT;
  CREATE TABLE coin_lock (outpoint TEXT PRIMARY KEY) STRICT;
  INSERT INTO payment VALUES ('b', 'paid', 'lnbcrt1', 5, 1, 0, 0, 'p', NULL);
  INSERT INTO payment VALUES ('a', 'failed', 'lnbcrt1', 6, 1, 1, NULL, NULL, 'PAYMENT_FEE');
  INSERT INTO invoice VALUES ('d', 'paid', 0, 100, 7, 50), ('c', 'held', 1, 100, 8, NULL);
  INSERT INTO coin_lock VALUES ('x:0');
  PRAGMA user_version = 1;`;

test('payments and invoices keep their order; what was held is sent back', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-state-'));
  try {
    const old = new DatabaseSync(join(dir, 'node.db'));
    old.exec(VERSION_1);
    old.close();
    const state = openState(dir);
    const list = (sql: string): unknown[] => state.all(sql).map((row) => Object.values(row));
    assert.deepEqual(list('SELECT cursor, payment_hash, state, reason FROM payment'), [
      [1n, 'b', 'paid', null],
      [2n, 'a', 'failed', 'PAYMENT_FEE'],
    ]);
    assert.deepEqual(list('SELECT cursor, payment_hash, state, received_msat FROM invoice'), [
      [1n, 'd', 'paid', 7n],
      [2n, 'c', 'held', 8n],
    ]);
    assert.deepEqual(list('SELECT payment_hash, cancel_height FROM hold'), [['c', 0n]]);
    assert.deepEqual(list('SELECT outpoint, funding FROM coin_lock'), [['x:0', null]]);
    state.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('the database is for its owner alone, and so is what stands beside it', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-state-'));
  try {
    writeFileSync(join(dir, 'node.db'), '', { mode: 0o644 });
    chmodSync(join(dir, 'node.db'), 0o644);
    const state = openState(dir);
    state.run("INSERT INTO meta VALUES ('a', 'b')");
    state.commit();
    const modes = readdirSync(dir).map((name) => [name, statSync(join(dir, name)).mode & 0o777]);
    assert.deepEqual(modes, [
      ['node.db', 0o600],
      ['node.db-wal', 0o600],
    ]);
    state.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});
