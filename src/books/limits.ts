/**
 * Limits of the books.
 * @module
 */

import { msat, type Msat } from '../base/money/index.ts';
import type { Durability } from './durability.ts';

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
  /**
   * Lanes kept in memory, about 200 bytes each and what their calls in flight take. Beyond it some
   * that were not used lately are dropped and taken from the store again when they are needed.
   */
  readonly hotLanes: number;
  /** When answers of calls over lanes leave. */
  readonly durability: Durability;
  /** Owed to one payer, open invoices included; a set-up beyond it is `SETUP_PREPAID`. */
  readonly maxPrepaidMsat: Msat;
  /** The same for all payers together: `SETUP_LIABILITY`. */
  readonly maxLiabilityMsat: Msat;
  /** From a payment or refund of a session to its next refund; earlier is `REFUND_EARLY`. */
  readonly refundAfterMs: number;
  /** Refunds under way at once; one more is `REFUND_BUSY`. A session has one. */
  readonly openRefunds: number;
  /**
   * The same for one payer's key: whoever holds a payment back keeps its place, for a day at most.
   */
  readonly openRefundsPerPayer: number;
  /**
   * Orders kept after their invoice ran out unpaid, about 700 bytes each: a payment that comes late
   * is still credited. Beyond it the oldest are forgotten, and such a payment is unattributed.
   */
  readonly lapsedOrders: number;
  /** Released and repeated runs of one payer per `BUDGET_WINDOW_MS`; then `CALL_BUDGET`. */
  readonly budgetRuns: number;
  /** The time that they took, the same. */
  readonly budgetWorkMs: number;
}

/**
 * 10,000 sessions (50 MB), 64 MiB of answers each of bundles and lanes, 100,000 lanes (20 MB),
 * answers after their commit, 1,000,000 sat per payer, 1 BTC in all, a minute to the next refund,
 * 64 refunds (4 of one payer), 50,000 orders that nobody paid (35 MB), and in ten minutes 1,000
 * runs or as long as one run at a time can take.
 */
export const BOOKS_LIMITS: BooksLimits = {
  hotSessions: 10_000,
  answerBytes: 64 * 2 ** 20,
  hotLanes: 100_000,
  durability: { kind: 'commit' },
  maxPrepaidMsat: msat(1_000_000_000n),
  maxLiabilityMsat: msat(100_000_000_000n),
  refundAfterMs: 60_000,
  openRefunds: 64,
  openRefundsPerPayer: 4,
  lapsedOrders: 50_000,
  budgetRuns: 1_000,
  budgetWorkMs: 600_000,
};

/**
 * Lanes that one worker may have, for each that it keeps in memory; about 400 bytes each in the
 * primary. It lets go of those that it does not keep, so that two are more than it ever has; beyond
 * it a call over another lane is `CALL_BUSY`.
 */
export const GRANTS_PER_HOT_LANE = 2;
/** Lanes that a worker lets go of in one message: about 100 kB. */
export const MAX_RELEASED = 1_000;

/** The time in which a full budget of released work drains. */
export const BUDGET_WINDOW_MS = 600_000;
/**
 * From the end of an unpaid invoice until the reply to its order, 3 kB, goes: clocks differ. A
 * repeat of the order is `SETUP_EXPIRED` then.
 */
export const REPLY_KEEP_MS = 60_000;
/**
 * From the end of an unpaid invoice until its order may be forgotten wholly. Wallets may allow
 * for clocks and blocks, and take a payment a while after.
 */
export const ORDER_KEEP_MS = 4 * 3600 * 1000;
/**
 * Refunds of a session after which the pause before the next one doubles each time: a refund leaves
 * a row of some kilobytes, also one that fails, and costs the payer nothing.
 */
export const FREE_REFUNDS = 3;
/** The pause doubles so often at most: with a pause of a minute, to 17 hours. */
export const MAX_REFUND_DOUBLINGS = 10;
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

/**
 * How long a service may take to find out what became of a call over a lane that was cut; then it
 * is unknown. Closing the lane waits for it.
 */
export const RECOVER_MS = 10_000;

/** Calls that make a commit worth its price: it is not put off for more. */
export const ENOUGH_CHARGES = 256;
