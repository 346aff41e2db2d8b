/**
 * The row of a session: its account, and the calls that were charged to it without a transfer each.
 * @module
 */
import { ZERO_MSAT, addMsat, msat, subMsat, sumMsat, type Msat } from '../../base/money/index.ts';
import { unixMs, type UnixMs } from '../../base/time/index.ts';
import { affordableCalls } from '../price/index.ts';
import {
  ZERO_COUNTERS,
  availableMsat,
  sessionAccount,
  type Account,
  type Counters,
} from './account.ts';
import { NO_CALLS, reservedOf, type CallsImage, type LineCharge } from './entry.ts';
import { MAX_ENTRIES } from './limits.ts';
import type { Bought, Line, SessionState, SessionTerms, TopUp } from './session.ts';
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
  /** With what top-ups have added; absent while there was none. */
  readonly bought?: Bought;
}

/** The part of a session that decides about money. */
export interface LedgerRow extends SessionNumbers {
  readonly terms: Pick<SessionTerms, 'session' | 'calls' | 'totalMsat' | 'lines'>;
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

/** The row after a top-up was paid for: more calls, and the session ends later. */
export function toppedUp(row: LedgerRow, topUp: TopUp): LedgerRow {
  const before = row.bought ?? row.terms;
  const grown = <T extends Pick<Line, 'calls' | 'totalMsat'>>(from: T): T => ({
    ...from,
    calls: from.calls + topUp.calls,
    totalMsat: addMsat(from.totalMsat, topUp.totalMsat),
  });
  const { calls, totalMsat } = grown(before);
  const expiresAtMs = unixMs(Math.max(row.bought?.expiresAtMs ?? 0, topUp.expiresAtMs));
  const lines = before.lines?.map((line) => (line.service === topUp.service ? grown(line) : line));
  const bought = { calls, totalMsat, expiresAtMs };
  return { ...row, bought: lines === undefined ? bought : { ...bought, lines } };
}

/** True when calls of a service are sold in a session, as a bundle. */
export function sells(
  { service, lines, lanes }: Pick<SessionTerms, 'service' | 'lines' | 'lanes'>,
  name: string,
): boolean {
  if (lanes !== undefined) return false;
  return lines === undefined ? service === name : lines.some((line) => line.service === name);
}

/** What the next call of a line can be paid from. */
export interface LineLeft {
  readonly calls: number;
  readonly msat: Msat;
}

/**
 * What is left to be called, of one line or of a session of one service.
 * @param line the place of the line
 */
export function lineLeft(
  { calls, totalMsat, lines }: Pick<Bought, 'calls' | 'totalMsat' | 'lines'>,
  image: CallsImage,
  line: number | undefined,
): LineLeft {
  const sold = line === undefined ? { calls, totalMsat } : lines?.[line];
  if (sold === undefined) throw new Error('invariant: a call has a line of its session');
  const charged = line === undefined ? image : (image.lines?.[line] ?? NO_CALLS);
  const reserved = reservedOf(image.entries, line);
  return {
    calls: sold.calls - charged.chargedCalls - reserved.calls,
    msat: subMsat(subMsat(sold.totalMsat, charged.chargedMsat), reserved.msat),
  };
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
  readonly lines?: readonly LineCharge[];
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
  const bought = row.bought ?? terms;
  const tooMany = image.chargedCalls + image.calls > bought.calls;
  if (tooMany || image.chargedMsat + image.msat > bought.totalMsat) return 'image_over_bought';
  if (image.lines !== undefined && !linesHold(bought.lines, image.lines))
    return 'image_over_bought';
  const heldMsat = (image.chargedMsat - row.foldedMsat + image.msat) as Msat;
  if (availableMsat({ ...counters, heldMsat }) < 0n) return 'image_overdraft';
  return undefined;
}

/** No line is charged beyond what was bought of it. */
export function linesHold(
  bought: readonly Line[] | undefined,
  charged: readonly LineCharge[],
): boolean {
  return charged.every(({ chargedCalls, chargedMsat }, i) => {
    const line = bought?.[i];
    return line !== undefined && chargedCalls <= line.calls && chargedMsat <= line.totalMsat;
  });
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
  const bought = row.bought ?? terms;
  const running = reservedOf(calls.entries);
  const { chargedMsat, chargedCalls } = row.calls;
  const reservedMsat = sumMsat([subMsat(calls.chargedMsat, chargedMsat), running.msat]);
  const reservedCalls = calls.chargedCalls - chargedCalls + running.calls;
  const paid = counters.creditsPostedMsat >= terms.totalMsat;
  const creditMsat = creditOf(row, calls, running.msat);
  const left = {
    calls: bought.calls - chargedCalls - reservedCalls,
    msat: msat(bought.totalMsat - calls.chargedMsat - running.msat),
  };
  const affordable = ({ calls: count, msat: costMsat }: LineLeft): number =>
    paid ? affordableCalls(costMsat, count, creditMsat) : 0;
  const lines = bought.lines?.map(({ service }, i) => ({
    service,
    callsLeft: affordable(lineLeft(bought, calls, i)),
  }));
  // After a refund several services compete for the credit: so many calls are sure.
  const sure = lines === undefined ? affordable(left) : Math.max(...lines.map((l) => l.callsLeft));
  return {
    paidMsat: counters.creditsPostedMsat,
    chargedMsat,
    chargedCalls,
    reservedMsat,
    reservedCalls,
    refundingMsat: counters.debitsPendingMsat,
    creditMsat,
    callsLeft: paid && creditMsat >= left.msat ? left.calls : sure,
    ...(lines === undefined ? {} : { lines }),
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
