/**
 * Limits of prices.
 * @module
 */

/**
 * Calls of one bundle: the seed's bound (quantity < 2^30). A larger number is `SERVICE_QUANTITY`.
 */
export const MAX_CALLS = 2 ** 30 - 1;
