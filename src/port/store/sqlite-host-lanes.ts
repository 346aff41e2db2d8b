/**
 * The lanes of a host's file: sold, taken over, closed. What calls spend is in
 * `sqlite-host-lane-images.ts`.
 * @module
 */
import { fromHex, toHex } from '../../base/bytes/index.ts';
import { addMsat, msat, type Msat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
import { sessionAccount, type Account, type Transfer } from '../../pay/ledger/index.ts';
import { newLaneRow, type LaneRow, type LaneTerms } from '../../pay/tick/index.ts';
import { amount, bytes, int } from './sqlite-columns.ts';
import type { SqlRow, SqliteDatabase } from './sqlite-file.ts';
import { dropLaneAnswers } from './sqlite-host-lane-answers.ts';

/** What the lanes of a session have spent and no transfer says yet, as a term of SQL. */
export function unfoldedLanes(position: string): string {
  return `(SELECT ifnull(sum((l.spent - l.folded) * l.unit_msat), 0) FROM lane l
    WHERE l.session = ${position})`;
}

/** What all lanes have spent and no transfer says yet. */
export function allUnfoldedLanes(db: SqliteDatabase): Msat {
  return amount(db.value('SELECT ifnull(sum((spent - folded) * unit_msat), 0) FROM lane'));
}

/** What the lanes of a session have spent and no transfer says yet. */
export function unfoldedMsat(db: SqliteDatabase, session: string): Msat {
  const position = '(SELECT position FROM session WHERE session = ?)';
  return amount(db.value(`SELECT ${unfoldedLanes(position)}`, fromHex(session, 'session')));
}

/** An account of a session, of which its lanes have spent that much. */
export function withLanes(account: Account, spentMsat: Msat): Account {
  return { ...account, heldMsat: addMsat(account.heldMsat, spentMsat) };
}

/** Writes the lanes that a new session was sold with. */
export function insertLanes(db: SqliteDatabase, lanes: readonly LaneTerms[]): void {
  for (const terms of lanes) {
    const { lane, session, place, anchor, length, unitMsat } = terms;
    const { epoch, version, tip, index, spent, done, entries } = newLaneRow(terms);
    db.run(
      `INSERT INTO lane (lane, session, place, anchor, length, unit_msat, epoch, version, closed,
        tip, tick_index, spent, folded, done, entries)
        SELECT ?, position, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, 0, ?, ? FROM session WHERE session = ?`,
      fromHex(lane, 'lane'),
      place,
      anchor,
      length,
      unitMsat,
      epoch,
      version,
      tip,
      index,
      spent,
      done,
      entries,
      fromHex(session, 'session'),
    );
  }
}

/** The ids of a session's lanes. */
export function laneIds(db: SqliteDatabase, session: string): string[] {
  const sql = `SELECT l.lane FROM lane l JOIN session s ON s.position = l.session
    WHERE s.session = ?`;
  return db.rows(sql, fromHex(session, 'session')).map((row) => toHex(bytes(row['lane'])));
}

/** The lanes of a session, by their places. */
export function lanesOf(db: SqliteDatabase, session: string): LaneRow[] {
  const sql = `${SELECT_LANE} WHERE s.session = ? ORDER BY l.place`;
  return db.rows(sql, fromHex(session, 'session')).map(laneRow);
}

/** A lane, with its place in the table. */
export function findLane(
  db: SqliteDatabase,
  lane: string,
): (LaneRow & { readonly position: bigint }) | undefined {
  const row = db.row(`${SELECT_LANE} WHERE l.lane = ?`, fromHex(lane, 'lane'));
  return row && { ...laneRow(row), position: int(row['position']) };
}

/** Raises the epoch of a lane that is not closed; gives the lane. */
export function takeLane(db: SqliteDatabase, lane: string): LaneRow | undefined {
  const sql = 'UPDATE lane SET epoch = epoch + 1 WHERE lane = ? AND closed = 0';
  db.run(sql, fromHex(lane, 'lane'));
  const found = findLane(db, lane);
  if (found === undefined) return undefined;
  const { position: _, ...row } = found;
  return row;
}

/** Closes the lanes of a session; what they have spent is in a transfer now. */
export function closeLanes(db: SqliteDatabase, session: string): void {
  const sql = `UPDATE lane SET closed = 1, epoch = epoch + 1, folded = spent
    WHERE session = (SELECT position FROM session WHERE session = ?) AND closed = 0`;
  db.run(sql, fromHex(session, 'session'));
  dropLaneAnswers(db, session);
}

const LANES_ID = ':lanes:';

/** The transfer of what lanes have spent; undefined when there is nothing. */
export function lanesTransfer(
  db: SqliteDatabase,
  session: string,
  atMs: UnixMs,
): Transfer | undefined {
  const amountMsat = unfoldedMsat(db, session);
  if (amountMsat === 0n) return undefined;
  const units = lanesOf(db, session).reduce((total, { spent }) => total + BigInt(spent), 0n);
  return {
    // Units are never given back, so no two of these are the same.
    id: `serve:${session}${LANES_ID}${units}`,
    kind: 'posted',
    debit: sessionAccount(session),
    credit: 'served',
    amountMsat,
    reason: 'serve',
    atMs,
  };
}

/** True for the id of a transfer that `lanesTransfer` made. */
export function isLanesTransfer(id: string): boolean {
  return id.startsWith('serve:') && id.includes(LANES_ID);
}

/** Selects lanes as `laneRow` reads them. */
export const SELECT_LANE = `SELECT l.*, s.session AS session_id
  FROM lane l JOIN session s ON s.position = l.session`;

/** A lane. */
export function laneRow(row: SqlRow): LaneRow {
  return {
    terms: {
      lane: toHex(bytes(row['lane'])),
      session: toHex(bytes(row['session_id'])),
      place: Number(row['place']),
      anchor: bytes(row['anchor']),
      length: Number(row['length']),
      unitMsat: msat(int(row['unit_msat'])),
    },
    epoch: Number(row['epoch']),
    version: Number(row['version']),
    closed: row['closed'] === 1n,
    tip: bytes(row['tip']),
    index: Number(row['tick_index']),
    spent: Number(row['spent']),
    done: Number(row['done']),
    entries: bytes(row['entries']),
  };
}
