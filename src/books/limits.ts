/**
 * Limits of the books.
 * @module
 */

import { msat, type Msat } from '../base/money/index.ts';

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
  /** Owed to one payer, open invoices included; a set-up beyond it is `SETUP_PREPAID`. */
  readonly maxPrepaidMsat: Msat;
  /** The same for all payers together: `SETUP_LIABILITY`. */
  readonly maxLiabilityMsat: Msat;
  /** From a payment or refund of a session to its next refund; earlier is `REFUND_EARLY`. */
  readonly refundAfterMs: number;
  /** Refunds under way at once; one more is `REFUND_BUSY`. A session has one. */
  readonly openRefunds: number;
  /** Released and repeated runs of one payer per `BUDGET_WINDOW_MS`; then `CALL_BUDGET`. */
  readonly budgetRuns: number;
  /** The time that they took, the same. */
  readonly budgetWorkMs: number;
}

/**
 * 10,000 sessions (50 MB), 64 MiB of answers, 1,000,000 sat per payer, 1 BTC in all, a minute to
 * the next refund, 64 refunds, and in ten minutes 1,000 runs or as long as one run at a time can
 * take.
 */
export const BOOKS_LIMITS: BooksLimits = {
  hotSessions: 10_000,
  answerBytes: 64 * 2 ** 20,
  maxPrepaidMsat: msat(1_000_000_000n),
  maxLiabilityMsat: msat(100_000_000_000n),
  refundAfterMs: 60_000,
  openRefunds: 64,
  budgetRuns: 1_000,
  budgetWorkMs: 600_000,
};

/** The time in which a full budget of released work drains. */
export const BUDGET_WINDOW_MS = 600_000;
/** Payers whose budgets are remembered; beyond it the one used least recently is forgotten. */
export const MAX_BUDGETS = 10_000;
/** Sessions whose credit expires in one go. */
export const MAX_EXPIRED = 1_000;

/** What an answer takes besides its bytes. */
export const ANSWER_OVERHEAD_BYTES = 256;

/**
 * Groups of one commit, besides session images; the rest waits for the next one. Keeps a commit
 * short when thousands of payments are reported at once.
 */
export const MAX_COMMIT_JOBS = 1000;

/**
 * Messages that wait for one call under way; one more is refused with `CALL_BUSY`. A payer needs
 * one
 * or two, for a repeat; each waiting one holds a place of the host.
 */
export const MAX_JOINERS = 8;
