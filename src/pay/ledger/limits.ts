/**
 * Limits of a session's calls.
 * @module
 */

/**
 * Request ids run from `done` to `done + 63`: what a host must remember about one session. A higher
 * one is refused with `CALL_WINDOW`.
 */
export const CALL_WINDOW_SIZE = 64n;

/**
 * Calls of one session under way at once. Only a payer who declares running calls resolved gets
 * there; the next call is refused with `CALL_BUSY`. Together with the window it bounds a session's
 * entries to 128.
 */
export const MAX_RUNNING_CALLS = 64;

/** Entries of one session, see above. More in a stored row means that it is damaged. */
export const MAX_ENTRIES = Number(CALL_WINDOW_SIZE) + MAX_RUNNING_CALLS;

/** Services of one session; an order with more is refused with `SETUP_MALFORMED`. */
export const MAX_LINES = 16;

/**
 * Calls that a session may have bought in all; a top-up beyond it is refused with
 * `SERVICE_QUANTITY`. What is unpaid meanwhile still fits into 32 bits.
 */
export const MAX_SESSION_CALLS = 1_000_000_000;

/** Characters of a transfer's id. A longer one is refused with `id_invalid`. */
export const MAX_TRANSFER_ID = 100;
