/**
 * Bounds on what a peer can make a host do or hold: the number, why, and what happens at it.
 * @module
 */

/** What a host may set; each has a safe default. */
export interface HostLimits {
  /** A request body above this is refused with `REQUEST_TOO_LARGE` before it is parsed. */
  readonly bodyBytes: number;
  /** Requests in one JSON-RPC batch; a longer one is refused whole with `REQUEST_TOO_LARGE`. */
  readonly batchRequests: number;
  /**
   * All answers of one batch together; what does not fit is `CALL_ANSWER_LARGE` and can be asked
   * for again. A batch of repeats costs nothing, so it must not make the host hold much.
   */
  readonly batchAnswerBytes: number;
  /**
   * Calls under way at once; one more is refused with `CALL_BUSY`. Each holds a request and an
   * answer.
   */
  readonly runningCalls: number;
  /** Unpaid sessions whose invoice is still open; one more set-up is refused with `SETUP_BUSY`. */
  readonly unpaidSessions: number;
  /** The same for one address: nobody can take all places alone. */
  readonly unpaidPerAddress: number;
  /** The same for one payer's key, wherever it asks from. */
  readonly unpaidPerPayer: number;
  /** How long a handler may take, unless its service says otherwise; then `SERVICE_TIMEOUT`. */
  readonly callTimeoutMs: number;
  /**
   * How long calls under way may still take when the host is asked to stop; then they are cut,
   * which is not charged.
   */
  readonly stopGraceMs: number;
}

/**
 * Bodies of 1 MiB, batches of 64 with 4 MiB of answers, 1,024 calls under way, 1,000 unpaid
 * sessions (64 for one address, 64 for one payer), 30 s for a call, 5 s to stop.
 */
export const HOST_LIMITS: HostLimits = {
  bodyBytes: 1024 * 1024,
  batchRequests: 64,
  batchAnswerBytes: 4 * 1024 * 1024,
  runningCalls: 1024,
  unpaidSessions: 1000,
  unpaidPerAddress: 64,
  unpaidPerPayer: 64,
  callTimeoutMs: 30_000,
  stopGraceMs: 5_000,
};

/** Calls in one bundle: the counters stay far from any overflow. */
export const MAX_BUNDLE_CALLS = 1_000_000;
/**
 * An answer above this is a failure of the service: it would not fit the memory kept for repeats.
 */
export const MAX_ANSWER_BYTES = 1024 * 1024;
/** How long an invoice can be paid, unless the host says otherwise. */
export const INVOICE_EXPIRY_SECONDS = 600;
/**
 * How long a paid session serves calls, unless the host says otherwise: 30 days. The credit stays.
 */
export const SESSION_LIFE_MS = 30 * 24 * 3600 * 1000;
/** Services that the description of an invoice names. */
export const MAX_INVOICE_LINES = 4;
/** Payments booked in one go. */
export const PAYMENTS_PER_READ = 100;
/** The wallet is asked for payments this often even if it wakes nobody: a wake-up can be lost. */
export const PAYMENT_POLL_MS = 2_000;
/** A wallet that has answered nothing for this long is away: the host is not ready then. */
export const WALLET_AWAY_MS = 10_000;
/** Characters of an invoice to refund to; longer params are `REQUEST_MALFORMED`. */
export const MAX_INVOICE_TEXT = 7089;
/** What an invoice of a refund must still be good for; else `REFUND_EXPIRED`. */
export const MIN_REFUND_EXPIRY_MS = 60_000;
/**
 * The final CLTV that an invoice of a refund may ask for, a day: whoever holds the payment locks
 * our money for so long. More is `REFUND_CLTV`. Wallets ask for 9 to 144.
 */
export const MAX_REFUND_CLTV_BLOCKS = 144;
/** The same with the longest way that its route hints name, two days. */
export const MAX_REFUND_ROUTE_BLOCKS = 288;
/**
 * What an invoice of a refund may be good for: a day and an hour; more is `REFUND_LONG`. Until it
 * has expired nobody can be certain that a payment of it has failed; the refund keeps its place.
 */
export const MAX_REFUND_EXPIRY_MS = 25 * 3600 * 1000;
/** How long a wallet is waited for when it pays a refund; later it is looked up. */
export const REFUND_PAY_MS = 60_000;
/** How long a request for a refund is kept waiting; then it is told `refunding`. */
export const REFUND_ANSWER_MS = 2_000;
/** After the expiry of its invoice no wallet starts a payment, whatever request arrives late. */
export const REFUND_CERTAIN_MS = 60_000;
/** Refunds under way are looked up this often. */
export const REFUND_POLL_MS = 5_000;
/** Unpaid orders and expired credit are swept this often. */
export const SWEEP_MS = 600_000;
/**
 * A JSON Schema in the description, as JSON text: a larger one that the seller gave is
 * `CONFIG_INVALID`, one that the schema library made is left out.
 */
export const MAX_SCHEMA_BYTES = 16 * 1024;
/** The same for how deep it nests: it stands inside of documents that payers read to 64 levels. */
export const MAX_SCHEMA_DEPTH = 40;
/**
 * The whole description, as JSON text: above it a host does not open (`CONFIG_INVALID`). Payers
 * read it before each purchase, and stop reading at 16 MiB.
 */
export const MAX_DESCRIPTION_BYTES = 1024 * 1024;
/** Figures that read the rows of all sessions are read this often at most, whoever looks. */
export const SHEET_EVERY_MS = 5_000;
/** A wallet that does not say its balance in this time has no figures. */
export const WALLET_ASK_MS = 1_000;
/**
 * Unpaid orders of one address together may be this part of what a host wants to owe at most; one
 * more is `SETUP_BUSY`, unless it is the only one.
 */
export const LIABILITY_SHARES = 16n;
/**
 * Lanes of other workers that a worker remembers, about 10 MB; beyond it the oldest is forgotten,
 * and the primary is asked for it again.
 */
export const ELSEWHERE_LANES = 100_000;
/**
 * New calls of one lane in a row that came through one other worker before the lane is let go for
 * that one. Passing a call on costs a few times what serving it does; moving a lane costs a commit
 * of the primary, so it has to be worth many calls. A payer's connections may end at several
 * workers: then there is no such row, and the lane stays.
 */
export const GUEST_CALLS = 64;
/**
 * How often a call looks for its lane while that goes from one worker to another, after pauses that
 * double, 124 ms in all; then it is `LANE_MOVED`, and the payer sends it again.
 */
export const MOVED_ROUNDS = 6;
/** The first of these pauses. */
export const MOVED_FIRST_PAUSE_MS = 4;
/** What a call may take besides its handler that is passed on: the price, the commit, queues. */
export const PASSED_MARGIN_MS = 60_000;
/**
 * At a stop, how long after the grace a call that was passed on is waited for: the other worker
 * says what became of it.
 */
export const PASSED_LEAVE_MS = 500;
