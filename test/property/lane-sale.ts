/**
 * The session of lanes that both worlds sell, and how its calls may end.
 * @module
 */
import { msat } from '../../src/base/money/index.ts';
import { seededRandom } from '../../src/base/random/index.ts';
import type { SessionTerms } from '../../src/pay/ledger/index.ts';
import { laneId, makeChain, type LaneTerms } from '../../src/pay/tick/index.ts';
import { hex, termsOf } from './world.ts';

/** What a unit costs: so much that what lanes leave is worth a refund. */
export const UNIT_MSAT = 70n;
/** Units of each lane. */
export const LENGTH = 30;
/** The session. */
export const SESSION = hex(5, 16);

/** The chain of a lane. */
export function chainOf(place: number): ReturnType<typeof makeChain> {
  return makeChain(seededRandom(100 + place).bytes(32), LENGTH);
}

/** The terms of so many lanes. */
export function laneTermsOf(lanes: number): readonly LaneTerms[] {
  return Array.from({ length: lanes }, (_, place) => ({
    lane: laneId(SESSION, place),
    session: SESSION,
    place,
    anchor: chainOf(place).anchor,
    length: LENGTH,
    unitMsat: msat(UNIT_MSAT),
  }));
}

/** The terms of their session. */
export function saleOf(lanes: number): SessionTerms {
  const calls = LENGTH * lanes;
  const totalMsat = msat(UNIT_MSAT * BigInt(calls));
  return { ...termsOf(0), session: SESSION, lanes, calls, totalMsat };
}

/** Faults after which the same call is sent again. */
export const PASSING = new Set(['LANE_MOVED', 'CALL_BUSY', 'SERVICE_FAILED', 'CALL_BUDGET']);
/** Faults after which a number is dead, uncharged. */
export const DEAD = new Set(['CALL_FAILED', 'CALL_OUTCOME_UNKNOWN']);
/** Faults after which a call is over. */
export const FINAL = new Set([...DEAD, 'CALL_RERUNS', 'LANE_CLOSED']);
