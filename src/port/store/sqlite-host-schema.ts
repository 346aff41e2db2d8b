/**
 * The tables of a host's file, and how rows of the ledger stand in them.
 * @module
 */
import { toHex } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { unixMs } from '../../base/time/index.ts';
import {
  TRANSFER_KINDS,
  TRANSFER_REASONS,
  decodeEntries,
  type AccountId,
  type Counters,
  type LedgerRow,
  type SessionRow,
  type SessionTerms,
  type Transfer,
} from '../../pay/ledger/index.ts';
import { amount, bytes, int, text } from './sqlite-columns.ts';
import type { SqlRow } from './sqlite-file.ts';
import { linesOf, parseBought } from './sqlite-host-bought.ts';

/** Marks a file as a host's: 'tchs'. */
export const HOST_APPLICATION_ID = 0x74636873;

/**
 * From version i to i + 1. Kept in the database: append only.
 *
 * What never changes of a session (`session`) stands apart from what changes with every commit
 * (`session_numbers`), so that a commit rewrites few bytes.
 */
export const HOST_MIGRATIONS = [
  `
  CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    debits_pending INTEGER NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
    debits_posted INTEGER NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
    credits_pending INTEGER NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
    credits_posted INTEGER NOT NULL DEFAULT 0 CHECK (credits_posted >= 0)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO account (id) VALUES
    ('received'), ('served'), ('refunded'), ('refund_fees'), ('expired'), ('unattributed');
  CREATE TABLE session (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    session BLOB NOT NULL UNIQUE CHECK (length(session) = 16),
    service TEXT NOT NULL,
    calls INTEGER NOT NULL CHECK (calls > 0),
    total_msat INTEGER NOT NULL CHECK (total_msat >= 0),
    payment_hash BLOB NOT NULL UNIQUE CHECK (length(payment_hash) = 32),
    opened_at_ms INTEGER NOT NULL,
    pay_by_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    setup BLOB NOT NULL UNIQUE CHECK (length(setup) = 32),
    payer BLOB NOT NULL CHECK (length(payer) = 32),
    code_key BLOB NOT NULL,
    reply BLOB NOT NULL
  ) STRICT;
  CREATE INDEX session_pay_by ON session (pay_by_ms);
  CREATE TABLE session_numbers (
    position INTEGER PRIMARY KEY REFERENCES session (position),
    version INTEGER NOT NULL,
    debits_pending INTEGER NOT NULL CHECK (debits_pending >= 0),
    debits_posted INTEGER NOT NULL CHECK (debits_posted >= 0),
    credits_pending INTEGER NOT NULL CHECK (credits_pending >= 0),
    credits_posted INTEGER NOT NULL CHECK (credits_posted >= 0),
    folded_msat INTEGER NOT NULL CHECK (folded_msat BETWEEN 0 AND charged_msat),
    charged_msat INTEGER NOT NULL,
    charged_calls INTEGER NOT NULL CHECK (charged_calls >= 0),
    started_msat INTEGER NOT NULL CHECK (started_msat >= 0),
    started_calls INTEGER NOT NULL CHECK (started_calls >= 0),
    entries BLOB NOT NULL,
    CHECK (debits_posted + debits_pending + charged_msat - folded_msat + started_msat
      <= credits_posted)
  ) STRICT;
  CREATE INDEX session_started ON session_numbers (position) WHERE started_calls > 0;
  CREATE TABLE transfer (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    pending_id TEXT,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount_msat INTEGER NOT NULL CHECK (amount_msat >= 0),
    reason INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX transfer_pending ON transfer (pending_id) WHERE pending_id IS NOT NULL;
  CREATE TABLE answer (
    position INTEGER NOT NULL REFERENCES session (position),
    n INTEGER NOT NULL,
    charged_msat INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (position, n)
  ) STRICT;
  CREATE TABLE wallet_cursor (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cursor INTEGER NOT NULL
  ) STRICT;
  INSERT INTO wallet_cursor VALUES (1, 0);
  `,
  `
  CREATE TABLE refund (
    payment_hash BLOB NOT NULL PRIMARY KEY CHECK (length(payment_hash) = 32),
    position INTEGER NOT NULL REFERENCES session (position),
    invoice TEXT NOT NULL,
    amount_msat INTEGER NOT NULL CHECK (amount_msat > 0),
    fee_limit_msat INTEGER NOT NULL CHECK (fee_limit_msat >= 0),
    asked_at_ms INTEGER NOT NULL,
    state INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL CHECK (fee_msat BETWEEN 0 AND fee_limit_msat),
    reason TEXT
  ) STRICT;
  CREATE INDEX refund_session ON refund (position);
  CREATE INDEX refund_open ON refund (asked_at_ms) WHERE state = 0;
  CREATE INDEX session_payer ON session (payer);
  CREATE INDEX session_expires ON session (expires_at_ms);
  CREATE INDEX transfer_unattributed ON transfer (id) WHERE credit = 'unattributed';
  `,
  `
  CREATE INDEX session_lapsed ON session (pay_by_ms) WHERE length(reply) = 0;
  `,
  `
  ALTER TABLE session ADD COLUMN lines TEXT;
  ALTER TABLE session_numbers ADD COLUMN bought TEXT;
  CREATE TABLE topup (
    payment_hash BLOB NOT NULL PRIMARY KEY CHECK (length(payment_hash) = 32),
    position INTEGER NOT NULL REFERENCES session (position),
    id BLOB NOT NULL CHECK (length(id) = 16),
    service TEXT NOT NULL,
    calls INTEGER NOT NULL CHECK (calls > 0),
    total_msat INTEGER NOT NULL CHECK (total_msat > 0),
    pay_by_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    paid INTEGER NOT NULL CHECK (paid IN (0, 1)),
    reply BLOB NOT NULL,
    UNIQUE (position, id)
  ) STRICT;
  CREATE INDEX topup_unpaid ON topup (pay_by_ms) WHERE paid = 0;
  `,
  `
  ALTER TABLE session ADD COLUMN lanes INTEGER CHECK (lanes > 0);
  `,
  `
  CREATE TABLE lane (
    position INTEGER PRIMARY KEY,
    lane BLOB NOT NULL UNIQUE CHECK (length(lane) = 16),
    session INTEGER NOT NULL REFERENCES session (position),
    place INTEGER NOT NULL CHECK (place >= 0),
    anchor BLOB NOT NULL CHECK (length(anchor) = 32),
    length INTEGER NOT NULL CHECK (length > 0),
    unit_msat INTEGER NOT NULL CHECK (unit_msat > 0),
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    version INTEGER NOT NULL CHECK (version >= 0),
    closed INTEGER NOT NULL CHECK (closed IN (0, 1)),
    tip BLOB NOT NULL CHECK (length(tip) = 32),
    tick_index INTEGER NOT NULL CHECK (tick_index BETWEEN 0 AND length),
    spent INTEGER NOT NULL CHECK (spent BETWEEN 0 AND tick_index),
    folded INTEGER NOT NULL CHECK (folded BETWEEN 0 AND spent),
    done INTEGER NOT NULL CHECK (done >= 0),
    entries BLOB NOT NULL,
    UNIQUE (session, place),
    CHECK (closed = 0 OR folded = spent)
  ) STRICT;
  CREATE TABLE spend_log (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    database_id BLOB NOT NULL CHECK (length(database_id) = 16),
    folded INTEGER NOT NULL CHECK (folded >= 0),
    is_open INTEGER NOT NULL CHECK (is_open IN (0, 1))
  ) STRICT;
  INSERT INTO spend_log VALUES (1, randomblob(16), 0, 0);
  `,
  `
  CREATE TABLE lane_answer (
    position INTEGER NOT NULL REFERENCES lane (position),
    n INTEGER NOT NULL CHECK (n >= 0),
    body BLOB NOT NULL,
    PRIMARY KEY (position, n)
  ) STRICT;
  `,
  `
  CREATE TABLE worker_log (
    worker INTEGER PRIMARY KEY CHECK (worker >= 0),
    log_id BLOB NOT NULL CHECK (length(log_id) = 16),
    folded INTEGER NOT NULL CHECK (folded >= 0),
    is_open INTEGER NOT NULL CHECK (is_open IN (0, 1))
  ) STRICT;
  `,
] as const;

