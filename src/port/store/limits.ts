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

/** Rows of one page of `sessionsAfter` and `transfersAfter`; a larger limit is cut. */
export const MAX_SESSION_PAGE = 1000;

/** Problems that an audit lists; it stops looking for more. */
export const MAX_AUDIT_PROBLEMS = 100;

/** Characters of a payer's own name for a call; more is `BYTES_LENGTH`. */
export const MAX_CALL_ID = 64;

/** Answers that a payer keeps per session after their calls were resolved; the oldest go first. */
export const MAX_RESOLVED_CALLS = 1024;

/**
 * Sessions, and lanes, whose numbers the writer remembers, about 700 bytes each; at it, it forgets
 * those that are in the database as they are, and reads again what it needs.
 */
export const MAX_WRITTEN_ROWS = 10_000;

/**
 * Both halves of a spend log, and of the log of each worker; when one is full, what it holds goes
 * into the database. A worker remembers the last image of each lane that is ahead of the database,
 * at most what its log holds; when both halves are full, commits wait.
 */
export const SPEND_LOG_BYTES = 16 << 20;
/** A smaller log is made that large: the largest image fits into each half. */
export const MIN_LOG_BYTES = 64 << 10;
/** What disks write as a whole; a block begins on one. */
export const LOG_PAGE_BYTES = 4096;
/** Bytes of images in one block of a log; more are several. */
export const MAX_BLOCK_BYTES = 256 << 10;
/**
 * Rows folded between two commits while the other half of the log is not folded yet, a few
 * milliseconds; twice as many as the commit had images if that is more. Also lanes in one fold of a
 * worker, which is one message to the primary: at most 1.6 MB.
 */
export const FOLD_SLICE = 512;
