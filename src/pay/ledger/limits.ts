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

/**
 * Attempts to make a lost answer again, uncharged, while the session is in memory. The first one
 * that returns an answer uses up all of them; beyond that `CALL_RERUNS`. More than one, since an
 * attempt may fail for our reasons.
 */
export const MAX_RERUNS = 3;

/** Characters of a transfer's id. A longer one is refused with `id_invalid`. */
export const MAX_TRANSFER_ID = 100;
