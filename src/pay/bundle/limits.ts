/**
 * Limits of a bundle's messages.
 * @module
 */

/** Services of one order; more is refused with `SETUP_MALFORMED`. */
export const MAX_ORDER_LINES = 16;
