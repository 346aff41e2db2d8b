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
 *    72  entries  24 each: number 4, units and mark 4, digest 16
 *
 * A mark takes the top four bits of the units, which need 27; what was written before there were
 * marks reads as it did.
 * @module
 */
import { toHex } from '../../base/bytes/index.ts';
import { MAX_LANE_ENTRIES } from './limits.ts';
import type { LaneRow } from './terms.ts';

/** Bytes of an image before its entries. */
export const IMAGE_HEAD_BYTES = 72;
/** Bytes of one entry: a number, its units, what became of it, and the request's digest. */
export const IMAGE_ENTRY_BYTES = 24;

/** What an image says of a number. Kept in files: append only. */
export const EntryMark = {
  /** Charged; its answer can be made again. */
  charged: 0,
  /** Effect once: its handler runs, or was cut. Its units are reserved, and not among the spent. */
  started: 1,
  /** Effect once: charged, and its answer is stored. */
  answered: 2,
  /** Effect once: cut, and nobody knows what came of it. Not charged, and dead. */
  unknown: 3,
  /** Effect once: failed. Not charged, and dead. */
  failed: 4,
} as const;
const MARK_SHIFT = 28;
const UNITS_MASK = 2 ** MARK_SHIFT - 1;

/** An entry, read. */
export interface ImageEntry {
  readonly n: number;
  /** Charged; of a started one, reserved. */
  readonly units: number;
  /** One of `EntryMark`. */
  readonly mark: number;
}

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
  if (image.spent + startedUnits(image.entries) > image.index) return 'image_overspent';
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

/** Reads the entry at `at`, without its digest. */
export function readEntry(view: DataView, at: number): ImageEntry {
  const word = view.getUint32(at + 4, true);
  return { n: view.getUint32(at, true), units: word & UNITS_MASK, mark: word >>> MARK_SHIFT };
}

/** The units and the mark of an entry, as they are written. */
export function entryWord(units: number, mark: number): number {
  return units | (mark << MARK_SHIFT);
}

/** The entries of an image or a row. */
export function readEntries(entries: Uint8Array): readonly ImageEntry[] {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const count = Math.floor(entries.length / IMAGE_ENTRY_BYTES);
  return Array.from({ length: count }, (_, i) => readEntry(view, i * IMAGE_ENTRY_BYTES));
}

/** Whether a call is under way, or was cut. */
export function hasStarted(entries: Uint8Array): boolean {
  return readEntries(entries).some(({ mark }) => mark === EntryMark.started);
}

/** Units that calls under way with effect once hold. */
export function startedUnits(entries: Uint8Array): number {
  let units = 0;
  // The top byte of the units says whether there is a mark: most images have none.
  for (let at = 0; at < entries.length; at += IMAGE_ENTRY_BYTES) {
    if ((entries[at + 7] ?? 0) >> 4 !== EntryMark.started) continue;
    const [a = 0, b = 0, c = 0, d = 0] = entries.subarray(at + 4, at + 8);
    units += a + (b << 8) + (c << 16) + ((d & 15) << 24);
  }
  return units;
}
