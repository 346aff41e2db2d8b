/**
 * Orders that nobody paid in time: what is still needed of them, and for how long.
 * @module
 */
import { toHex } from '../../base/bytes/index.ts';
import type { Lapse } from './host-store.ts';
import { bytes, int } from './sqlite-columns.ts';
import type { SqliteDatabase } from './sqlite-file.ts';

/** Cuts down and deletes; call it inside of a transaction. Gives the sessions that are gone. */
export function lapseOrders(db: SqliteDatabase, lapse: Lapse): string[] {
  const { fromMs, beforeMs, dropBeforeMs, keep } = lapse;
  // The row stays, with the key of its codes: a payment that comes late is credited to it.
  db.run(
    `UPDATE session SET reply = x'' WHERE pay_by_ms >= ? AND pay_by_ms < ? AND length(reply) > 0
      AND total_msat > (SELECT credits_posted FROM session_numbers n
        WHERE n.position = session.position)`,
    fromMs,
    beforeMs,
  );
  lapseTopUps(db, lapse);
  const lapsed = int(db.value('SELECT count(*) FROM session WHERE length(reply) = 0'));
  const found = db.rows(
    `SELECT s.position, s.session FROM session s JOIN session_numbers n USING (position)
      WHERE length(s.reply) = 0 AND s.pay_by_ms < ? AND n.credits_posted = 0
      ORDER BY s.pay_by_ms LIMIT ?`,
    dropBeforeMs,
    Math.max(0, Number(lapsed) - keep),
  );
  for (const row of found) {
    const position = int(row['position']);
    db.run('DELETE FROM lane WHERE session = ?', position);
    db.run('DELETE FROM session_numbers WHERE position = ?', position);
    db.run('DELETE FROM session WHERE position = ?', position);
  }
  return found.map((row) => toHex(bytes(row['session'])));
}

/** Top-ups that nobody paid; a payment that comes for a deleted one is unattributed. */
function lapseTopUps(db: SqliteDatabase, { beforeMs, dropBeforeMs, keep }: Lapse): void {
  db.run(
    `UPDATE topup SET reply = x'' WHERE paid = 0 AND pay_by_ms < ? AND length(reply) > 0`,
    beforeMs,
  );
  const unpaid = int(db.value('SELECT count(*) FROM topup WHERE paid = 0'));
  db.run(
    `DELETE FROM topup WHERE payment_hash IN (SELECT payment_hash FROM topup
      WHERE paid = 0 AND pay_by_ms < ? ORDER BY pay_by_ms LIMIT ?)`,
    dropBeforeMs,
    Math.max(0, Number(unpaid) - keep),
  );
}