const NUMBERS = `n.position, n.version, n.debits_pending, n.debits_posted, n.credits_pending,
  n.credits_posted, n.folded_msat, n.charged_msat, n.charged_calls, n.entries, n.bought`;
/** Selects what decides about money, without the large and the secret columns. */
export const SELECT_LEDGER_ROW = `SELECT s.session, s.calls, s.total_msat, s.lines, ${NUMBERS}
  FROM session s JOIN session_numbers n USING (position)`;
/** Selects whole sessions. */
export const SELECT_SESSION_ROW = `SELECT s.*, ${NUMBERS}
  FROM session s JOIN session_numbers n USING (position)`;

/** A row that decides about money, with its place in the table. */
export function ledgerRow(row: SqlRow): LedgerRow & { readonly position: bigint } {
  const entries = decodeEntries(bytes(row['entries']));
  return {
    terms: {
      session: toHex(bytes(row['session'])),
      calls: Number(row['calls']),
      totalMsat: amount(row['total_msat']),
      ...linesOf(row),
    },
    version: int(row['version']),
    counters: countersOf(row),
    foldedMsat: amount(row['folded_msat']),
    calls: {
      chargedMsat: amount(row['charged_msat']),
      chargedCalls: Number(row['charged_calls']),
      ...entries,
    },
    ...(row['bought'] === null ? {} : { bought: parseBought(text(row['bought'])) }),
    position: int(row['position']),
  };
}

