/** Limits of wallets: the number, why, and what happens at it. @module */

/** Rows of one page of a list; a larger limit is cut, one below 1 is read as 1. */
export const MAX_PAGE = 1000;

/** Bytes of a description (BOLT 11: 1023 words of 5 bits); a longer one is `BYTES_LENGTH`. */
export const MAX_DESCRIPTION_BYTES = 639;

/**
 * Blocks for which a held payment can wait at least, from its arrival until it expires on chain. A
 * payment with fewer is refused by the node.
 */
export const HELD_FINAL_BLOCKS = 144;

/**
 * Blocks before its expiry at which the node itself gives up a payment whose preimage it does not
 * have (LDK's `HTLC_FAIL_BACK_BUFFER`, told with each payment as its claim deadline). Later the
 * payer's side goes on chain, and a claim would race with its timeout.
 */
export const NODE_FAIL_BACK_BLOCKS = 21;

/**
 * A held payment is cancelled this many blocks before the node's own deadline, so 27 before it
 * expires on chain: the row says `cancelled` before the node acts, a `settle` that is accepted
 * has time to be enforced, and nothing is ever lost without a word. From then on `settle` answers
 * `INVOICE_NOT_HELD`.
 */
export const HELD_CANCEL_BLOCKS = 6;

/** How long `settle` waits for the money; after it, it answers `held`: it comes by itself. */
export const SETTLE_WAIT_MS = 10_000;

/** How long `openChannel` waits, unless the caller says otherwise: some blocks. */
export const OPEN_CHANNEL_MS = 3_600_000;

/** Characters of a peer's reason for a refusal; the rest is cut. */
export const MAX_REASON_CHARS = 200;

/**
 * How long the process of an embedded node may take to answer; then it is ended and started again,
 * and what it was asked is `WALLET_STOPPED`: a payment's outcome is unknown and is looked up. What
 * waits for a peer or the chain may take longer, as long as the process answers at all.
 */
export const ANSWER_MS = 60_000;
