/**
 * Every refusal and failure that tollcall can report, in one table.
 *
 * A code is public and never changes its meaning; its title may be reworded. Within an area the
 * order is precedence: when several apply, the first one listed is reported.
 * @module
 */

import { passing, row, type FaultRow } from './row.ts';

/** The table. Codes are `AREA_REASON`. */
export const FAULTS = {
  // Values: a number, some bytes or a text that is not what its name says. Nothing has happened
  // yet.
  MONEY_RANGE: row(
    400,
    'never',
    'unspent',
    'An amount is negative, too large or not a whole number.',
  ),
  BYTES_LENGTH: row(400, 'never', 'unspent', 'A byte string has the wrong length.'),
  BYTES_MALFORMED: row(400, 'never', 'unspent', 'A hex or base64url text does not decode.'),
  JSON_MALFORMED: row(
    400,
    'never',
    'unspent',
    'The JSON text does not parse, repeats a key or nests too deep.',
  ),

  // Requests: refused at the door, before any money is touched.
  REQUEST_TOO_LARGE: row(413, 'never', 'unspent', 'The request is larger than this host accepts.'),
  REQUEST_MALFORMED: row(
    400,
    'never',
    'unspent',
    'The request does not have the form this address takes.',
  ),
  REQUEST_METHOD: row(405, 'never', 'unspent', 'This address does not take that HTTP method.'),
  REQUEST_UNKNOWN: row(404, 'never', 'unspent', 'There is no such address or method here.'),
  REQUEST_MEDIA: row(415, 'never', 'unspent', 'The body must be application/json.'),

  // Services.
  SERVICE_UNKNOWN: row(
    404,
    'never',
    'unspent',
    'This host does not sell that service; see its price list.',
  ),
  SERVICE_QUANTITY: row(
    422,
    'never',
    'unspent',
    'That quantity is not on sale; see the price list for the range.',
  ),
  SERVICE_INPUT: row(422, 'never', 'unspent', 'The input does not fit the schema of the service.'),
  // The handler failed or ran out of time: the reservation was released, the credit is kept. The
  // request id is dead, a repeat is `CALL_FAILED`: ask under a new one.
  SERVICE_FAILED: row(502, 'fresh', 'unspent', 'The service failed; the call was not charged.'),
  SERVICE_TIMEOUT: row(
    504,
    'fresh',
    'unspent',
    'The service took too long; the call was not charged.',
  ),

  // Set-up of a bundle.
  SETUP_MALFORMED: row(
    400,
    'never',
    'unspent',
    'The set-up message does not have the form of the protocol.',
  ),
  SETUP_HOST_KEY: row(
    409,
    'fresh',
    'unspent',
    'The set-up was made for another host key; fetch and check it again.',
  ),
  SETUP_DECRYPT: row(
    400,
    'fresh',
    'unspent',
    'The set-up message does not decrypt with this host key.',
  ),
  SETUP_BUSY: passing(
    429,
    'unspent',
    'Too many unpaid set-ups are open; wait and send the same again.',
  ),

  // The order was answered before, nobody paid in time, and its reply is gone. Whoever did pay has
  // the quote: what was paid is credit of its session.
  SETUP_EXPIRED: row(
    410,
    'fresh',
    'unspent',
    'The invoice of this order has run out; order again with a new message.',
  ),

  // The caps on what is prepaid, before an invoice exists: spend or refund some, then order again.
  SETUP_PREPAID: row(
    429,
    'same',
    'unspent',
    'This payer would have prepaid more than this host holds for one payer.',
  ),
  SETUP_LIABILITY: row(
    503,
    'same',
    'unspent',
    'This host holds as much prepaid money as it wants to; try later.',
  ),

  // Sessions and one-time codes.
  CODE_MALFORMED: row(
    400,
    'never',
    'unspent',
    'The authorization code does not have the form of the protocol.',
  ),
  CODE_MISSING: row(401, 'never', 'unspent', 'The call carries no code; buy a bundle first.'),
  SESSION_UNKNOWN: row(401, 'fresh', 'unspent', 'This host has no such session.'),
  CODE_INVALID: row(401, 'never', 'unspent', 'The authorization code does not match the call.'),
  // Nothing of an encrypted input was looked at: the number is as it was.
  CODE_DECRYPT: row(
    400,
    'never',
    'unspent',
    'The encrypted input does not open with the session key.',
  ),
  SESSION_UNPAID: passing(402, 'unspent', 'The invoice of this session is not paid yet.'),
  SESSION_EXPIRED: row(403, 'fresh', 'unspent', 'The session has expired; its credit is kept.'),
  SESSION_EXHAUSTED: row(
    403,
    'fresh',
    'unspent',
    'All calls of this session are used or reserved; buy more.',
  ),

  // Ticks and their lanes. A tick that is refused adds no credit; what was accepted stays.
  LANE_LENGTH: row(422, 'never', 'unspent', 'A lane cannot have that many ticks.'),
  TICK_INDEX: row(422, 'never', 'unspent', 'The lane has no tick of that number.'),
  // `index` says where the lane stands.
  TICK_STEPS: row(422, 'fresh', 'unspent', 'The tick is too far ahead; send one in between first.'),
  TICK_INVALID: row(401, 'never', 'unspent', 'The tick does not belong to the lane.'),
  // The call costs more than what was revealed: send it again, as it is, with a higher tick.
  TICK_SHORT: row(402, 'fresh', 'unspent', 'The ticks revealed do not pay for the call.'),
  TICK_UNSOLD: row(422, 'never', 'unspent', 'This service is not sold by ticks; buy a bundle.'),
  LANE_COUNT: row(422, 'never', 'unspent', 'A purchase cannot have that many lanes.'),
  LANE_UNKNOWN: row(401, 'fresh', 'unspent', 'This host has no such lane.'),
  // Found by the payer itself; nothing was sent.
  LANE_HELD: row(409, 'same', 'unspent', 'Another process of this profile uses the lanes.'),
  LANE_EXHAUSTED: row(403, 'fresh', 'unspent', 'The lane has no units left; open another one.'),
  // Another process of the host has taken the lane over before the charge was written.
  LANE_MOVED: passing(503, 'unspent', 'The lane is served elsewhere now; send it again.'),
  // Its session was closed, to be refunded; what is left is the credit of the session.
  LANE_CLOSED: row(403, 'fresh', 'unspent', 'The lane is closed; its credit is kept.'),

  // Calls. CALL_FORGOTTEN: the payer itself said the call was resolved.
  CALL_FORGOTTEN: row(410, 'never', 'spent', 'The payer has declared this request id resolved.'),
  CALL_WINDOW: row(
    409,
    'never',
    'unspent',
    'The request id is too far ahead of the lowest unresolved one.',
  ),
  CALL_CONFLICT: row(409, 'fresh', 'unspent', 'This request id was used for another request.'),
  // `effect: once`: its work may have been done. Find out before it is asked under a new id.
  CALL_OUTCOME_UNKNOWN: row(
    500,
    'never',
    'unspent',
    'The call was cut by a crash; it was not charged.',
  ),
  CALL_RERUNS: row(429, 'never', 'spent', 'The answer is gone and was already made again once.'),
  // It ran under this number and was not charged: its price is credit. Ask under a new number.
  CALL_FAILED: row(
    409,
    'fresh',
    'unspent',
    'The call failed under this request id and was not charged; use a new one.',
  ),
  // The call was charged before and its answer is gone; making it again failed. Ask again later.
  CALL_RERUN_FAILED: passing(
    502,
    'spent',
    'The answer is gone and could not be made again now; ask again.',
  ),
  // It was charged; the same call alone, or in a smaller batch, gets the answer.
  CALL_ANSWER_LARGE: row(
    507,
    'same',
    'spent',
    'The answer does not fit into this batch; ask for it alone, at no cost.',
  ),
  // Numbers of this session wait for their outcome: ask those calls again by their callId.
  CALL_UNRESOLVED: passing(
    429,
    'unspent',
    'Too many calls of this session have no outcome yet; ask them again first.',
  ),
  CALL_BUSY: passing(429, 'unspent', 'Too many calls are under way; wait and send the same again.'),
  // Released and repeated work of this payer has used up its budget; it drains with time.
  CALL_BUDGET: row(
    429,
    'same',
    'unspent',
    'Too many calls of this payer failed; wait before more work is tried.',
  ),
  // The payer got no answer: it may have been charged; the same request id finds out, free of
  // charge.
  CALL_UNANSWERED: passing(
    504,
    'unknown',
    'No answer arrived; the same request id fetches it again.',
  ),

  // Refunds. Refused: nothing has moved, the credit is as it was.
  REFUND_INVOICE: row(422, 'fresh', 'unspent', 'The invoice of the refund cannot be read.'),
  REFUND_NETWORK: row(
    422,
    'fresh',
    'unspent',
    'The invoice of the refund is for another Bitcoin network.',
  ),
  REFUND_OWN: row(422, 'fresh', 'unspent', 'A host does not refund to its own invoice.'),
  REFUND_AMOUNT: row(
    422,
    'fresh',
    'unspent',
    'The amount of the refund is zero or differs from that of its invoice.',
  ),
  REFUND_HASH_USED: row(
    409,
    'fresh',
    'unspent',
    'The payment hash was used before; make a new invoice for this refund.',
  ),
  REFUND_EXPIRED: row(
    410,
    'fresh',
    'unspent',
    'The invoice of the refund has expired or is about to; make a new one.',
  ),
  REFUND_LONG: row(
    422,
    'fresh',
    'unspent',
    'The invoice of the refund is good for too long; make one that runs out within a day.',
  ),
  REFUND_CLTV: row(
    422,
    'fresh',
    'unspent',
    'The invoice of the refund could lock the payment for too long.',
  ),
  REFUND_DUST: row(
    422,
    'never',
    'unspent',
    'The credit is below the routing fee set aside; it can be spent only.',
  ),
  REFUND_EXCEEDS: row(
    422,
    'fresh',
    'unspent',
    'The refund and its routing fee are above the credit that is free.',
  ),
  REFUND_EARLY: row(
    429,
    'same',
    'unspent',
    'The last payment or refund of this session is too recent; wait a little.',
  ),
  REFUND_BUSY: passing(429, 'unspent', 'Too many refunds are under way; wait for one to end.'),
  // Set aside, and paid or not: only the wallets know, and are asked again.
  REFUND_PENDING: passing(
    504,
    'unknown',
    'The refund is under way; the same refund id finds out how it ends.',
  ),
  // The payment failed for certain: amount and fee are credit again.
  REFUND_FAILED: row(
    502,
    'fresh',
    'unspent',
    'The refund could not be paid; the money is credit again.',
  ),

  // The host as a whole.
  HOST_STOPPING: passing(503, 'unspent', 'The host is shutting down.'),
  // Nothing is answered unless its charge is durable, so a broken host has charged nothing it did
  // not say.
  HOST_BROKEN: passing(500, 'unknown', 'The host met an internal error and withheld the answer.'),
  // For whoever runs it. What was answered is in the logs: mend what workers say, start again.
  HOST_WORKERS: row(500, 'never', 'unspent', 'A worker of the host cannot run.'),
  HOST_WALLET: passing(503, 'unspent', "The host's Lightning wallet is not available now."),
  HOST_UNREACHABLE: passing(503, 'unspent', 'The host could not be reached.'),
  HOST_FOREIGN: row(
    502,
    'never',
    'unspent',
    'What answers there is no tollcall host, or speaks another version.',
  ),
  HOST_MALFORMED: row(
    502,
    'never',
    'unknown',
    'The host answered with something outside the protocol.',
  ),
  HOST_KEY_CHANGED: row(
    409,
    'never',
    'unspent',
    'The host shows another key than the one that was pinned.',
  ),
  HOST_CERTIFICATE: row(
    409,
    'never',
    'unspent',
    'The CA that was named does not vouch for the key of the host.',
  ),
  HOST_SIGNATURE: row(502, 'never', 'unspent', 'A signature of the host does not verify.'),
  HOST_TERMS: row(502, 'fresh', 'unspent', 'The host offers other terms than those asked for.'),

  // Invoices, as the payer or a wallet sees them.
  INVOICE_MALFORMED: row(400, 'never', 'unspent', 'The text is not a BOLT 11 invoice.'),
  INVOICE_SIGNATURE: row(400, 'never', 'unspent', 'The signature of the invoice is not valid.'),
  INVOICE_FEATURE: row(
    422,
    'never',
    'unspent',
    'The invoice requires a feature that is unknown here.',
  ),
  INVOICE_NETWORK: row(
    422,
    'never',
    'unspent',
    'The invoice is for another Bitcoin network than the wallet.',
  ),
  INVOICE_EXPIRED: row(410, 'fresh', 'unspent', 'The invoice has expired.'),
  INVOICE_AMOUNT: row(
    422,
    'never',
    'unspent',
    'The amount is missing, or differs from that of the invoice.',
  ),
  INVOICE_OWN: row(422, 'never', 'unspent', 'A wallet cannot pay its own invoice.'),
  INVOICE_HASH_USED: row(
    409,
    'never',
    'unspent',
    'The payment hash of the invoice was used before.',
  ),
  INVOICE_UNKNOWN: row(
    404,
    'never',
    'unspent',
    'This wallet has made no invoice with that payment hash.',
  ),
  // Settle what `heldAfter` lists. One that is cancelled or expired never becomes held again.
  INVOICE_NOT_HELD: row(409, 'never', 'unspent', 'No payment is held for this invoice.'),
  INVOICE_SETTLED: row(
    409,
    'never',
    'spent',
    'The payment of this invoice is settled and cannot be cancelled.',
  ),

  // A purchase id names one order for ever: use a new id for another order.
  TOPUP_CONFLICT: row(409, 'never', 'unspent', 'This top-up id was used for another top-up.'),
  TOPUP_REFUNDED: row(409, 'never', 'unspent', 'Something of it was refunded; buy a bundle.'),
  // Exported: whoever imported it has its calls. Import it here to have them back.
  PURCHASE_MOVED: row(409, 'never', 'unspent', 'The session was exported from this profile.'),
  PURCHASE_OPEN: row(409, 'same', 'unspent', 'Something of this session has no outcome yet.'),
  PURCHASE_CONFLICT: row(
    409,
    'never',
    'unspent',
    'This purchase id was used for another order; use a new id.',
  ),

  // Payments. PAYMENT_UNKNOWN: look the payment up later; never pay again on a guess.
  PAYMENT_PRICE: row(402, 'never', 'unspent', 'The price is above the limit that was set.'),
  PAYMENT_SPENT: row(402, 'never', 'unspent', 'The spending limit of this profile is reached.'),
  PAYMENT_FEE: row(
    402,
    'never',
    'unspent',
    'No route within the fee limit; raise the limit to pay.',
  ),
  PAYMENT_NO_ROUTE: row(
    503,
    'same',
    'unspent',
    'No route to the payee; open a channel or try later.',
  ),
  PAYMENT_LIQUIDITY: row(
    503,
    'same',
    'unspent',
    'The channels cannot send this amount; add outbound liquidity.',
  ),
  PAYMENT_REFUSED: row(502, 'fresh', 'unspent', 'The payee refused the payment.'),
  PAYMENT_FAILED: row(502, 'fresh', 'unspent', 'The payment failed for certain.'),
  PAYMENT_UNKNOWN: row(
    504,
    'same',
    'unknown',
    'The payment may still succeed; it is looked up, not repeated.',
  ),

  // Wallets and chains.
  WALLET_MAINNET: row(
    403,
    'never',
    'unspent',
    'The embedded node is for regtest only; use a production wallet.',
  ),
  WALLET_STOPPED: row(
    503,
    'same',
    'unknown',
    'The wallet is stopped or restarting; look the payment up.',
  ),
  WALLET_BROKEN: row(
    500,
    'same',
    'unknown',
    'The wallet met an internal error; look the payment up.',
  ),
  // The funding transaction was never sent: the coins are free again.
  CHANNEL_REFUSED: row(
    502,
    'fresh',
    'unspent',
    'The channel was not opened or closed; the reason says what to change.',
  ),
  // The coins are in the funding transaction: opening again would spend others.
  CHANNEL_UNCONFIRMED: row(
    504,
    'never',
    'spent',
    'The funding transaction waits for a block; the channel is listed and opens by itself.',
  ),
  CHANNEL_UNKNOWN: row(404, 'never', 'unspent', 'The wallet has no channel with that id.'),
  CHAIN_REFUSED: row(422, 'never', 'unspent', 'The chain refused the transaction.'),
  CHAIN_FUNDS: row(
    402,
    'never',
    'unspent',
    'The on-chain wallet does not hold enough confirmed coins.',
  ),

  // Storage. A failed commit withholds every answer that waited for it.
  STORE_OWNED: row(503, 'same', 'unspent', 'Another process owns this data; stop it first.'),
  STORE_BUSY: row(
    503,
    'same',
    'unspent',
    'Another process is writing to this data for too long; try again.',
  ),
  STORE_NEWER: row(500, 'never', 'unspent', 'The data was written by a newer version of tollcall.'),
  STORE_FULL: row(507, 'same', 'unspent', 'The disk is full; free some space and start again.'),
  STORE_READONLY: row(500, 'same', 'unspent', 'The data directory cannot be written.'),
  STORE_CORRUPT: row(500, 'never', 'unknown', 'The data is damaged; restore a backup.'),
  STORE_FAILED: row(
    500,
    'same',
    'unknown',
    'The data could not be written for certain; restart to find out.',
  ),

  // Identity, configuration, command line.
  KEY_MALFORMED: row(
    400,
    'never',
    'unspent',
    'The key file does not hold the expected kind of key.',
  ),
  KEY_EXPOSED: row(
    500,
    'never',
    'unspent',
    'Others can read a private key file, or put another one in its place.',
  ),
  RECEIPT_INVALID: row(422, 'never', 'unspent', 'The receipt does not verify.'),
  CONFIG_INVALID: row(400, 'never', 'unspent', 'The configuration has problems.'),
  // Nothing was started: the fault's `next` is the command that installs it.
  REGTEST_MISSING: row(
    501,
    'never',
    'unspent',
    'The private chain and its Lightning nodes are not installed.',
  ),
  USAGE_INVALID: row(400, 'never', 'unspent', 'The command line is not understood; see --help.'),
} as const satisfies Record<`${Uppercase<string>}_${Uppercase<string>}`, FaultRow>;

/** A stable public code. */
export type FaultCode = keyof typeof FAULTS;
