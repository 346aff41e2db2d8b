/**
 * Limits of the stores.
 * @module
 */

/**
 * How long a process of a shared profile waits for another one's transaction; then `STORE_BUSY`.
 */
export const BUSY_TIMEOUT_MS = 10_000;

/** 4 KiB each: 1 TiB. A file that would grow beyond is `STORE_FULL`. */
export const MAX_DATABASE_PAGES = 2 ** 28;

/** Sessions of one page of `sessionsAfter`; a larger limit is cut. */
export const MAX_SESSION_PAGE = 1000;

/** Problems that an audit lists; it stops looking for more. */
export const MAX_AUDIT_PROBLEMS = 100;

/** Numbers taken at once by a payer; more is `BYTES_LENGTH`. */
export const MAX_NUMBER_BLOCK = 64;

/** Characters of a payer's own name for a call; more is `BYTES_LENGTH`. */
export const MAX_CALL_ID = 64;

/** Answers that a payer keeps per session after their calls were resolved; the oldest go first. */
export const MAX_RESOLVED_CALLS = 1024;

/**
 * Sessions whose numbers the writer remembers, about 500 bytes each; at it, it forgets all and
 * reads again what it needs.
 */
export const MAX_WRITTEN_ROWS = 10_000;
