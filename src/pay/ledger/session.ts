/**
 * A session: what one payer has bought from this host and what became of it. Its row is a ledger
 * account with the few facts that are needed to judge the next call.
 * @module
 */
import type { Msat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';

/** What a service promises about repeating its work. */
export type Effect = 'none' | 'once';

/** Calls of one service that were bought together. */
export interface Line {
  readonly service: string;
  readonly calls: number;
  readonly totalMsat: Msat;
}

/** What a session has bought; it grows with each top-up. The calls and totals are of all lines. */
export interface Bought {
  readonly calls: number;
  readonly totalMsat: Msat;
  readonly expiresAtMs: UnixMs;
  /** In the order of the set-up; absent when there is one service. */
  readonly lines?: readonly Line[] | undefined;
}

/** More calls for a session, once they are paid for. */
export interface TopUp {
  readonly session: string;
  /** Made by the payer: 16 bytes, hex. The same id gets the same invoice. */
  readonly id: string;
  readonly service: string;
  readonly calls: number;
  readonly totalMsat: Msat;
  readonly paymentHash: string;
  readonly payByMs: UnixMs;
  /** The session ends then or later, once it is paid. */
  readonly expiresAtMs: UnixMs;
  /** The quote, as it was sent. */
  readonly reply: Uint8Array;
  /** The session has its calls. */
  readonly paid: boolean;
}

/** The terms under which a session was opened; they never change. */
export interface SessionTerms {
  /** 16 bytes, hex. */
  readonly session: string;
  /** With several services their names, joined by commas. */
  readonly service: string;
  /** Absent when there is one service. */
  readonly lines?: readonly Line[] | undefined;
  /**
   * How many lanes it was sold as: then its calls are units of theirs, and no code of a bundle
   * spends them. Absent: a bundle.
   */
  readonly lanes?: number | undefined;
  /** How many calls were bought. */
  readonly calls: number;
  /** What they cost together. */
  readonly totalMsat: Msat;
  /** The invoice's payment hash: 32 bytes, hex. */
  readonly paymentHash: string;
  readonly openedAtMs: UnixMs;
  /** The invoice can be paid until then. */
  readonly payByMs: UnixMs;
  /** Calls are served until then; the credit outlives it. */
  readonly expiresAtMs: UnixMs;
  /** SHA-256 of the set-up message: 32 bytes, hex. The same message gets the same reply. */
  readonly setup: string;
  /** SHA-256 of the payer's public key: 32 bytes, hex. */
  readonly payer: string;
  /** The key of the one-time codes: 32 bytes. Secret. */
  readonly codeKey: Uint8Array;
  /** The signed set-up reply, as it was sent. */
  readonly reply: Uint8Array;
}

/** What a session's numbers are now. */
export interface SessionState {
  /** Received for this session, ever. */
  readonly paidMsat: Msat;
  /** Charged for calls, ever. */
  readonly chargedMsat: Msat;
  readonly chargedCalls: number;
  /** Held by calls under way. */
  readonly reservedMsat: Msat;
  readonly reservedCalls: number;
  /** Set aside by refunds under way. */
  readonly refundingMsat: Msat;
  /** paid - charged - reserved - refunding - refunded - refund fees - expired. */
  readonly creditMsat: Msat;
  /**
   * calls bought - charged - reserved, as many of them as the credit pays for; zero while unpaid.
   */
  readonly callsLeft: number;
  /** The same for each of several services: as if all of the credit went to it. */
  readonly lines?: readonly { readonly service: string; readonly callsLeft: number }[];
  readonly paid: boolean;
}

/**
 * How a request id is named: its number in the session, the payer's lowest unresolved one, and what
 * is asked.
 */
export interface CallRequest {
  readonly n: bigint;
  readonly done: bigint;
  /** First 16 bytes of the request's hash, hex. */
  readonly digest: string;
  /** Which line it is charged to; looked at only where a session has several. */
  readonly service?: string;
}
