/**
 * The payer's store: what a payer must remember so that nothing is paid twice and nothing that was
 * paid for is lost. Several processes of one profile share it: every method is one short
 * transaction, durable when its promise resolves.
 *
 * All methods may reject with Fault `STORE_FULL`, `STORE_READONLY`, `STORE_CORRUPT`, `STORE_FAILED`
 * (unknown whether it was written: repeating the same call is safe) or `STORE_BUSY` (another
 * process held the file too long; nothing was written).
 * @module
 */
import type { Msat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';

/**
 * Where a purchase stands. `made`: recorded, nothing was sent to a wallet. `paying`: a wallet may
 * have been asked; only the wallet knows the outcome, look the payment hash up. `paid` is final;
 * `failed` can only become `paid`, when the wallet says so.
 */
export type PurchaseState = 'made' | 'paying' | 'paid' | 'failed';

/** One bundle that this payer buys or has bought. */
export interface Purchase {
  /** Made by the payer before anything is sent: 16 bytes, hex. */
  readonly id: string;
  /** The host as the user names it (URL or name); the same text as in pins. */
  readonly host: string;
  readonly service: string;
  readonly state: PurchaseState;
  /** The host's session id (hex) once the set-up was answered. */
  readonly session?: string;
  /** 32 bytes, hex, once there is an invoice. */
  readonly paymentHash?: string;
  /** What was agreed to be paid; zero until there is an invoice. */
  readonly amountMsat: Msat;
  readonly madeAtMs: UnixMs;
  /** Everything else (keys, invoice, terms), opaque to the store. Secret. */
  readonly record: Uint8Array;
  /** 1 when inserted, plus one with each update. */
  readonly version: number;
}

/** A purchase before it has a version. */
export type NewPurchase = Omit<Purchase, 'version' | 'state'>;

/** What changes in a purchase; what is absent stays. */
export interface PurchaseChange {
  readonly id: string;
  /** The version that this change was derived from. */
  readonly version: number;
  readonly state?: PurchaseState;
  readonly session?: string;
  readonly paymentHash?: string;
  readonly amountMsat?: Msat;
  readonly record?: Uint8Array;
  /** With `paying`: when, and what all payments together may not exceed. */
  readonly spend?: Spend;
}

/** A payment that is about to be made, and the caps on it. */
export interface Spend {
  readonly atMs: UnixMs;
  readonly caps: readonly SpendCap[];
}

/** The most that may be paid since some time, purchases and top-ups that did not fail together. */
export interface SpendCap {
  readonly limitMsat: Msat;
  readonly sinceMs: UnixMs;
  /** Absent: to all hosts. */
  readonly host?: string;
}

/**
 * `ok`: written, with the new row. `stale`: another process changed it first; here is the row as it
 * is, decide again. `unknown`: no such purchase. `refused`: the state cannot follow the present
 * one. `capped`: the amount would exceed a cap; nothing was written.
 */
export type PurchaseUpdate =
  | { readonly kind: 'capped'; readonly cap: SpendCap; readonly spentMsat: Msat }
  | { readonly kind: 'ok' | 'stale' | 'refused'; readonly purchase: Purchase }
  | { readonly kind: 'unknown' };

/** Which purchases to list; each field narrows. */
export interface PurchaseFilter {
  readonly host?: string;
  readonly service?: string;
  readonly states?: readonly PurchaseState[];
}

/** A call to be recorded before it is sent. */
export interface NewCall {
  readonly session: string;
  /** The caller's own name of this logical call: 1 to 64 characters. */
  readonly callId: string;
  /**
   * What is asked, in a form that does not depend on n: two requests are the same if these bytes
   * are.
   */
  readonly request: Uint8Array;
}

/** A call that was recorded and is not resolved yet. */
export interface UnresolvedCall {
  readonly callId: string;
  readonly n: bigint;
  readonly request: Uint8Array;
}

/**
 * - `recorded`: new; send it with this `n` and `done`.
 * - `exists`: recorded before and not resolved; send it again under the same `n`.
 * - `resolved`: resolved before; here is its answer, do not send anything.
 * - `conflict`: this callId was recorded with another request; nothing was written.
 * - `window`: 64 or more numbers are open; nothing was written, resolve some calls first.
 */
export type RecordedCall =
  | {
      readonly kind: 'recorded' | 'exists';
      readonly n: bigint;
      readonly done: bigint;
      readonly request: Uint8Array;
    }
  | { readonly kind: 'resolved'; readonly n: bigint; readonly answer: Uint8Array }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'window'; readonly done: bigint };

/** Where a refund stands, as the payer knows; `refunded` and `failed` are final. */
export type PayerRefundState = 'asked' | 'refunded' | 'failed';

/** A refund that this payer has asked for: the same id is the same refund, also after a crash. */
export interface PayerRefund {
  /** 1 to 64 characters. */
  readonly id: string;
  readonly session: string;
  /** BOLT 11 text; for one of another wallet, only the host can say that it was paid. */
  readonly invoice: string;
  readonly paymentHash: string;
  readonly amountMsat: Msat;
  readonly askedAtMs: UnixMs;
  readonly state: PayerRefundState;
  /** Why it failed: a code. */
  readonly reason?: string;
}

