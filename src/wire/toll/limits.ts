/** Bounds on what a host can make a payer read. @module */

/**
 * Former keys that a host shows, each with two signatures, 2.3 kB in all: sixteen rotations. A
 * payer who pinned an older one pins the new one by hand; sessions that were sold under it go on.
 */
export const MAX_FORMER_KEYS = 16;
/** Stolen keys that a host names, the latest ones: they only make a refusal clearer. */
export const MAX_REVOKED_KEYS = 64;
