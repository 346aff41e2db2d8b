/**
 * The wallet port: everything tollcall asks of a Lightning node.
 *
 * Payments are identified by their payment hash. An outcome that is not certain is `pending`, never
 * guessed: it is looked up again until the node knows.
 * @module
 */
import type { Network } from '../../bitcoin/bolt/index.ts';
import type { Msat, Sat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';

/** What a wallet says about itself. */
export interface NodeInfo {
  /** Compressed public key, 33 bytes, hex. */
  readonly nodeId: string;
  readonly network: Network;
  readonly heightBlocks: number;
}

/** What the wallet can spend and receive, as far as it knows now. */
export interface Balance {
  /** Could be sent over Lightning now (the largest sum; fees and reserves come off). */
  readonly sendableMsat: Msat;
  /** Could be received over Lightning now. */
  readonly receivableMsat: Msat;
  /** Confirmed and spendable on chain. */
  readonly onchainSat: Sat;
  /** Ours on chain, and not spendable yet: coins of a block that is too young. */
  readonly immatureSat: Sat;
  /** Ours in open channels, the reserve and channels that cannot be used now included. */
  readonly channelsMsat: Msat;
  /** On its way from closed channels to the chain, before the fees that takes. */
  readonly closingSat: Sat;
}

/** An invoice to make. */
export interface InvoiceRequest {
  /** Absent: the payer chooses the amount. */
  readonly amountMsat?: Msat;
  /** At most 639 bytes of UTF-8. */
  readonly description: string;
  readonly expirySeconds: number;
  /**
   * An external payment hash (32 bytes, hex) makes a hold invoice: the wallet has no preimage, what
   * arrives is held until `settle` or `cancel`.
   */
  readonly paymentHash?: string;
}

/** An invoice that was made. */
export interface CreatedInvoice {
  /** BOLT 11 text. */
  readonly invoice: string;
  /** 32 bytes, hex. */
  readonly paymentHash: string;
  readonly expiresAtMs: UnixMs;
}

/** A payment to make. */
export interface PayRequest {
  /** BOLT 11 text. */
  readonly invoice: string;
  /** Required when the invoice has no amount; else absent or equal to it. */
  readonly amountMsat?: Msat;
  /** The most to pay in routing fees. */
  readonly maxFeeMsat: Msat;
  /**
   * After this long `pay` answers `pending` if the outcome is still open; no new attempts are
   * started later.
   */
  readonly timeoutMs: number;
}

/** Why a payment failed for certain. */
export type PayFailure =
  | 'PAYMENT_FEE'
  | 'PAYMENT_NO_ROUTE'
  | 'PAYMENT_LIQUIDITY'
  | 'PAYMENT_REFUSED'
  | 'PAYMENT_FAILED'
  | 'INVOICE_EXPIRED';

/**
 * An outgoing payment. `paid` is final. `failed` is certain: nothing is under way, and only a new
 * `pay` of the same invoice starts it again.
 */
export type Outgoing =
  | { readonly state: 'pending'; readonly amountMsat: Msat }
  | {
      readonly state: 'paid';
      readonly amountMsat: Msat;
      readonly feeMsat: Msat;
      /** 32 bytes, hex: the proof of payment. */
      readonly preimage: string;
    }
  | {
      readonly state: 'failed';
      readonly amountMsat: Msat;
      readonly reason: PayFailure;
      /** With `PAYMENT_LIQUIDITY`: what was missing. */
      readonly liquidity?: Liquidity;
    };

/** How much a payment needed, and how much the channels could send at that moment. */
export interface Liquidity {
  readonly neededMsat: Msat;
  readonly sendableMsat: Msat;
}

/**
 * An incoming payment, by our own invoice. `paid`, `expired` and `cancelled` are final. `held` also
 * stands for a payment that is settled and not paid yet.
 */
export interface Incoming {
  readonly state: 'open' | 'held' | 'paid' | 'expired' | 'cancelled';
  /** What arrived (may exceed what was asked); zero unless held or paid. */
  readonly receivedMsat: Msat;
  /** When it became paid. */
  readonly paidAtMs?: UnixMs;
}

/** A paid invoice of this wallet, in the order in which payments became final. */
export interface Received {
  /** Position in that order; strictly rising. A subscriber keeps the last one it has dealt with. */
  readonly cursor: bigint;
  readonly paymentHash: string;
  readonly receivedMsat: Msat;
  readonly paidAtMs: UnixMs;
}

/** A payment that waits for `settle` or `cancel`. */
export interface Held {
  /** Position in the order in which payments became held; strictly rising. */
  readonly cursor: bigint;
  readonly paymentHash: string;
  readonly receivedMsat: Msat;
  readonly heldAtMs: UnixMs;
  /** At this height the wallet cancels it: the payer's money must not be lost on chain. */
  readonly cancelHeightBlocks: number;
}

/** An outgoing payment in a list. */
export interface ListedOutgoing {
  /** Position in the order of the first start; a payment that is started again keeps it. */
  readonly cursor: bigint;
  readonly paymentHash: string;
  readonly outgoing: Outgoing;
}

/** An invoice in a list. */
export interface ListedIncoming {
  /** Position in the order in which the invoices were made. */
  readonly cursor: bigint;
  readonly paymentHash: string;
  readonly incoming: Incoming;
}

/**
 * What every Lightning wallet can do. Every method may throw Fault `WALLET_STOPPED` or
 * `WALLET_BROKEN`.
 */
export interface Wallet {
  info(): Promise<NodeInfo>;
  balance(): Promise<Balance>;
  /** @throws Fault `INVOICE_HASH_USED`, `INVOICE_AMOUNT` */
  createInvoice(request: InvoiceRequest): Promise<CreatedInvoice>;
  /**
   * Pays, or goes on with the payment of the same hash: asking twice never pays twice. What was
   * started is answered even after its invoice has expired. What cannot be paid at all is thrown
   * before anything is sent.
   * @throws Fault `INVOICE_MALFORMED`, `INVOICE_SIGNATURE`, `INVOICE_FEATURE`, `INVOICE_NETWORK`,
   * `INVOICE_EXPIRED`, `INVOICE_AMOUNT`, `INVOICE_OWN`
   */
  pay(request: PayRequest): Promise<Outgoing>;
  /** An outgoing payment by its hash (hex); undefined when none was ever started. */
  outgoing(paymentHash: string): Promise<Outgoing | undefined>;
  /** An invoice of ours by its hash (hex); undefined when there is none. */
  incoming(paymentHash: string): Promise<Incoming | undefined>;
  /** Paid invoices after `cursor`, oldest first, at most `limit`. */
  receivedAfter(cursor: bigint, limit: number): Promise<readonly Received[]>;
  /**
   * Calls `wake` soon after something was received; a wake-up only, `receivedAfter` is the truth.
   */
  onReceived(wake: () => void): () => void;
  /** Stops; what is under way stays pending and is found again by looking it up after a restart. */
  close(): Promise<void>;
}

/**
 * A wallet of a whole node: it lists its payments and holds them. Both adapters here are one; a
 * production wallet behind a narrow interface may be a `Wallet` only.
 */
export interface NodeWallet extends Wallet {
  /** Outgoing payments in any state after `cursor`, oldest first; a page as in `limits.ts`. */
  listOutgoing(cursor: bigint, limit: number): Promise<readonly ListedOutgoing[]>;
  /** Invoices in any state after `cursor`, oldest first. */
  listIncoming(cursor: bigint, limit: number): Promise<readonly ListedIncoming[]>;
  /**
   * Takes a held payment with its preimage (32 bytes, hex). Once it has answered, the money comes:
   * the answer is `paid`, or `held` while it is on its way. Asking again is answered the same.
   * @throws Fault `INVOICE_UNKNOWN`, `INVOICE_NOT_HELD` with the state, `BYTES_MALFORMED`,
   * `BYTES_LENGTH`
   */
  settle(preimage: string): Promise<Incoming>;
  /**
   * Sends a held payment back, and refuses what comes later; an open invoice is closed. One that
   * has expired or is cancelled is answered as it is.
   * @throws Fault `INVOICE_UNKNOWN`, `INVOICE_SETTLED`
   */
  cancel(paymentHash: string): Promise<Incoming>;
  /** What is held now and was after `cursor`, oldest first: from zero, everything to decide. */
  heldAfter(cursor: bigint, limit: number): Promise<readonly Held[]>;
  /** Calls `wake` soon after something became held; a wake-up only, `heldAfter` is the truth. */
  onHeld(wake: () => void): () => void;
}