/** What a session still owes an outcome. */
export interface Unresolved {
  /**
   * The lowest number not resolved yet: what each call carries as `done`. It never falls, and no
   * call below it is recorded afterwards.
   */
  readonly done: bigint;
  /** Lowest number first. */
  readonly calls: readonly UnresolvedCall[];
}

/** The key that a host is known by. */
export interface Pin {
  readonly host: string;
  /** SHA-256 of the host's public key: 32 bytes, hex. */
  readonly fingerprint: string;
  readonly pinnedAtMs: UnixMs;
}

/** A session that leaves a profile, or comes to one. */
export interface MovedSession {
  readonly purchase: Purchase;
  /** The lowest number that nobody has taken. */
  readonly next: bigint;
}

/** Who uses a lane, and until when it may. */
export interface LaneLease {
  /** 16 bytes, hex. */
  readonly lane: string;
  /** A process: random, made by itself. */
  readonly holder: string;
  readonly untilMs: UnixMs;
}

/** `held`: another process uses the lane. */
export type TakenLane =
  | { readonly kind: 'ok'; readonly n: number }
  | { readonly kind: 'held'; readonly untilMs: UnixMs };

/** The store of one payer profile. */
export interface PayerStore {
  /** Inserts a purchase in state `made`. A repeat with the same id returns what is stored. */
  insertPurchase(
    purchase: NewPurchase,
  ): Promise<{ readonly kind: 'ok' | 'exists'; readonly purchase: Purchase }>;
  /** Changes a purchase if it still has the version that the change was derived from. */
  updatePurchase(change: PurchaseChange): Promise<PurchaseUpdate>;
  purchase(id: string): Promise<Purchase | undefined>;
  purchaseBySession(session: string): Promise<Purchase | undefined>;
  purchaseByPaymentHash(paymentHash: string): Promise<Purchase | undefined>;
  /** Oldest first. */
  purchases(filter?: PurchaseFilter): Promise<readonly Purchase[]>;

  /**
   * Records a call under the next number before it is sent; idempotent by (session, callId).
   */
  recordCall(call: NewCall): Promise<RecordedCall>;
  /**
   * The outcome is known to the caller and the host may forget it. With an answer the call stays
   * recorded as `resolved` (the last 1,024 of a session are kept); without one its callId is free
   * again (for a call that was refused and not charged). Unknown and repeated ones are ignored.
   */
  resolveCall(session: string, callId: string, answer?: Uint8Array): Promise<void>;
  /** The answer of a call that was resolved with one, here or in another process. */
  answerOf(session: string, callId: string): Promise<Uint8Array | undefined>;
  unresolvedCalls(session: string): Promise<Unresolved>;

  /**
   * A session leaves: from now on nothing of it is recorded here (Fault `PURCHASE_MOVED`). Asked
   * again, the same. Undefined: no such session is paid for here.
   * @throws Fault `PURCHASE_OPEN` while a call of it or a payment for it has no outcome
   */
  giveSession(session: string, atMs: UnixMs): Promise<MovedSession | undefined>;
  /** A session comes. `here`: it never left; nothing was written. */
  takeSession(moved: MovedSession): Promise<'ok' | 'here'>;
  /** Sessions that have left. */
  movedSessions(): Promise<ReadonlySet<string>>;

  /**
   * Takes a lane for a process, or goes on with it. `n`: the first number that was never taken; two
   * processes never get the same one, even if the lease of the first has run out while it sends. A
   * process of this machine that has ended holds nothing any more, whatever its lease says.
   */
  takeLane(lease: LaneLease & { readonly nowMs: UnixMs }): Promise<TakenLane>;
  /** Takes all numbers below `n`, before they are used, and extends the lease. */
  extendLane(lease: LaneLease, n: number): Promise<'ok' | 'lost'>;

  /** Records a refund before it is asked for. A repeat with the same id returns what is stored. */
  insertRefund(refund: Omit<PayerRefund, 'state' | 'reason'>): Promise<PayerRefund>;
  /** The refund has ended; what has ended before stays as it was. Returns what is stored. */
  endRefund(id: string, state: 'refunded' | 'failed', reason?: string): Promise<PayerRefund>;
  refund(id: string): Promise<PayerRefund | undefined>;
  /** The refunds of a session, oldest first. */
  refunds(session: string): Promise<readonly PayerRefund[]>;

  /**
   * Pins a host's key at first use, durably; later returns the pinned one. A fingerprint that
   * differs from the one given is the caller's Fault `HOST_KEY_CHANGED`.
   */
  pin(pin: Pin): Promise<{ readonly first: boolean; readonly fingerprint: string }>;
  /** The pinned key of a host. */
  pinned(host: string): Promise<Pin | undefined>;
  /** Replaces a pin on purpose, if it still is `from`. */
  repin(pin: Pin, from: string): Promise<'ok' | 'stale'>;
  pins(): Promise<readonly Pin[]>;

  close(): Promise<void>;
}