/** A whole session. */
export function sessionRow(row: SqlRow): SessionRow {
  const { position: _, ...numbers } = ledgerRow(row);
  return { ...numbers, terms: termsOf(row) };
}

/** The four counters of a row. */
export function countersOf(row: SqlRow): Counters {
  return {
    debitsPendingMsat: amount(row['debits_pending']),
    debitsPostedMsat: amount(row['debits_posted']),
    creditsPendingMsat: amount(row['credits_pending']),
    creditsPostedMsat: amount(row['credits_posted']),
  };
}

/** A transfer. */
export function transferOf(row: SqlRow): Transfer {
  const kind = TRANSFER_KINDS[Number(row['kind'])];
  const reason = TRANSFER_REASONS[Number(row['reason'])];
  if (kind === undefined || reason === undefined) throw new Fault('STORE_CORRUPT');
  const pendingId = row['pending_id'];
  return {
    id: text(row['id']),
    kind,
    ...(typeof pendingId === 'string' ? { pendingId } : {}),
    debit: text(row['debit']) as AccountId,
    credit: text(row['credit']) as AccountId,
    amountMsat: amount(row['amount_msat']),
    reason,
    atMs: unixMs(Number(row['at_ms'])),
  };
}

function termsOf(row: SqlRow): SessionTerms {
  return {
    session: toHex(bytes(row['session'])),
    service: text(row['service']),
    ...linesOf(row),
    ...(row['lanes'] === null ? {} : { lanes: Number(row['lanes']) }),
    calls: Number(row['calls']),
    totalMsat: amount(row['total_msat']),
    paymentHash: toHex(bytes(row['payment_hash'])),
    openedAtMs: unixMs(Number(row['opened_at_ms'])),
    payByMs: unixMs(Number(row['pay_by_ms'])),
    expiresAtMs: unixMs(Number(row['expires_at_ms'])),
    setup: toHex(bytes(row['setup'])),
    payer: toHex(bytes(row['payer'])),
    codeKey: bytes(row['code_key']),
    reply: bytes(row['reply']),
  };
}
