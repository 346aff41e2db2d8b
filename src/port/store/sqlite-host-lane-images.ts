/**
 * Writes the images of lanes: the statement of every streamed call, so it reads nothing that this
 * thread has written itself.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import {
  checkLaneImage,
  readImage,
  type LaneImage,
  type LaneRefusal,
  type LaneRow,
} from '../../pay/tick/index.ts';
import { AheadRows } from './ahead-rows.ts';
import type { SqliteDatabase } from './sqlite-file.ts';
import { findLane } from './sqlite-host-lanes.ts';

/** A lane as it was written last, into the log or into the database. */
interface WrittenLane extends LaneRow {
  readonly position: bigint;
  /** The version in the database. */
  readonly stored: number;
}

/** An image with its bytes. */
export interface LaneImageRead extends LaneImage {
  readonly packed: Uint8Array;
}

const UPDATE = `UPDATE lane SET version = ?, tip = ?, tick_index = ?, spent = ?, done = ?,
  entries = ? WHERE position = ? AND version = ?`;

/** Reads images that stand one after the other. @throws Fault `BYTES_MALFORMED` */
export function readLaneImages(images: Uint8Array): LaneImageRead[] {
  const found: LaneImageRead[] = [];
  for (let at = 0; at < images.length;) {
    const image = readImage(images, at);
    if (image === undefined) throw new Fault('BYTES_MALFORMED', { name: 'images' });
    found.push(Object.assign(image, { packed: images.subarray(at, image.end) }));
    at = image.end;
  }
  return found;
}

/** The lanes as they were written last. */
export class LaneImages {
  readonly rows = new AheadRows<WrittenLane>();
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  /** Takes an image as the row from now on, if it may be: it is in the log, or will be folded. */
  take(image: LaneImageRead): LaneRefusal | undefined {
    const row = this.#row(image.lane);
    const refusal = checkLaneImage(row, image);
    if (refusal !== undefined || row === undefined) return refusal ?? 'lane_unknown';
    const { tip, index, spent, done, entries } = image;
    const version = row.version + 1;
    this.rows.set(image.lane, { ...row, version, tip, index, spent, done, entries });
    return undefined;
  }

  /** True for an image that the row has left behind: it was folded before. */
  isOld(image: LaneImageRead): boolean {
    const row = this.#row(image.lane);
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

  #row(lane: string): WrittenLane | undefined {
    const known = this.rows.get(lane);
    if (known !== undefined) return known;
    const found = findLane(this.#db, lane);
    if (found === undefined) return undefined;
    const row = { ...found, stored: found.version };
    this.rows.set(lane, row);
    return row;
  }
}
