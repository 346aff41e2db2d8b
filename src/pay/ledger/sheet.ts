/**
 * The balance sheet and the equation that must hold at every instant.
 * @module
 */
import { msat, subMsat, sumMsat, type Msat } from '../../base/money/index.ts';
import type { Counters, HostAccount } from './account.ts';

/** Where every received millisatoshi is now. */
export interface Sheet {
  readonly receivedMsat: Msat;
  readonly servedMsat: Msat;
  readonly reservedMsat: Msat;
  readonly creditMsat: Msat;
  readonly refundingMsat: Msat;
  readonly refundedMsat: Msat;
  readonly refundFeesMsat: Msat;
  readonly expiredMsat: Msat;
  readonly unattributedMsat: Msat;
}

/** The sums over all session rows that a sheet is made of. */
export interface SessionTotals extends Counters {
  /** Charged and not in a `serve` transfer yet. */
  readonly unfoldedMsat: Msat;
  /** Reserved by started calls. */
  readonly startedMsat: Msat;
}

/**
 * Conservation: received = served + reserved + credit + refunding + refunded + refund fees +
 * expired + unattributed.
 */
export function isBalanced(sheet: Sheet): boolean {
  const { receivedMsat, ...places } = sheet;
  return receivedMsat === sumMsat(Object.values(places));
}

/** The sheet: the host's accounts, and what the rows hold that is in no transfer yet. */
export function sheetOf(
  accounts: Readonly<Record<HostAccount, Counters>>,
  sessions: SessionTotals,
): Sheet {
  const credited = (name: HostAccount): Msat => accounts[name].creditsPostedMsat;
  const gone = sumMsat([
    sessions.debitsPostedMsat,
    sessions.debitsPendingMsat,
    sessions.unfoldedMsat,
    sessions.startedMsat,
  ]);
  return {
    receivedMsat: accounts.received.debitsPostedMsat,
    servedMsat: sumMsat([credited('served'), sessions.unfoldedMsat]),
    reservedMsat: sessions.startedMsat,
    creditMsat: subMsat(sessions.creditsPostedMsat, gone),
    refundingMsat: sessions.debitsPendingMsat,
    refundedMsat: credited('refunded'),
    refundFeesMsat: credited('refund_fees'),
    expiredMsat: credited('expired'),
    // What is set aside for a session is unattributed until it is posted.
    unattributedMsat: subMsat(credited('unattributed'), accounts.unattributed.debitsPostedMsat),
  };
}

/**
 * The sheet with that much moved from credit to reserved (or back): what is true in memory only.
 */
export function withReserved(sheet: Sheet, moreMsat: bigint): Sheet {
  return {
    ...sheet,
    reservedMsat: msat(sheet.reservedMsat + moreMsat),
    creditMsat: msat(sheet.creditMsat - moreMsat),
  };
}
