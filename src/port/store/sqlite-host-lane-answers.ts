/**
 * Answers of calls with effect once over lanes: from the transaction that has their charge until
 * the payer has resolved them, or their lane is closed.
 * @module
 */
import { fromHex } from '../../base/bytes/index.ts';
import type { StoredLaneAnswer } from './host-store.ts';
import { bytes } from './sqlite-columns.ts';
import type { SqliteDatabase } from './sqlite-file.ts';

/**
 * Keeps the answers of lanes that were just brought up to an image with these charges, and drops
 * what the payer has resolved of all of them; call it inside of their transaction. Once more it
 * changes nothing.
 * @param lanes those that were written; answers of others are not kept
 */
export function writeLaneAnswers(
  db: SqliteDatabase,
  lanes: readonly string[],
  answers: readonly StoredLaneAnswer[],
): void {
  const written = new Set(lanes);
  for (const { lane, n, body } of answers) {
    if (!written.has(lane)) continue;
    const sql = `REPLACE INTO lane_answer (position, n, body)
      SELECT position, ?, ? FROM lane WHERE lane = ? AND closed = 0`;
    db.run(sql, n, body, fromHex(lane, 'lane'));
  }
  for (const lane of written) {
    const sql = `DELETE FROM lane_answer
      WHERE position = (SELECT position FROM lane WHERE lane = ?1)
        AND n < (SELECT done FROM lane WHERE lane = ?1)`;
    db.run(sql, fromHex(lane, 'lane'));
  }
}

/** The lanes of a session are closed: they answer nothing any more. */
export function dropLaneAnswers(db: SqliteDatabase, session: string): void {
  const sql = `DELETE FROM lane_answer WHERE position IN (SELECT l.position FROM lane l
    JOIN session s ON s.position = l.session WHERE s.session = ?)`;
  db.run(sql, fromHex(session, 'session'));
}

/** A stored answer. */
export function findLaneAnswer(
  db: SqliteDatabase,
  lane: string,
  n: number,
): Uint8Array | undefined {
  const sql = `SELECT a.body FROM lane_answer a JOIN lane l USING (position)
    WHERE l.lane = ? AND a.n = ?`;
  const row = db.row(sql, fromHex(lane, 'lane'), n);
  return row && bytes(row['body']);
}

/** The numbers of a lane that have a stored answer, by the lane's place in the table. */
export function answeredNumbers(db: SqliteDatabase, position: bigint): readonly number[] {
  const sql = 'SELECT n FROM lane_answer WHERE position = ?';
  return db.rows(sql, position).map((row) => Number(row['n']));
}

/** How many stored answers belong to no lane that is open. */
export function strayLaneAnswers(db: SqliteDatabase): bigint {
  const sql = `SELECT count(*) FROM lane_answer a LEFT JOIN lane l USING (position)
    WHERE l.position IS NULL OR l.closed = 1`;
  return db.value(sql) as bigint;
}
