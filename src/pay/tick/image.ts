/**
 * The image of a lane: what one commit writes of it, as bytes. The same bytes cross to the writer
 * thread, stand in the spend log and are read at the next start.
 *
 * Numbers are little-endian, as the typed arrays of all machines that run this are.
 *
 *     0  lane     16
 *    16  epoch     4   of the owner who made the image
 *    20  version   4   of the row that it was made from; writing it makes it one more
 *    24  index     4   of the highest tick accepted
 *    28  spent     4   units
 *    32  done      4
 *    36  count     4   entries
 *    40  tip      32   x(index)
 *    72  entries  24 each: number 4, units 4, digest 16
 * @module
 */
import { toHex } from '../../base/bytes/index.ts';
import { MAX_LANE_ENTRIES } from './limits.ts';
import type { LaneRow } from './terms.ts';

/** Bytes of an image before its entries. */
export const IMAGE_HEAD_BYTES = 72;
/** Bytes of one entry: a number that was charged, for how many units, and the request's digest. */
export const IMAGE_ENTRY_BYTES = 24;

/** An image, read. */
export interface LaneImage {
  /** 16 bytes, hex. */
  readonly lane: string;
  readonly epoch: number;
  readonly version: number;
  readonly index: number;
  readonly spent: number;
  readonly done: number;
  readonly tip: Uint8Array;
  readonly entries: Uint8Array;
  /** Where the next image begins. */
  readonly end: number;
}

/** Why an image is refused, in order of precedence. Kept in the log of results: append only. */
export const LANE_REFUSALS = [
  'lane_unknown',
  'lane_closed',
  'epoch_stale',
  'version_stale',
  'image_backwards',
  'image_overspent',
  'image_overlong',
] as const;
/** Why an image is refused. */
export type LaneRefusal = (typeof LANE_REFUSALS)[number];

/** May the image be written over the row? Undefined when it may. */
export function checkLaneImage(
  row: LaneRow | undefined,
  image: Omit<LaneImage, 'lane' | 'end'>,
): LaneRefusal | undefined {
  if (row === undefined) return 'lane_unknown';
  if (row.closed) return 'lane_closed';
  if (row.epoch !== image.epoch) return 'epoch_stale';
  if (row.version !== image.version) return 'version_stale';
  const backwards = image.index < row.index || image.spent < row.spent || image.done < row.done;
  if (backwards) return 'image_backwards';
  if (image.spent > image.index) return 'image_overspent';
  if (image.index > row.terms.length) return 'image_overlong';
  return undefined;
}

/** Reads the image at `at`; undefined when the bytes end before it does. */
export function readImage(bytes: Uint8Array, at: number): LaneImage | undefined {
  if (at + IMAGE_HEAD_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, IMAGE_HEAD_BYTES);
  const count = view.getUint32(36, true);
  const end = at + IMAGE_HEAD_BYTES + count * IMAGE_ENTRY_BYTES;
  if (count > MAX_LANE_ENTRIES || end > bytes.length) return undefined;
  return {
    lane: toHex(bytes.subarray(at, at + 16)),
    epoch: view.getUint32(16, true),
    version: view.getUint32(20, true),
    index: view.getUint32(24, true),
    spent: view.getUint32(28, true),
    done: view.getUint32(32, true),
    tip: bytes.subarray(at + 40, at + IMAGE_HEAD_BYTES),
    entries: bytes.subarray(at + IMAGE_HEAD_BYTES, end),
    end,
  };
}
