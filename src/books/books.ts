/**
 * The books: the ledger over the store. One owner per host; every promise about money is kept here.
 * @module
 */
import type { Fault } from '../base/fault/index.ts';
import type { Msat } from '../base/money/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import type {
  Bought,
  CallRequest,
  Effect,
  Refund,
  RefundEnd,
  SessionState,
  SessionTerms,
  Sheet,
  TopUp,
} from '../pay/ledger/index.ts';
import type { LaneTerms } from '../pay/tick/index.ts';
import type { LaneOwners } from './lane-owners.ts';
import type { Lanes } from './lanes.ts';
import type { RefundTotals } from '../port/store/index.ts';
import type { BooksLimits } from './limits.ts';
import type { Recover } from './recovered.ts';
import type { Order } from './unpaid.ts';

/** A session as the books know it. */
export interface Session {
  readonly terms: SessionTerms;
  /** What it has bought, with its top-ups. */
  readonly bought: Bought;
  readonly state: SessionState;
}

/** A session in memory; its state is that of the moment when it was asked for. */
export interface HeldSession extends Session {
  readonly paid: boolean;
}

/** An answer as it was first given. */
export interface Answer {
  readonly body: Uint8Array;
  /** What the call was charged when it was first answered. */
  readonly chargedMsat: Msat;
}

/** What to do with a call that was admitted. */
export type Admission =
  /** Run it: its price is reserved. Exactly one of `charge` and `release` must follow. */
  | {
      readonly kind: 'run';
      readonly priceMsat: Msat;
      /** Resolves once the charge is durable; only then may the answer leave. */
      charge(body: Uint8Array): Promise<Answer>;
      /**
       * Gives the reservation back as credit; its number never runs again. Whoever joined the call
       * gets
       * `reason` (by default Fault `SERVICE_FAILED`).
       */
      release(reason?: Fault): Promise<void>;
    }
  /** It was charged before and its answer is gone: run it again, uncharged. */
  | {
      readonly kind: 'rerun';
      answered(body: Uint8Array): Promise<Answer>;
      /**
       * It made no answer; whoever joined it gets `reason`. It may be tried again, twice at most.
       */
      failed(reason?: Fault): void;
    }
  /** It was answered before, or is being answered now: the same bytes, not charged again. */
  | { readonly kind: 'repeat'; readonly answer: Promise<Answer> };

/** Money that came in, as the wallet reports it. */
export interface Payment {
  /** 32 bytes, hex. */
  readonly paymentHash: string;
  readonly receivedMsat: Msat;
  readonly paidAtMs: UnixMs;
  /** The wallet's position after this payment. */
  readonly cursor: bigint;
}

/** A refund that is asked for; who asks was checked. */
export type RefundRequest = Pick<Refund, 'session' | 'paymentHash' | 'invoice' | 'amountMsat'>;

/** Room for one more session, until it is opened or given up. */
export interface Room {
  leave(): void;
}

/** What became of a payment; `exists`: it was booked before. */
export type Received = 'credited' | 'exists' | 'unattributed';

/** The books of one host. Methods reject with Fault `HOST_BROKEN` after a failed commit. */
export interface Books {
  /** What the host has set. */
  readonly limits: BooksLimits;
  /** Who pays with ticks. */
  readonly lanes: Lanes;
  /** The workers that serve lanes in the place of this process. */
  readonly owners: LaneOwners;
  /**
   * From now on this is asked before a cut call is answered `CALL_OUTCOME_UNKNOWN`. What was done
   * is charged and answered, what was not done is run; each if the credit still pays for it.
   */
  recoverWith(recover: Recover): void;
  /** Opens a session durably; the same set-up message gets the session that it opened before. */
  open(terms: SessionTerms, lanes?: readonly LaneTerms[]): Promise<Session>;
  /**
   * Writes a top-up down, before its invoice goes out; the same id gets the one that was written
   * before. Once its invoice is paid, the session has more calls, in the transaction that books the
   * payment.
   */
  topUp(topUp: TopUp): Promise<TopUp>;
  /** A top-up by the payer's id. */
  topUpOf(session: string, id: string): Promise<TopUp | undefined>;
  /** A session by its id (hex). */
  session(session: string): Promise<Session | undefined>;
  /** A session that is in memory. Undefined says nothing: ask `session`. */
  sessionNow(session: string): HeldSession | undefined;
  /** A session by the hash of its set-up message (hex). */
  sessionBySetup(setup: string): Promise<Session | undefined>;
  /**
   * Forgets what orders that nobody paid take in the file, once their invoice has run out: first
   * the reply, and of the oldest ones everything. Bring in what the wallet has received before.
   */
  forgetUnpaid(): Promise<void>;
  /** Refuses when nothing can be booked. @throws Fault `HOST_BROKEN`, `HOST_STOPPING` */
  assertOpen(): void;
  /** Unpaid sessions whose invoice can still be paid. */
  unpaidCount(nowMs: UnixMs): number;
  /**
   * Books a payment once, however often it is reported; `cursor` is the wallet's position after it.
   * A payment that belongs to no session is unattributed.
   */
  received(payment: Payment): Promise<Received>;
  /** The wallet position up to which payments are booked. */
  walletCursor(): bigint;
  /**
   * Admits a call, in order of precedence of refusals: SESSION_UNKNOWN, SESSION_UNPAID,
   * CALL_FORGOTTEN, CALL_WINDOW, CALL_CONFLICT, (repeats and reruns are admitted here, even after
   * expiry), CALL_OUTCOME_UNKNOWN, CALL_RERUNS, SESSION_EXPIRED, SESSION_EXHAUSTED, CALL_BUSY,
   * CALL_BUDGET. Without an effect, as the service is sold no more, what was charged is answered
   * again, and what would have to run is SERVICE_UNKNOWN or CALL_RERUN_FAILED.
   */
  admit(session: string, call: CallRequest, effect: Effect | undefined): Promise<Admission>;
  /** `admit` without a promise where nothing is to be waited for; its faults are thrown at once. */
  admitNow(
    session: string,
    call: CallRequest,
    effect: Effect | undefined,
  ): Admission | Promise<Admission>;
  /**
   * Sets a refund aside, durably; the same request gets the refund as it is now.
   * @throws Fault `REFUND_HASH_USED`, `SESSION_UNPAID`, `REFUND_DUST`, `REFUND_EXCEEDS`,
   * `REFUND_EARLY`, `REFUND_BUSY`
   */
  refund(request: RefundRequest): Promise<Refund>;
  /** A refund was paid, or failed for certain: its money leaves, or is credit again. Once. */
  refundEnded(paymentHash: string, end: RefundEnd): Promise<Refund>;
  /** A refund by its payment hash. */
  refundOf(paymentHash: string): Promise<Refund | undefined>;
  /** Refunds that were set aside and have not ended, oldest first. */
  openRefunds(): Promise<readonly Refund[]>;
  /** What the refunds of a session have moved. */
  refundTotals(session: string): Promise<RefundTotals>;
  /**
   * Asks for room under the caps before an invoice is made; leave it when the session is open or
   * nothing came of it.
   * @throws Fault `SETUP_PREPAID`, `SETUP_LIABILITY`
   */
  room(order: Order): Promise<Room>;
  /**
   * Moves the credit of sessions that expired before `beforeMs` to `expired`; gives how many. Those
   * with a call or a refund under way are left for the next time.
   */
  expireCredit(beforeMs: UnixMs): Promise<number>;
  /** The balance sheet, including what is reserved right now. */
  sheet(): Promise<Sheet>;
  /** Waits for what is under way to be durable, then closes the store. */
  close(): Promise<void>;
}
