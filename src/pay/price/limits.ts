/**
 * Limits of prices.
 * @module
 */

/**
 * Calls of one bundle: the seed's bound (quantity < 2^30). A larger number is `SERVICE_QUANTITY`.
 */
export const MAX_CALLS = 2 ** 30 - 1;
/** Units that one call may cost: what a number holds exactly. More is `MONEY_RANGE`. */
export const MAX_UNITS = 2n ** 53n - 1n;
