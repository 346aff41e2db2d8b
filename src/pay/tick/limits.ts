/** Bounds of tick lanes: the number, why, and what happens at it. @module */

/**
 * Ticks in one lane; a longer one is refused with `LANE_LENGTH`. Making 1e8 takes about a minute.
 */
export const MAX_LANE_TICKS = 100_000_000;
/**
 * Hashes that one call can make a host compute; a tick further ahead is refused with `TICK_STEPS`.
 * 65,536 take about 15 ms.
 */
export const MAX_STEPS = 65_536;
/** Hashes a payer computes before it lets others run while it makes a lane: about 2 ms. */
export const HASHES_PER_TURN = 8_192;
/**
 * Numbers of one lane run from `done` to `done + 63`; a higher one is refused with `CALL_WINDOW`.
 */
export const LANE_WINDOW = 64;
/** Calls of one lane under way at once, those declared resolved too; then `CALL_BUSY`. */
export const MAX_LANE_RUNNING = 64;
/** Entries of one lane: its window, and what runs below it. More in an image is no image. */
export const MAX_LANE_ENTRIES = LANE_WINDOW + MAX_LANE_RUNNING;
/** Lanes of one purchase; more is `LANE_COUNT`. */
export const MAX_LANES = 256;
/**
 * Attempts to make a lost answer again, uncharged, while it is in memory that they were made. The
 * first one that returns an answer uses up all of them; beyond that `CALL_RERUNS`. More than one,
 * since an attempt may fail for our reasons.
 */
export const MAX_RERUNS = 3;
