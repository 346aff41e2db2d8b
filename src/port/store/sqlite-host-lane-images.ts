/**
 * Writes the images of lanes: the statement of every streamed call, so it reads nothing that this
 * thread has written itself.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { checkLaneImage, type LaneRefusal, type LaneRow } from '../../pay/tick/index.ts';
import { AheadRows } from './ahead-rows.ts';
import type { LaneImageRead } from './packed-lanes.ts';
import type { SqliteDatabase } from './sqlite-file.ts';
import { findLane } from './sqlite-host-lanes.ts';

/** A lane as it was written last, into the log or into the database. */
interface WrittenLane extends LaneRow {
  readonly position: bigint;
  /** The version in the database. */
  readonly stored: number;
}

const UPDATE = `UPDATE lane SET version = ?, tip = ?, tick_index = ?, spent = ?, done = ?,
  entries = ? WHERE position = ? AND version = ?`;

/** The lanes as they were written last. */
export class LaneImages {
  readonly rows = new AheadRows<WrittenLane>();
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  /** Takes an image as the row from now on, if it may be: it is in the log, or will be folded. */
  take(image: LaneImageRead): LaneRefusal | undefined {
    return this.leap(image, image.version);
  }

  /** The same for an image that was made later: by its owner, who began with the row of `from`. */
  leap(image: LaneImageRead, from: number): LaneRefusal | undefined {
    const row = this.find(image.lane);
    const behind = row?.version === from && from <= image.version;
    const refusal = checkLaneImage(behind ? { ...row, version: image.version } : row, image);
    if (refusal !== undefined || row === undefined) return refusal ?? 'lane_unknown';
    const { tip, index, spent, done, entries } = image;
    const version = image.version + 1;
    this.rows.set(image.lane, { ...row, version, tip, index, spent, done, entries });
    return undefined;
  }

  /** True for an image that the row has left behind: it was folded before. */
  isOld(image: LaneImageRead): boolean {
    const row = this.find(image.lane);
    return row !== undefined && image.version < row.version;
  }

  /** Brings the database up to the row; call it inside of a transaction. */
  fold(lane: string): void {
    const row = this.rows.ahead(lane);
    if (row === undefined) return;
    const { version, tip, index, spent, done, entries, position, stored } = row;
    const values = [version, tip, index, spent, done, entries] as const;
    const changed = this.#db.run(UPDATE, ...values, position, stored);
    // The checks were on what we remember; the file must agree.
    if (changed !== 1) throw new Fault('STORE_CORRUPT', { name: 'version of a lane' });
    this.rows.set(lane, { ...row, stored: version });
  }

  /** A lane as it was written last; undefined when there is none. */
  find(lane: string): WrittenLane | undefined {
    const known = this.rows.get(lane);
    if (known !== undefined) return known;
    const found = findLane(this.#db, lane);
    if (found === undefined) return undefined;
    const row = { ...found, stored: found.version };
    this.rows.set(lane, row);
    return row;
  }
}
