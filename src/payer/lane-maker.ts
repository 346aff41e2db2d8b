/**
 * Makes the chains of lanes without holding anything else up.
 * @module
 */
import { concat, u32, utf8 } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { hmacSha256 } from '../base/hash/index.ts';
import type { Random } from '../base/random/index.ts';
import type { Clock } from '../base/time/index.ts';
import { MAX_LANES, beginChain, stepChain, type Chain } from '../pay/tick/index.ts';
import { STREAM_LANES } from './limits.ts';
import type { LaneSeed } from './record.ts';

const LAST_TAG = utf8('tollcall/tick/last/1');

/** How lanes are made. */
export interface MakeLanes {
  /** 32 bytes: all secrets of all lanes follow from it. */
  readonly seed: Uint8Array;
  /** Ticks of each lane. */
  readonly lengths: readonly number[];
  /** Told how many hashes are done, of how many. */
  readonly progress?: (done: number, of: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** x(length) of the lane at a place: all its other secrets follow from it. */
export function lastSecret(seed: Uint8Array, place: number): Uint8Array {
  return hmacSha256(seed, concat(LAST_TAG, u32(place)));
}

/** The chains, in the order of their places. */
export async function makeLanes(
  clock: Clock,
  { seed, lengths, progress, signal }: MakeLanes,
): Promise<readonly Chain[]> {
  const of = lengths.reduce((sum, length) => sum + length, 0);
  const chains: Chain[] = [];
  let before = 0;
  for (const [place, length] of lengths.entries()) {
    const work = beginChain(lastSecret(seed, place), length);
    for (let chain = stepChain(work); ; chain = stepChain(work)) {
      progress?.(before + length - work.at, of);
      if (chain !== undefined) {
        chains.push(chain);
        break;
      }
      signal?.throwIfAborted();
      await clock.sleep(0);
    }
    before += length;
  }
  return chains;
}

/** What lanes are made for. */
export interface LanesWanted {
  readonly units: number;
  readonly lanes?: number | undefined;
  /** The most that one call costs: no lane but one ends with a part of that. Absent: a unit. */
  readonly unitsPerCall?: number | undefined;
}

/**
 * New lanes: so many units, spread evenly.
 * @throws Fault `LANE_COUNT`, `LANE_LENGTH`
 */
export function newLanes(
  random: Random,
  { units, lanes = STREAM_LANES, unitsPerCall: each = 1 }: LanesWanted,
): LaneSeed {
  if (!Number.isInteger(lanes) || lanes < 1 || lanes > MAX_LANES) {
    throw new Fault('LANE_COUNT', { max: MAX_LANES });
  }
  if (!Number.isInteger(units) || units < 1) throw new Fault('LANE_LENGTH', { units });
  if (!Number.isInteger(each) || each < 1) throw new Fault('LANE_LENGTH', { unitsPerCall: each });
  const calls = Math.max(1, Math.floor(units / each));
  const count = Math.min(lanes, calls);
  const lengths = Array.from({ length: count }, (_, i) => {
    return each * (Math.floor(calls / count) + (i < calls % count ? 1 : 0));
  });
  lengths[0] = (lengths[0] ?? 0) + units - each * calls;
  return { seed: random.bytes(32), lengths };
}
