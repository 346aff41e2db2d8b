/**
 * Limits of the books.
 * @module
 */

/** What a host may set; each has a default. */
export interface BooksLimits {
  /**
   * Sessions kept in memory, about 5 kB each. Beyond it the one that was used least recently is
   * dropped and read again from the store when it is needed; one with a call under way stays.
   */
  readonly hotSessions: number;
  /**
   * Bytes of answers kept in memory for repeats. Beyond it the oldest answers go: a repeat of such
   * a call with effect none is then run again, uncharged.
   */
  readonly answerBytes: number;
}

/** 10,000 sessions (50 MB) and 64 MiB of answers. */
export const BOOKS_LIMITS: BooksLimits = { hotSessions: 10_000, answerBytes: 64 * 2 ** 20 };

/** What an answer takes besides its bytes. */
export const ANSWER_OVERHEAD_BYTES = 256;

/**
 * Groups of one commit, besides session images; the rest waits for the next one. Keeps a commit
 * short when thousands of payments are reported at once.
 */
export const MAX_COMMIT_JOBS = 1000;
