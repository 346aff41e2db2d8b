/**
 * Accounts: four counters each, changed by transfers only.
 * @module
 */
import { ZERO_MSAT, type Msat } from '../../base/money/index.ts';

/**
 * The accounts of the host as a whole. Kept in the database: append only.
 *
 * `received` is debited with what came in; all others are credited with what ended there.
 */
export const HOST_ACCOUNTS = [
  'received',
  'served',
  'refunded',
  'refund_fees',
  'expired',
  'unattributed',
] as const;

/** The name of an account of the host. */
export type HostAccount = (typeof HOST_ACCOUNTS)[number];
/** The name of an account: the host's, or one per session (`session:` and its id in hex). */
export type AccountId = HostAccount | `session:${string}`;

/** What has moved out of an account and into it, ever. They never fall, except pending ones. */
export interface Counters {
  readonly debitsPendingMsat: Msat;
  readonly debitsPostedMsat: Msat;
  readonly creditsPendingMsat: Msat;
  readonly creditsPostedMsat: Msat;
}

/** An account as a transfer sees it. */
export interface Account extends Counters {
  /**
   * What a session owes to calls outside of transfers: charged and not folded yet, or reserved by
   * started calls. Zero for the host's accounts.
   */
  readonly heldMsat: Msat;
}

/** All four at zero. */
export const ZERO_COUNTERS: Counters = {
  debitsPendingMsat: ZERO_MSAT,
  debitsPostedMsat: ZERO_MSAT,
  creditsPendingMsat: ZERO_MSAT,
  creditsPostedMsat: ZERO_MSAT,
};

/** The account of a session. */
export function sessionAccount(session: string): AccountId {
  return `session:${session}`;
}

/** The session that an account belongs to; undefined for the host's accounts. */
export function sessionOfAccount(account: AccountId): string | undefined {
  return account.startsWith('session:') ? account.slice('session:'.length) : undefined;
}

/** What may still be debited; negative when there is an overdraft. `received` has no limit. */
export function availableMsat(account: Account): bigint {
  return (
    account.creditsPostedMsat -
    account.debitsPostedMsat -
    account.debitsPendingMsat -
    account.heldMsat
  );
}
