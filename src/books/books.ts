/**
 * The books: the ledger over the store. One owner per host; every promise about money is kept here.
 * @module
 */
import type { Fault } from '../base/fault/index.ts';
import type { Msat } from '../base/money/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import type {
  CallRequest,
  Effect,
  SessionState,
  SessionTerms,
  Sheet,
} from '../pay/ledger/index.ts';

/** A session as the books know it. */
export interface Session {
  readonly terms: SessionTerms;
  readonly state: SessionState;
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
       * Gives the reservation back as credit; no outcome remains. Whoever joined the call gets
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

/** What became of a payment; `exists`: it was booked before. */
export type Received = 'credited' | 'exists' | 'unattributed';

/** The books of one host. Methods reject with Fault `HOST_BROKEN` after a failed commit. */
export interface Books {
  /** Opens a session durably; the same set-up message gets the session that it opened before. */
  open(terms: SessionTerms): Promise<Session>;
  /** A session by its id (hex). */
  session(session: string): Promise<Session | undefined>;
  /** A session by the hash of its set-up message (hex). */
  sessionBySetup(setup: string): Promise<Session | undefined>;
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
   * expiry), CALL_OUTCOME_UNKNOWN, CALL_RERUNS, SESSION_EXPIRED, SESSION_EXHAUSTED, CALL_BUSY.
   */
  admit(session: string, call: CallRequest, effect: Effect): Promise<Admission>;
  /** The balance sheet, including what is reserved right now. */
  sheet(): Promise<Sheet>;
  /** Waits for what is under way to be durable, then closes the store. */
  close(): Promise<void>;
}
