/**
 * The row of a session: its account, and the calls that were charged to it without a transfer each.
 * @module
 */
import { ZERO_MSAT, subMsat, sumMsat, type Msat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
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
  image: { readonly version: bigint; readonly calls: CallsImage },
): ImageRefusal | undefined {
  if (row === undefined) return 'session_unknown';
  if (row.version !== image.version) return 'version_stale';
  const { calls } = image;
  const before = row.calls;
  const backwards =
    calls.chargedMsat < before.chargedMsat ||
    calls.chargedCalls < before.chargedCalls ||
    calls.done < before.done;
  if (backwards) return 'image_backwards';
  if (calls.entries.length > MAX_ENTRIES) return 'image_too_large';
  const reserved = reservedOf(calls.entries);
  const tooMany = calls.chargedCalls + reserved.calls > row.terms.calls;
  if (tooMany || calls.chargedMsat + reserved.msat > row.terms.totalMsat)
    return 'image_over_bought';
  if (availableMsat(accountOfRow({ ...row, calls })) < 0n) return 'image_overdraft';
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
  return {
    paidMsat: counters.creditsPostedMsat,
    chargedMsat,
    chargedCalls,
    reservedMsat,
    reservedCalls,
    creditMsat: creditOf(row, calls),
    callsLeft: paid ? terms.calls - chargedCalls - reservedCalls : 0,
    paid,
  };
}

/**
 * What a session can still spend.
 * @throws Fault `MONEY_RANGE` if it were negative: a broken invariant
 */
export function creditOf(row: LedgerRow, calls: CallsImage): Msat {
  const account = accountOfRow({ ...row, calls });
  const out = sumMsat([account.debitsPostedMsat, account.debitsPendingMsat, account.heldMsat]);
  return subMsat(account.creditsPostedMsat, out);
}
