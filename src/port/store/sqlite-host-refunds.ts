/**
 * The refunds of a host's file.
 * @module
 */
import { fromHex, toHex } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { unixMs } from '../../base/time/index.ts';
import { REFUND_STATES, refundTransfers, type Refund } from '../../pay/ledger/index.ts';
import type { CommitGroup, RefundTotals } from './host-store.ts';
import { amount, bytes, text } from './sqlite-columns.ts';
import type { SqlRow, SqlValue, SqliteDatabase } from './sqlite-file.ts';

/** Writes the refund of a group that was let through, or its end. */
export function writeRefund(db: SqliteDatabase, group: CommitGroup): void {
  if (group.refund !== undefined) insertRefund(db, group.refund);
  if (group.refundEnd === undefined) return;
  const { paymentHash, end } = group.refundEnd;
  db.run(
    'UPDATE refund SET state = ?, fee_msat = ?, reason = ? WHERE payment_hash = ? AND state = 0',
    REFUND_STATES.indexOf(end.state),
    end.state === 'refunded' ? end.feeMsat : 0n,
    end.state === 'failed' ? end.reason : null,
    fromHex(paymentHash, 'paymentHash'),
  );
}

function insertRefund(db: SqliteDatabase, refund: Refund): void {
  db.run(
    `INSERT INTO refund
      SELECT ?, position, ?, ?, ?, ?, ?, ?, NULL FROM session WHERE session = ?`,
    fromHex(refund.paymentHash, 'paymentHash'),
    refund.invoice,
    refund.amountMsat,
    refund.feeLimitMsat,
    refund.askedAtMs,
    REFUND_STATES.indexOf(refund.state),
    refund.feeMsat,
    fromHex(refund.session, 'session'),
  );
}

/** A refund by its payment hash. */
export function findRefund(db: SqliteDatabase, paymentHash: string): Refund | undefined {
  return refunds(db, 'r.payment_hash = ?', fromHex(paymentHash, 'paymentHash'))[0];
}

/** Refunds that have not ended, oldest first. */
export function openRefunds(db: SqliteDatabase): Refund[] {
  return refunds(db, 'r.state = 0 ORDER BY r.asked_at_ms, r.payment_hash');
}

/** What the refunds of a session have moved. */
export function refundTotals(db: SqliteDatabase, session: string): RefundTotals {
  const row = db.row(
    `SELECT ifnull(sum(iif(r.state = 1, r.amount_msat, 0)), 0) AS refunded,
      ifnull(sum(r.fee_msat), 0) AS fees, ifnull(max(r.asked_at_ms), 0) AS asked,
      count(*) AS refunds
      FROM refund r JOIN session s USING (position) WHERE s.session = ?`,
    fromHex(session, 'session'),
  );
  if (row === undefined) throw new Error('invariant: a sum has a row');
  // The transfer of a payment is named by its hash.
  const paidAtMs = db.value(
    `SELECT ifnull(max(f.at_ms), 0) FROM transfer f WHERE f.id IN
      (SELECT lower(hex(s.payment_hash)) FROM session s WHERE s.session = ?1
        UNION ALL SELECT lower(hex(t.payment_hash)) FROM topup t
          JOIN session s USING (position) WHERE s.session = ?1)`,
    fromHex(session, 'session'),
  );
  const topUpUntilMs = db.value(
    `SELECT ifnull(max(t.pay_by_ms), 0) FROM topup t JOIN session s USING (position)
      WHERE s.session = ? AND t.paid = 0`,
    fromHex(session, 'session'),
  );
  return {
    refundedMsat: amount(row['refunded']),
    feesMsat: amount(row['fees']),
    lastAskedAtMs: unixMs(Number(row['asked'])),
    count: Number(row['refunds']),
    lastPaidAtMs: unixMs(Number(paidAtMs)),
    topUpUntilMs: unixMs(Number(topUpUntilMs)),
  };
}

/** Refunds whose state is another one than their transfers say. */
export function auditRefunds(db: SqliteDatabase, problems: string[]): void {
  const sql = `${SELECT_REFUND} ORDER BY r.payment_hash`;
  for (const row of db.each(sql)) {
    const refund = refundOf(row);
    if (!agrees(db, refund))
      problems.push(`refund ${refund.paymentHash}: not as its transfers say`);
  }
  const lost = db.value(`SELECT count(*) FROM transfer WHERE kind = 1 AND id LIKE 'refund:%'
    AND NOT EXISTS (SELECT 1 FROM refund WHERE 'refund:' || lower(hex(payment_hash)) = id)`);
  if (lost !== 0n) problems.push(`${String(lost)} refunds were set aside without a row`);
}

function agrees(db: SqliteDatabase, refund: Refund): boolean {
  const kind = { refunding: null, refunded: 2n, failed: 3n }[refund.state];
  return refundTransfers(refund).every((pending) => {
    const row = db.row(
      `SELECT t.amount_msat AS aside, t.debit, e.kind, e.amount_msat AS posted
        FROM transfer t LEFT JOIN transfer e ON e.pending_id = t.id WHERE t.id = ? AND t.kind = 1`,
      pending.id,
    );
    const moved = pending.reason === 'refund' ? refund.amountMsat : refund.feeMsat;
    return (
      row?.['aside'] === pending.amountMsat &&
      row['debit'] === pending.debit &&
      row['kind'] === kind &&
      (refund.state !== 'refunded' || row['posted'] === moved)
    );
  });
}

const SELECT_REFUND = 'SELECT r.*, s.session FROM refund r JOIN session s USING (position)';

function refunds(db: SqliteDatabase, where: string, ...values: SqlValue[]): Refund[] {
  return db.rows(`${SELECT_REFUND} WHERE ${where}`, ...values).map(refundOf);
}

function refundOf(row: SqlRow): Refund {
  const state = REFUND_STATES[Number(row['state'])];
  if (state === undefined) throw new Fault('STORE_CORRUPT', { name: 'state of a refund' });
  const { reason } = row;
  return {
    paymentHash: toHex(bytes(row['payment_hash'])),
    session: toHex(bytes(row['session'])),
    invoice: text(row['invoice']),
    amountMsat: amount(row['amount_msat']),
    feeLimitMsat: amount(row['fee_limit_msat']),
    askedAtMs: unixMs(Number(row['asked_at_ms'])),
    state,
    feeMsat: amount(row['fee_msat']),
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}
