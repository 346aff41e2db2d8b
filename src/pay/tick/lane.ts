/**
 * The host's side of a lane, pure: what a tick adds, what a call spends.
 *
 * A tick is value, never authority: credit is the highest index accepted less what was spent, so
 * ticks may arrive in any order, and the tick of a call that failed pays the next one. Who may
 * spend
 * is decided by the call's authenticator (`codes.ts`), never by knowing a tick.
 * @module
 */
import { sameBytes } from '../../base/bytes/index.ts';
import { sha256 } from '../../base/hash/index.ts';
import { MAX_STEPS } from './limits.ts';

/** Where a lane stands. */
export interface LaneState {
  /** The highest tick that was accepted, x(index); the anchor at first. 32 bytes. */
  readonly tip: Uint8Array;
  readonly index: number;
  /** Units that calls have spent; never above `index`. */
  readonly spent: number;
}

/** What a lane cannot be made to do. */
export interface LaneBounds {
  /** Ticks that were funded: more are refused. */
  readonly length: number;
  /** Hashes that one call may cost; at most `MAX_STEPS`. */
  readonly maxSteps: number;
}

/** Why a tick is refused, in order of precedence. */
export const TICK_REFUSALS = ['TICK_INDEX', 'TICK_STEPS', 'TICK_INVALID'] as const;
/** Why a tick is refused. */
export type TickRefusal = (typeof TICK_REFUSALS)[number];

/** What became of a tick. */
export type TickOutcome =
  | { readonly ok: true; readonly lane: LaneState; readonly addedUnits: number }
  | { readonly ok: false; readonly code: TickRefusal };

/** A lane that was just opened. */
export function openLane(anchor: Uint8Array): LaneState {
  return { tip: anchor, index: 0, spent: 0 };
}

/**
 * Accepts a tick. One that is not above the highest adds nothing and costs no hash: its value was
 * in the higher one, so it is not looked at.
 */
export function acceptTick(
  lane: LaneState,
  tick: { readonly index: number; readonly secret: Uint8Array },
  bounds: LaneBounds,
): TickOutcome {
  const { index, secret } = tick;
  if (!Number.isSafeInteger(index) || index < 0 || index > bounds.length)
    return refuse('TICK_INDEX');
  if (index <= lane.index) return { ok: true, lane, addedUnits: 0 };
  const steps = index - lane.index;
  if (steps > Math.min(bounds.maxSteps, MAX_STEPS)) return refuse('TICK_STEPS');
  let link = secret;
  for (let i = 0; i < steps; i++) link = sha256(link);
  if (!sameBytes(link, lane.tip)) return refuse('TICK_INVALID');
  return { ok: true, lane: { ...lane, tip: secret, index }, addedUnits: steps };
}

/** Units that calls can still spend. */
export function laneCredit(lane: LaneState): number {
  return lane.index - lane.spent;
}

/** Spends units; undefined when the lane's credit does not cover them. */
export function spendUnits(lane: LaneState, units: number): LaneState | undefined {
  if (!Number.isSafeInteger(units) || units < 0 || units > laneCredit(lane)) return undefined;
  return { ...lane, spent: lane.spent + units };
}

/**
 * Whether a host's claim to have accepted `index` is true: it must show that tick, and the payer
 * knows its own.
 */
export function claimHolds(own: Uint8Array, shown: Uint8Array): boolean {
  return sameBytes(own, shown);
}

function refuse(code: TickRefusal): TickOutcome {
  return { ok: false, code };
}
