/**
 * Refunds: how much of a credit can be paid back, and the transfers that do it.
 * @module
 */
import {
  ZERO_MSAT,
  addMsat,
  maxMsat,
  minMsat,
  msat,
  mulDivCeil,
  mulDivFloor,
  type Msat,
} from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
import { sessionAccount } from './account.ts';
import type { Transfer } from './transfer.ts';

/** Where a refund stands. Kept in the database: append only. */
export const REFUND_STATES = ['refunding', 'refunded', 'failed'] as const;
/** Where a refund stands; `refunded` and `failed` are final. */
export type RefundState = (typeof REFUND_STATES)[number];

/** A refund, named by the payment hash of its invoice: one hash, one refund, ever. */
export interface Refund {
  /** 32 bytes, hex. */
  readonly paymentHash: string;
  /** 16 bytes, hex. */
  readonly session: string;
  /** BOLT 11 text. */
  readonly invoice: string;
  readonly amountMsat: Msat;
  /** Set aside for routing fees. */
  readonly feeLimitMsat: Msat;
  readonly askedAtMs: UnixMs;
  readonly state: RefundState;
  /** What routing cost; zero unless refunded. */
  readonly feeMsat: Msat;
  /** Why it failed: the wallet's code. */
  readonly reason?: string;
}

/** How a refund ended. */
export type RefundEnd =
  | { readonly state: 'refunded'; readonly feeMsat: Msat }
  | { readonly state: 'failed'; readonly reason: string };

const MIN_FEE_LIMIT_MSAT = msat(1000);
const FEE_PERCENT = 1n;

/** F: what is set aside for the routing of a refund: max(1 sat, 1 %), rounded up. */
export function refundFeeLimit(amountMsat: Msat): Msat {
  return maxMsat(MIN_FEE_LIMIT_MSAT, mulDivCeil(amountMsat, FEE_PERCENT, 100n));
}

/** The largest amount that a credit can refund, fees set aside; zero: it is spend-only. */
export function refundableMsat(creditMsat: Msat): Msat {
  if (creditMsat <= MIN_FEE_LIMIT_MSAT) return ZERO_MSAT;
  const flat = msat(creditMsat - MIN_FEE_LIMIT_MSAT);
  return minMsat(flat, mulDivFloor(creditMsat, 100n, 100n + FEE_PERCENT));
}

/** What a refund takes from the credit until it ends. */
export function setAsideMsat({ amountMsat, feeLimitMsat }: Refund): Msat {
  return addMsat(amountMsat, feeLimitMsat);
}

/** The transfers that set a refund aside. */
export function refundTransfers(refund: Refund): readonly Transfer[] {
  const { paymentHash, session, amountMsat, feeLimitMsat, askedAtMs: atMs } = refund;
  const from = { kind: 'pending', debit: sessionAccount(session), atMs } as const;
  return [
    { ...from, id: `refund:${paymentHash}`, credit: 'refunded', amountMsat, reason: 'refund' },
    {
      ...from,
      id: `refund-fee:${paymentHash}`,
      credit: 'refund_fees',
      amountMsat: feeLimitMsat,
      reason: 'refund_fee',
    },
  ];
}

/** The transfers that end it: the amount and the fee have left, or all of it is credit again. */
export function refundEndTransfers(
  refund: Refund,
  end: RefundEnd,
  atMs: UnixMs,
): readonly Transfer[] {
  const paid = end.state === 'refunded';
  return refundTransfers(refund).map((pending) => ({
    ...pending,
    id: `${pending.id}:end`,
    kind: paid ? 'post' : 'void',
    pendingId: pending.id,
    amountMsat:
      paid && pending.reason === 'refund_fee'
        ? minMsat(end.feeMsat, pending.amountMsat)
        : pending.amountMsat,
    atMs,
  }));
}
