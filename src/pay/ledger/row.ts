/**
 * The row of a session: its account, and the calls that were charged to it without a transfer each.
 * @module
 */
import { ZERO_MSAT, msat, subMsat, sumMsat, type Msat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
import { affordableCalls } from '../price/index.ts';
import {
  ZERO_COUNTERS,
  availableMsat,
  sessionAccount,
  type Account,
  type Counters,
} from './account.ts';
import { NO_CALLS, reservedOf, type CallsImage } from './entry.ts';
import { MAX_ENTRIES } from './limits.ts';
import type { SessionState, SessionTerms } from './session.ts';
import type { Transfer } from './transfer.ts';

/** What changes in a session. */
export interface SessionNumbers {
  /** Rises with every write; an image is written only on the version that it was made from. */
  readonly version: bigint;
  /** What transfers have done. */
  readonly counters: Counters;
  /** The part of `calls.chargedMsat` that is in `serve` transfers already. */
  readonly foldedMsat: Msat;
  readonly calls: CallsImage;
}

/** The part of a session that decides about money. */
export interface LedgerRow extends SessionNumbers {
  readonly terms: Pick<SessionTerms, 'session' | 'calls' | 'totalMsat'>;
}

/** A session as it is stored. */
export interface SessionRow extends LedgerRow {
  readonly terms: SessionTerms;
}

/** Why the image of a session is refused, in order of precedence. */
export const IMAGE_REFUSALS = [
  'session_unknown',
  'version_stale',
  'image_backwards',
  'image_too_large',
  'image_over_bought',
  'image_overdraft',
] as const;
/** Why the image of a session is refused. */
export type ImageRefusal = (typeof IMAGE_REFUSALS)[number];

/** The row of a session that was just opened. */
export function newRow(terms: SessionTerms): SessionRow {
  return { terms, version: 1n, counters: ZERO_COUNTERS, foldedMsat: ZERO_MSAT, calls: NO_CALLS };
}

/** The session's account, with what its calls hold. */
export function accountOfRow(row: SessionNumbers): Account {
  const unfolded = row.calls.chargedMsat - row.foldedMsat;
  return { ...row.counters, heldMsat: (unfolded + reservedOf(row.calls.entries).msat) as Msat };
}

/** May `calls`, made from `version` of the row, be written over it? Undefined when it may. */
export function checkImage(
  row: LedgerRow | undefined,
  { version, calls }: { readonly version: bigint; readonly calls: CallsImage },
): ImageRefusal | undefined {
  if (row === undefined) return 'session_unknown';
  const entryCount = calls.entries.length;
  return checkImageNumbers(row, { ...calls, version, entryCount, ...reservedOf(calls.entries) });
}

/** The numbers of an image, without its entries. */
export interface ImageNumbers extends Omit<CallsImage, 'entries'> {
  /** Of the row that it was made from. */
  readonly version: bigint;
  readonly entryCount: number;
  /** What its running calls hold. */
  readonly msat: Msat;
  readonly calls: number;
}

/** What an image is checked against: all of a row but the entries. */
export type NumbersRow = Omit<LedgerRow, 'calls'> & {
  readonly calls: Omit<CallsImage, 'entries'>;
};

/** `checkImage` for who has counted the entries already. */
export function checkImageNumbers(row: NumbersRow, image: ImageNumbers): ImageRefusal | undefined {
  if (row.version !== image.version) return 'version_stale';
  const { calls: before, counters, terms } = row;
  const backwards =
    image.chargedMsat < before.chargedMsat ||
    image.chargedCalls < before.chargedCalls ||
    image.done < before.done;
  if (backwards) return 'image_backwards';
  if (image.entryCount > MAX_ENTRIES) return 'image_too_large';
  const tooMany = image.chargedCalls + image.calls > terms.calls;
  if (tooMany || image.chargedMsat + image.msat > terms.totalMsat) return 'image_over_bought';
  const heldMsat = (image.chargedMsat - row.foldedMsat + image.msat) as Msat;
  if (availableMsat({ ...counters, heldMsat }) < 0n) return 'image_overdraft';
  return undefined;
}

/** The `serve` transfer that makes a row's account complete; undefined when it is. */
export function foldOf(row: LedgerRow, atMs: UnixMs): Transfer | undefined {
  const amountMsat = subMsat(row.calls.chargedMsat, row.foldedMsat);
  if (amountMsat === ZERO_MSAT) return undefined;
  const { session } = row.terms;
  return {
    id: `serve:${session}:${row.calls.chargedCalls}`,
    kind: 'posted',
    debit: sessionAccount(session),
    credit: 'served',
    amountMsat,
    reason: 'serve',
    atMs,
  };
}

/**
 * What a session's numbers are: `row` is what is durable, `calls` what is true in memory. What was
 * charged but is not durable yet still counts as reserved.
 */
export function stateOf(row: LedgerRow, calls: CallsImage = row.calls): SessionState {
  const { terms, counters } = row;
  const running = reservedOf(calls.entries);
  const { chargedMsat, chargedCalls } = row.calls;
  const reservedMsat = sumMsat([subMsat(calls.chargedMsat, chargedMsat), running.msat]);
  const reservedCalls = calls.chargedCalls - chargedCalls + running.calls;
  const paid = counters.creditsPostedMsat >= terms.totalMsat;
  const creditMsat = creditOf(row, calls, running.msat);
  const leftMsat = msat(terms.totalMsat - calls.chargedMsat - running.msat);
  const leftCalls = terms.calls - chargedCalls - reservedCalls;
  return {
    paidMsat: counters.creditsPostedMsat,
    chargedMsat,
    chargedCalls,
    reservedMsat,
    reservedCalls,
    refundingMsat: counters.debitsPendingMsat,
    creditMsat,
    callsLeft: paid ? affordableCalls(leftMsat, leftCalls, creditMsat) : 0,
    paid,
  };
}

/** What a session has that is not served and has not left: credit, reserved and refunding. */
export function heldMsat({ counters, calls, foldedMsat }: SessionNumbers): bigint {
  const unfolded = calls.chargedMsat - foldedMsat;
  return counters.creditsPostedMsat - counters.debitsPostedMsat - unfolded;
}

/**
 * What a session can still spend.
 * @param reservedMsat what its running calls hold, for who knows it already
 * @throws Fault `MONEY_RANGE` if it were negative: a broken invariant
 */
export function creditOf(
  { counters, foldedMsat }: LedgerRow,
  calls: CallsImage,
  reservedMsat: Msat = reservedOf(calls.entries).msat,
): Msat {
  const heldMsat = (calls.chargedMsat - foldedMsat + reservedMsat) as Msat;
  return msat(availableMsat({ ...counters, heldMsat }));
}
