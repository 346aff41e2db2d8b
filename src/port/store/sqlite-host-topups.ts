/**
 * The top-ups of a host's file.
 * @module
 */
import { fromHex, toHex } from '../../base/bytes/index.ts';
import { unixMs, type UnixMs } from '../../base/time/index.ts';
import type { TopUp } from '../../pay/ledger/index.ts';
import type { CommitGroup, TopUpRefusal, UnpaidSession } from './host-store.ts';
import { amount, bytes, text } from './sqlite-columns.ts';
import type { SqlRow, SqlValue, SqliteDatabase } from './sqlite-file.ts';

/** Why the top-up of a group is refused; undefined when there is none, or it may be written. */
export function checkTopUp(db: SqliteDatabase, { topUp }: CommitGroup): TopUpRefusal | undefined {
  if (topUp === undefined) return undefined;
  const hash = fromHex(topUp.paymentHash, 'paymentHash');
  if (findTopUp(db, topUp.session, topUp.id) !== undefined) return 'topup_exists';
  const used =
    db.row('SELECT 1 FROM topup WHERE payment_hash = ?', hash) ??
    db.row('SELECT 1 FROM session WHERE payment_hash = ?', hash);
  return used === undefined ? undefined : 'payment_hash_exists';
}

/** Writes a new top-up that was let through, or that one was paid. */
export function writeTopUp(db: SqliteDatabase, { topUp, topUpPaid }: CommitGroup): void {
  if (topUp !== undefined) insertTopUp(db, topUp);
  if (topUpPaid === undefined) return;
  const hash = fromHex(topUpPaid, 'paymentHash');
  db.run('UPDATE topup SET paid = 1 WHERE payment_hash = ?', hash);
}

function insertTopUp(db: SqliteDatabase, topUp: TopUp): void {
  db.run(
    `INSERT INTO topup (payment_hash, position, id, service, calls, total_msat, pay_by_ms,
      expires_at_ms, paid, reply)
      SELECT ?, position, ?, ?, ?, ?, ?, ?, 0, ? FROM session WHERE session = ?`,
    fromHex(topUp.paymentHash, 'paymentHash'),
    fromHex(topUp.id, 'id'),
    topUp.service,
    topUp.calls,
    topUp.totalMsat,
    topUp.payByMs,
    topUp.expiresAtMs,
    topUp.reply,
    fromHex(topUp.session, 'session'),
  );
}

/** A top-up of a session by the payer's id. */
export function findTopUp(db: SqliteDatabase, session: string, id: string): TopUp | undefined {
  const values = [fromHex(session, 'session'), fromHex(id, 'id')] as const;
  return topUps(db, 's.session = ? AND t.id = ?', ...values)[0];
}

/** A top-up by its payment hash. */
export function topUpByHash(db: SqliteDatabase, paymentHash: string): TopUp | undefined {
  return topUps(db, 't.payment_hash = ?', fromHex(paymentHash, 'paymentHash'))[0];
}

/** One that was not paid yet. */
export function unpaidTopUp(db: SqliteDatabase, paymentHash: string): TopUp | undefined {
  const hash = fromHex(paymentHash, 'paymentHash');
  return topUps(db, 't.payment_hash = ? AND t.paid = 0', hash)[0];
}

/** Unpaid ones whose invoice can be paid after a time; each under its payment hash. */
export function unpaidTopUps(db: SqliteDatabase, nowMs: UnixMs): UnpaidSession[] {
  const sql = `SELECT t.payment_hash, t.pay_by_ms, t.total_msat, s.payer
    FROM topup t JOIN session s USING (position) WHERE t.paid = 0 AND t.pay_by_ms > ?`;
  return db.rows(sql, nowMs).map((row) => ({
    session: toHex(bytes(row['payment_hash'])),
    payByMs: unixMs(Number(row['pay_by_ms'])),
    payer: toHex(bytes(row['payer'])),
    totalMsat: amount(row['total_msat']),
  }));
}

/** Adds what is wrong with the top-ups. */
export function auditTopUps(db: SqliteDatabase, problems: string[]): void {
  const unpaid =
    db.rows(`SELECT hex(payment_hash) AS hash FROM topup t WHERE paid = 1 AND NOT EXISTS
    (SELECT 1 FROM transfer f WHERE f.id = lower(hex(t.payment_hash))
      AND f.amount_msat >= t.total_msat)`);
  for (const row of unpaid) problems.push(`top-up ${text(row['hash'])}: counted but not received`);
  const uneven = db.rows(`SELECT hex(s.session) AS session FROM session s
    JOIN session_numbers n USING (position)
    LEFT JOIN topup t ON t.position = s.position AND t.paid = 1
    GROUP BY s.position
    HAVING ifnull(json_extract(n.bought, '$.calls'), s.calls) <> s.calls + ifnull(sum(t.calls), 0)
      OR ifnull(CAST(json_extract(n.bought, '$.total_msat') AS INTEGER), s.total_msat)
        <> s.total_msat + ifnull(sum(t.total_msat), 0)`);
  for (const row of uneven) {
    problems.push(`session ${text(row['session'])}: what was bought is not what was paid for`);
  }
}

function topUps(db: SqliteDatabase, where: string, ...values: readonly SqlValue[]): TopUp[] {
  const sql = `SELECT t.*, s.session FROM topup t JOIN session s USING (position) WHERE ${where}`;
  return db.rows(sql, ...values).map(topUpOf);
}

function topUpOf(row: SqlRow): TopUp {
  return {
    session: toHex(bytes(row['session'])),
    id: toHex(bytes(row['id'])),
    service: text(row['service']),
    calls: Number(row['calls']),
    totalMsat: amount(row['total_msat']),
    paymentHash: toHex(bytes(row['payment_hash'])),
    payByMs: unixMs(Number(row['pay_by_ms'])),
    expiresAtMs: unixMs(Number(row['expires_at_ms'])),
    reply: bytes(row['reply']),
    paid: row['paid'] === 1n,
  };
}
