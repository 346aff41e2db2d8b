/**
 * Bounds on what a peer can make a host do or hold: the number, why, and what happens at it.
 * @module
 */

/** A request body above this is refused with `REQUEST_TOO_LARGE` before it is parsed. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Requests in one JSON-RPC batch; a longer one is refused whole with `REQUEST_TOO_LARGE`. */
export const MAX_BATCH = 64;
/**
 * All answers of one batch together; what does not fit is `CALL_ANSWER_LARGE` and can be asked for
 * again. A batch of repeats costs nothing, so it must not make the host hold much.
 */
export const MAX_BATCH_ANSWER_BYTES = 4 * 1024 * 1024;
/**
 * Calls under way at once; one more is refused with `CALL_BUSY`. Each holds a request and an
 * answer.
 */
export const MAX_RUNNING_CALLS = 1024;
/** Unpaid sessions whose invoice is still open; one more set-up is refused with `SETUP_BUSY`. */
export const MAX_UNPAID_SESSIONS = 1000;
/** The same for one address: nobody can take all places alone. */
export const MAX_UNPAID_PER_ADDRESS = 64;
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
/** How long a handler may take, unless the service says otherwise. */
export const CALL_TIMEOUT_MS = 30_000;
/** How long calls under way may still take when the host is asked to stop. */
export const STOP_GRACE_MS = 5_000;
/** Payments booked in one go. */
export const PAYMENTS_PER_READ = 100;
/** The wallet is asked for payments this often even if it wakes nobody: a wake-up can be lost. */
export const PAYMENT_POLL_MS = 2_000;
/** Characters of an invoice to refund to; longer params are `REQUEST_MALFORMED`. */
export const MAX_INVOICE_TEXT = 7089;
/** What an invoice of a refund must still be good for; else `REFUND_EXPIRED`. */
export const MIN_REFUND_EXPIRY_MS = 60_000;
/**
 * The final CLTV that an invoice of a refund may ask for, a day: whoever holds the payment locks
 * our money for so long. More is `REFUND_CLTV`. Wallets ask for 9 to 144.
 */
export const MAX_REFUND_CLTV_BLOCKS = 144;
/** How long a wallet is waited for when it pays a refund; later it is looked up. */
export const REFUND_PAY_MS = 60_000;
/** How long a request for a refund is kept waiting; then it is told `refunding`. */
export const REFUND_ANSWER_MS = 2_000;
/** After the expiry of its invoice no wallet starts a payment, whatever request arrives late. */
export const REFUND_CERTAIN_MS = 60_000;
/** Refunds under way are looked up this often. */
export const REFUND_POLL_MS = 5_000;
/** Expired credit is swept this often. */
export const SWEEP_MS = 3_600_000;
