/**
 * What a host's file says about the log beside it, and what of the log is needed.
 * @module
 */
import { sameBytes } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { readSpendLog, type FoundLog, type SpendBlock } from './spend-log.ts';
import { bytes } from './sqlite-columns.ts';
import type { SqliteDatabase } from './sqlite-file.ts';

/** Of the table `spend_log`. */
export interface LogState {
  /** The id of this database, 16 bytes; copies have another one. */
  readonly database: Uint8Array;
  /** Up to this block everything is in the database. */
  readonly folded: number;
  /** There is a log, and it may hold more. */
  readonly open: boolean;
}

/** What the database says. */
export function logState(db: SqliteDatabase): LogState {
  const row = db.row('SELECT * FROM spend_log');
  if (row === undefined) throw new Fault('STORE_CORRUPT', { name: 'spend_log' });
  const open = row['is_open'] === 1n;
  return { database: bytes(row['database_id']), folded: Number(row['folded']), open };
}

/** Notes what is folded; what was noted before stays. */
export function setLogState(
  db: SqliteDatabase,
  { folded, open }: Omit<LogState, 'database'>,
): void {
  const sql = 'UPDATE spend_log SET folded = max(folded, ?), is_open = ?';
  db.run(sql, folded, open ? 1 : 0);
}

/**
 * The blocks that are not in the database yet, in order; undefined when there is no log.
 * @throws Fault `STORE_CORRUPT` when one is missing, or the log belongs to another database
 */
export function neededBlocks(file: string, state: LogState): readonly SpendBlock[] | undefined {
  const log = readSpendLog(file);
  if (log === undefined) {
    if (state.open) throw damaged(file, 'the spend log is missing or has lost its head');
    return undefined;
  }
  if (!sameBytes(log.database, state.database)) {
    throw damaged(file, 'the spend log belongs to another store: move it away with that one');
  }
  const last = log.blocks.keys().reduce((a, b) => Math.max(a, b), log.base);
  // A log that was closed, or a newer or an older state of either file.
  const fits = log.base <= state.folded && state.folded <= last;
  if (!fits || (!state.open && last > state.folded)) {
    throw damaged(file, 'the spend log and the store are of different times');
  }
  if (!log.whole) throw damaged(file, 'the spend log was cut');
  return blocksAfter(file, log, state.folded, last);
}

function blocksAfter(file: string, log: FoundLog, folded: number, last: number): SpendBlock[] {
  return Array.from({ length: last - folded }, (_, i) => {
    const block = log.blocks.get(folded + 1 + i);
    if (block === undefined) throw damaged(file, `block ${folded + 1 + i} of the spend log`);
    return block;
  });
}

function damaged(file: string, reason: string): Fault {
  return new Fault('STORE_CORRUPT', { file, reason });
}
