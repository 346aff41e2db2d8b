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
/** How long a refund is waited for; later the same refund id finds out. */
export const REFUND_DEADLINE_MS = 120_000;
/** How long the invoice of a refund is good for: so long a failure may stay uncertain. */
export const REFUND_INVOICE_SECONDS = 600;
