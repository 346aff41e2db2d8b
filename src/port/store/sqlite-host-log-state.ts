/**
 * What a host's file says about its spend log, and what of a log beside it is needed.
 * @module
 */
import { sameBytes } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { readLog, type FoundLog, type LogBlock } from './log-file.ts';
import { bytes } from './sqlite-columns.ts';
import type { SqliteDatabase } from './sqlite-file.ts';

/** What the database says about a log. */
export interface LogState {
  /** 16 bytes; that of the spend log is the id of the database, of which each copy has another. */
  readonly id: Uint8Array;
  /** Up to this block everything is in the database. */
  readonly folded: number;
  /** There is a log, and it may hold more. */
  readonly open: boolean;
}

/** What the database says about its spend log. */
export function logState(db: SqliteDatabase): LogState {
  const row = db.row('SELECT * FROM spend_log');
  if (row === undefined) throw new Fault('STORE_CORRUPT', { name: 'spend_log' });
  const open = row['is_open'] === 1n;
  return { id: bytes(row['database_id']), folded: Number(row['folded']), open };
}

/** Notes what is folded; what was noted before stays. */
export function setLogState(db: SqliteDatabase, { folded, open }: Omit<LogState, 'id'>): void {
  const sql = 'UPDATE spend_log SET folded = max(folded, ?), is_open = ?';
  db.run(sql, folded, open ? 1 : 0);
}

/**
 * The blocks that are not in the database yet, in order; undefined when there is no log.
 * @throws Fault `STORE_CORRUPT` when one is missing, or the log belongs to another database
 */
export function neededBlocks(file: string, state: LogState): readonly LogBlock[] | undefined {
  const log = readLog(file);
  if (log === undefined) {
    if (state.open) throw damaged(file, 'the log is missing or has lost its head');
    return undefined;
  }
  if (!sameBytes(log.id, state.id)) {
    throw damaged(file, 'the log belongs to another store: move it away with that one');
  }
  const last = log.blocks.keys().reduce((a, b) => Math.max(a, b), log.base);
  // A log that was closed, or a newer or an older state of either file.
  const fits = log.base <= state.folded && state.folded <= last;
  if (!fits || (!state.open && last > state.folded)) {
    throw damaged(file, 'the log and the store are of different times');
  }
  if (!log.whole) throw damaged(file, 'the log was cut');
  return blocksAfter(file, log, state.folded, last);
}

function blocksAfter(file: string, log: FoundLog, folded: number, last: number): LogBlock[] {
  return Array.from({ length: last - folded }, (_, i) => {
    const block = log.blocks.get(folded + 1 + i);
    if (block === undefined) throw damaged(file, `block ${folded + 1 + i} of the log`);
    return block;
  });
}

/** A log that is not what the database says. */
export function damaged(file: string, reason: string): Fault {
  return new Fault('STORE_CORRUPT', { file, reason });
}
