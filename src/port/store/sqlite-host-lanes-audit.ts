/**
 * The audit of lanes. Whether a tip hashes down to its anchor is not looked at: that can take a
 * hundred million hashes.
 * @module
 */
import { sameBytes } from '../../base/bytes/index.ts';
import { sessionAccount, type AccountId } from '../../pay/ledger/index.ts';
import {
  EntryMark,
  IMAGE_ENTRY_BYTES,
  LANE_WINDOW,
  MAX_LANE_ENTRIES,
  laneId,
  readEntries,
  startedUnits,
  type ImageEntry,
  type LaneRow,
} from '../../pay/tick/index.ts';
import { MAX_AUDIT_PROBLEMS } from './limits.ts';
import { int, text } from './sqlite-columns.ts';
import type { SqliteDatabase } from './sqlite-file.ts';
import { answeredNumbers, strayLaneAnswers } from './sqlite-host-lane-answers.ts';
import { SELECT_LANE, isLanesTransfer, laneRow, unfoldedLanes } from './sqlite-host-lanes.ts';
import { SELECT_LEDGER_ROW, ledgerRow, transferOf } from './sqlite-host-schema.ts';

/** What the lanes of one session come to. */
interface LaneSums {
  soldMsat: bigint;
  foldedMsat: bigint;
}

/** Adds what is wrong with the lanes. */
export function auditLanes(db: SqliteDatabase, problems: string[]): void {
  const sums = new Map<string, LaneSums>();
  for (const row of db.each(SELECT_LANE)) {
    const lane = laneRow(row);
    const folded = Number(int(row['folded']));
    problems.push(...auditLane(lane, folded), ...auditAnswers(db, lane, int(row['position'])));
    const { session, length, unitMsat } = lane.terms;
    const sum = sums.get(session) ?? { soldMsat: 0n, foldedMsat: 0n };
    sum.soldMsat += BigInt(length) * unitMsat;
    sum.foldedMsat += BigInt(folded) * unitMsat;
    sums.set(session, sum);
    if (problems.length >= MAX_AUDIT_PROBLEMS) return;
  }
  const served = servedByLanes(db);
  for (const [session, sum] of sums) {
    problems.push(...auditSums(db, session, sum, served.get(sessionAccount(session)) ?? 0n));
    served.delete(sessionAccount(session));
  }
  for (const account of served.keys()) problems.push(`${account}: it never had the lanes it paid`);
  const lost = db.value(`SELECT count(*) FROM lane l LEFT JOIN session s ON s.position = l.session
    WHERE s.position IS NULL`);
  if (lost !== 0n) problems.push(`${String(lost)} lanes belong to no session`);
  const stray = strayLaneAnswers(db);
  if (stray !== 0n) problems.push(`${stray} stored answers belong to no open lane`);
  const overdrawn = db.rows(`SELECT lower(hex(s.session)) AS session
    FROM session s JOIN session_numbers n USING (position)
    WHERE position IN (SELECT session FROM lane) AND credits_posted - debits_posted - debits_pending
      - charged_msat + folded_msat - started_msat - ${unfoldedLanes('n.position')} < 0`);
  for (const row of overdrawn) {
    problems.push(`session ${text(row['session'])}: its lanes have spent more than it has`);
  }
}

/** What the lanes of each account have in transfers. */
function servedByLanes(db: SqliteDatabase): Map<AccountId, bigint> {
  const served = new Map<AccountId, bigint>();
  for (const row of db.each("SELECT * FROM transfer WHERE id LIKE 'serve:%'")) {
    const { id, debit, amountMsat } = transferOf(row);
    if (isLanesTransfer(id)) served.set(debit, (served.get(debit) ?? 0n) + amountMsat);
  }
  return served;
}

function auditLane(row: LaneRow, folded: number): string[] {
  const { terms, index, spent, done, closed, tip, entries } = row;
  const { session, place, anchor, length, lane } = terms;
  const known = readEntries(entries);
  const charged = known.filter(({ mark }) => CHARGED.has(mark));
  const [chargedUnits, reserved] = [charged.reduce(sumUnits, 0), startedUnits(entries)];
  const rules: readonly [boolean, string][] = [
    [laneId(session, place) === lane, 'it is not the lane of its session and place'],
    [index <= length, 'more ticks were accepted than it has'],
    [spent + reserved <= index, 'more is spent than was accepted'],
    [folded <= spent, 'more is folded than was spent'],
    [!closed || folded === spent, 'it is closed, and not all that it spent is in a transfer'],
    [(index === 0) === sameBytes(tip, anchor), 'its tip is not the tick of its index'],
    [entries.length === known.length * IMAGE_ENTRY_BYTES, 'its entries are damaged'],
    [known.length <= MAX_LANE_ENTRIES, 'too many calls are remembered'],
    [new Set(known.map(({ n }) => n)).size === known.length, 'a call is remembered twice'],
    [
      known.every(({ n, mark }) => n >= done || mark === EntryMark.started),
      'a resolved call is kept',
    ],
    [known.every(({ mark }) => MARKS.has(mark)), 'nobody can tell what became of a call'],
    [known.every(({ n }) => n < done + LANE_WINDOW), 'a call is beyond the window'],
    [chargedUnits <= spent, 'more is remembered than was spent'],
  ];
  return rules.filter(([holds]) => !holds).map(([, problem]) => `lane ${lane}: ${problem}`);
}

function auditSums(
  db: SqliteDatabase,
  session: string,
  sum: LaneSums,
  servedMsat: bigint,
): string[] {
  const found = db.row(`${SELECT_LEDGER_ROW} WHERE s.session = unhex(?)`, session);
  const row = found && ledgerRow(found);
  const soldMsat = (row?.bought ?? row?.terms)?.totalMsat ?? 0n;
  const rules: readonly [boolean, string][] = [
    [sum.soldMsat <= soldMsat, 'its lanes are worth more than was sold'],
    [sum.foldedMsat === servedMsat, 'what its lanes have folded differs from transfers'],
  ];
  return rules.filter(([holds]) => !holds).map(([, problem]) => `session ${session}: ${problem}`);
}

/** Each call that was charged and can be asked for again has its answer; a closed lane has none. */
function auditAnswers(
  db: SqliteDatabase,
  { terms, closed, entries }: LaneRow,
  position: bigint,
): string[] {
  const known = readEntries(entries).filter(({ mark }) => mark === EntryMark.answered);
  if (closed || known.length === 0) return [];
  const stored = new Set(answeredNumbers(db, position));
  const missing = known.filter(({ n }) => !stored.has(n));
  return missing.map(({ n }) => `lane ${terms.lane}: the answer of call ${n} is missing`);
}

const MARKS: ReadonlySet<number> = new Set(Object.values(EntryMark));
const CHARGED: ReadonlySet<number> = new Set([EntryMark.charged, EntryMark.answered]);

function sumUnits(sum: number, { units }: ImageEntry): number {
  return sum + units;
}
