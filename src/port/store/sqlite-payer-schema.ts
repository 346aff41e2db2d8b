/**
 * The tables of a payer's file, and how rows stand in them.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { unixMs } from '../../base/time/index.ts';
import type { Pin, Purchase, PurchaseState, UnresolvedCall } from './payer-store.ts';
import { amount, bytes, int, text } from './sqlite-columns.ts';
import type { SqlRow } from './sqlite-file.ts';

/** Marks a file as a payer's: 'tcpy'. */
export const PAYER_APPLICATION_ID = 0x74637079;

/** From version i to i + 1. Kept in the database: append only. */
export const PAYER_MIGRATIONS = [
  `
  CREATE TABLE purchase (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    host TEXT NOT NULL,
    service TEXT NOT NULL,
    state TEXT NOT NULL,
    session TEXT,
    payment_hash TEXT,
    amount_msat INTEGER NOT NULL CHECK (amount_msat >= 0),
    made_at_ms INTEGER NOT NULL,
    record BLOB NOT NULL,
    version INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX purchase_host ON purchase (host);
  CREATE INDEX purchase_session ON purchase (session);
  CREATE INDEX purchase_payment_hash ON purchase (payment_hash);
  CREATE TABLE numbering (
    session TEXT NOT NULL PRIMARY KEY,
    next INTEGER NOT NULL,
    done INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE call (
    session TEXT NOT NULL,
    call_id TEXT NOT NULL,
    n INTEGER NOT NULL,
    request BLOB NOT NULL,
    answer BLOB,
    PRIMARY KEY (session, call_id),
    UNIQUE (session, n)
  ) STRICT;
  CREATE INDEX call_unresolved ON call (session, n) WHERE answer IS NULL;
  CREATE TABLE pin (
    host TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    pinned_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE refund (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL,
    invoice TEXT NOT NULL,
    payment_hash TEXT NOT NULL,
    amount_msat INTEGER NOT NULL CHECK (amount_msat > 0),
    asked_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'refunded', 'failed')),
    reason TEXT
  ) STRICT;
  CREATE INDEX refund_session ON refund (session);
  `,
  `
  ALTER TABLE purchase ADD COLUMN paying_at_ms INTEGER;
  CREATE INDEX purchase_paying ON purchase (paying_at_ms) WHERE paying_at_ms IS NOT NULL;
  CREATE TABLE moved (
    session TEXT NOT NULL PRIMARY KEY,
    moved_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE lane (
    lane TEXT NOT NULL PRIMARY KEY,
    n INTEGER NOT NULL CHECK (n >= 0),
    holder TEXT NOT NULL,
    until_ms INTEGER NOT NULL
  ) STRICT;
  `,
] as const;

/** Which states may follow a state; staying is always possible. */
const FOLLOWS: Readonly<Record<PurchaseState, readonly PurchaseState[]>> = {
  made: ['paying', 'paid', 'failed'],
  paying: ['paid', 'failed'],
  paid: [],
  // The wallet has the last word: another process may have paid after all.
  failed: ['paid'],
};

/** May a purchase go from one state to another? */
export function mayFollow(from: PurchaseState, to: PurchaseState): boolean {
  return from === to || FOLLOWS[from].includes(to);
}

/** A purchase. */
export function purchaseOf(row: SqlRow): Purchase {
  const { session, payment_hash: paymentHash } = row;
  return {
    id: text(row['id']),
    host: text(row['host']),
    service: text(row['service']),
    state: stateOf(text(row['state'])),
    ...(typeof session === 'string' ? { session } : {}),
    ...(typeof paymentHash === 'string' ? { paymentHash } : {}),
    amountMsat: amount(row['amount_msat']),
    madeAtMs: unixMs(Number(row['made_at_ms'])),
    record: bytes(row['record']),
    version: Number(row['version']),
  };
}

/** A call that is not resolved. */
export function unresolvedOf(row: SqlRow): UnresolvedCall {
  return { callId: text(row['call_id']), n: int(row['n']), request: bytes(row['request']) };
}

/** A pin. */
export function pinOf(row: SqlRow): Pin {
  return {
    host: text(row['host']),
    fingerprint: text(row['fingerprint']),
    pinnedAtMs: unixMs(Number(row['pinned_at_ms'])),
  };
}

function stateOf(state: string): PurchaseState {
  if (!Object.hasOwn(FOLLOWS, state)) throw new Fault('STORE_CORRUPT', { name: 'purchase state' });
  return state as PurchaseState;
}
