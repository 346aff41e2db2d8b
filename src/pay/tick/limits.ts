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
