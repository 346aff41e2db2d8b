/**
 * What a lane was sold as, and its row as it is stored.
 * @module
 */
import { concat, fromHex, toHex, u32, utf8 } from '../../base/bytes/index.ts';
import { sha256 } from '../../base/hash/index.ts';
import type { Msat } from '../../base/money/index.ts';

/** What a lane was sold as; it never changes. */
export interface LaneTerms {
  /** 16 bytes, hex: see `laneId`. */
  readonly lane: string;
  /** The session that it was bought with: 16 bytes, hex. */
  readonly session: string;
  /** Its place among the lanes of the session: 0, 1, ... */
  readonly place: number;
  /** x(0): 32 bytes. */
  readonly anchor: Uint8Array;
  /** Ticks that it has, each worth one unit. */
  readonly length: number;
  readonly unitMsat: Msat;
}

/** A lane as it is stored. */
export interface LaneRow {
  readonly terms: LaneTerms;
  /** Rises when somebody takes the lane over: images of an earlier owner are refused. */
  readonly epoch: number;
  /** Rises with every image; an image is written only over the one that it was made from. */
  readonly version: number;
  /** It serves no more; what it has spent is in `serve` transfers. */
  readonly closed: boolean;
  /** The highest tick accepted, x(index): 32 bytes. */
  readonly tip: Uint8Array;
  readonly index: number;
  /** Units charged, ever. */
  readonly spent: number;
  /** The payer's lowest number that is not resolved yet. */
  readonly done: number;
  /** What is remembered of the numbers from `done` on: see `image.ts`. */
  readonly entries: Uint8Array;
}

const LANE_TAG = utf8('tollcall/tick/lane/1');

/** The id of a lane, which both sides know from its session and place: 16 bytes, hex. */
export function laneId(session: string, place: number): string {
  const bytes = concat(LANE_TAG, fromHex(session, 'session'), u32(place));
  return toHex(sha256(bytes).subarray(0, 16));
}

/** The row of a lane that was just opened. */
export function newLaneRow(terms: LaneTerms): LaneRow {
  return {
    terms,
    epoch: 0,
    version: 0,
    closed: false,
    tip: terms.anchor,
    index: 0,
    spent: 0,
    done: 0,
    entries: new Uint8Array(0),
  };
}
