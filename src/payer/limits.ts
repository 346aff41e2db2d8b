/** Bounds that keep a payer safe from a host, and how long it keeps trying. @module */

/** One try of one request. */
export const TRY_TIMEOUT_MS = 35_000;
/**
 * A call is tried again under the same request id for this long, unless the caller says otherwise.
 */
export const CALL_DEADLINE_MS = 90_000;
/**
 * A call that its caller did not name and that has no outcome after this long is given up when its
 * number stands in the way: nobody waits for it any more.
 */
export const ABANDONED_AFTER_MS = 5 * 60_000;
/** Set-ups and questions are tried again for this long. */
export const ASK_DEADLINE_MS = 30_000;
/** The first pause between two tries; it doubles each time. */
export const FIRST_PAUSE_MS = 50;
/** The longest pause between two tries. */
export const LONGEST_PAUSE_MS = 2_000;
/** How long a payment may stay open before the purchase is reported as unknown. */
export const PAY_TIMEOUT_MS = 60_000;
/** An invoice with less than this left is not paid: the payment could arrive too late. */
export const INVOICE_MARGIN_MS = 15_000;
/** A session that ends sooner is not paid for: there would be no time to use it. */
export const MIN_SESSION_LIFE_MS = 3600_000;
/** Routing fees: at most this share of the amount, in millionths, */
export const MAX_FEE_MILLIONTHS = 10_000n;
/** and always at least this much, so that small payments can be routed. */
export const MIN_FEE_LIMIT_MSAT = 5_000n;
/** While a person pays an invoice by hand, the host is asked this often whether it is paid. */
export const BILL_POLL_MS = 1_000;
/** So long after the invoice's expiry the host may still hear of a payment that was in time. */
export const BILL_GRACE_MS = 30_000;
/** How long a refund is waited for; later the same refund id finds out. */
export const REFUND_DEADLINE_MS = 120_000;
/** How long the invoice of a refund is good for: so long a failure may stay uncertain. */
export const REFUND_INVOICE_SECONDS = 600;

/**
 * Hosts for which a process keeps RSA keys; beyond that the oldest are made anew when they are
 * needed.
 */
export const MAX_PAYER_KEYS = 64;
/** Calls of a session that wait for a number; one more is `CALL_BUSY`. Each holds its input. */
export const MAX_WAITING_CALLS = 10_000;
/** Whoever imports a session skips so many numbers at random: 48 bits. A number has 63 at most. */
export const JUMP_BYTES = 6;
/** The last number of a lane; a window above it still fits 32 bits. */
export const LAST_NUMBER = 2 ** 32 - 1 - 64;
/**
 * Times that one try of a call is sent again with another tick, for each stretch of ticks that it
 * needs and besides; a host that goes on asking is `HOST_TERMS`.
 */
export const MAX_TICK_ROUNDS = 8;
/** Numbers of a lane that are recorded at once, before they are used: one write for many calls. */
export const LANE_BLOCK = 4096;
/** Calls that wait for a free number; one more is `CALL_BUSY`. Each holds its input. */
export const MAX_QUEUED_CALLS = 100_000;
/** A process that uses a lane says so for this long at a time; then another one may take it. */
export const LANE_LEASE_MS = 60_000;
/** Lanes of a stream, unless the caller says otherwise. */
export const STREAM_LANES = 4;
