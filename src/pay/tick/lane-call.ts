/**
 * What a call over a lane asks for, and how it is judged.
 * @module
 */

/** Why a tick is refused, in order of precedence. Each is a fault code. */
export const TICK_REFUSALS = ['TICK_INDEX', 'TICK_STEPS', 'TICK_INVALID'] as const;
/** Why a tick is refused. */
export type TickRefusal = (typeof TICK_REFUSALS)[number];

/** Why a call over a lane is refused, in order of precedence. Each is a fault code. */
export const LANE_CALL_REFUSALS = [
  'CALL_FORGOTTEN',
  'CALL_WINDOW',
  'CALL_CONFLICT',
  'CALL_OUTCOME_UNKNOWN',
  'CALL_FAILED',
  'CALL_RERUNS',
  'LANE_EXHAUSTED',
  'TICK_SHORT',
  'CALL_BUSY',
] as const;
/** Why a call over a lane is refused. */
export type LaneCallRefusal = (typeof LANE_CALL_REFUSALS)[number];

/** What to do with a call. */
export type LaneJudgement =
  /**
   * `run`: its units are reserved. `join`: it is under way. `repeat`: its answer is held. `rerun`:
   * it was charged, its answer is gone; run it again, uncharged. `read`: it was charged, its answer
   * is stored; then `reran`.
   */
  | { readonly kind: 'run' | 'join' | 'repeat' | 'rerun' | 'read'; readonly entry: number }
  | { readonly kind: 'refused'; readonly code: LaneCallRefusal };

/** What a call asks for. */
export interface LaneCall {
  readonly n: number;
  readonly done: number;
  /** First 16 bytes of the request's hash, as four words. */
  readonly digest: Uint32Array;
  /** What it costs. */
  readonly units: number;
  /** Its service has effect once: it is `started` in images, and its answer is stored. */
  readonly once?: boolean;
}
