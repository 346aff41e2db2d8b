/**
 * What a bundle of calls costs, and what each call of it costs.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { ZERO_MSAT, maxMsat, msat, mulDivFloor, type Msat } from '../../base/money/index.ts';
import { MAX_CALLS } from './limits.ts';

/** How the price of a bundle follows from the number of calls. */
export type BundlePrice =
  /** The same for each call. */
  | { readonly kind: 'each'; readonly priceMsat: Msat }
  /** The same whatever the number of calls. */
  | { readonly kind: 'fixed'; readonly totalMsat: Msat }
  /** max(minimum, unit × √calls): many calls get cheaper. */
  | { readonly kind: 'root'; readonly unitMsat: Msat; readonly minimumMsat: Msat };

/** The curve of the pay-per-call seed: max(2000, 1000 × √calls) msat. */
export const SEED_PRICE: BundlePrice = {
  kind: 'root',
  unitMsat: msat(1000),
  minimumMsat: msat(2000),
};

/**
 * What `calls` calls cost together. A root is rounded down to a whole millisatoshi, in favour of
 * the payer.
 * @throws Fault `SERVICE_QUANTITY` unless calls is 1 to 2^30 - 1; `MONEY_RANGE` above 21e6 BTC
 */
export function bundleTotalMsat(price: BundlePrice, calls: number): Msat {
  const count = checkedCalls(calls);
  switch (price.kind) {
    case 'each':
      return mulDivFloor(price.priceMsat, count, 1n);
    case 'fixed':
      return price.totalMsat;
    case 'root':
      return maxMsat(price.minimumMsat, msat(rootFloor(price.unitMsat * price.unitMsat * count)));
  }
}

/**
 * What the next call of a bundle costs: its even share of what is left, rounded down, so the last
 * call gets the rest and all calls together cost exactly the total.
 * @param leftMsat total - charged - reserved
 * @param leftCalls calls bought - charged - reserved, at least 1
 */
export function nextShareMsat(leftMsat: Msat, leftCalls: number): Msat {
  if (leftMsat === ZERO_MSAT) return ZERO_MSAT;
  return mulDivFloor(leftMsat, 1n, checkedCalls(leftCalls));
}

/**
 * How many of the calls left some credit pays for, if each costs its share: all of them unless
 * money was refunded.
 * @param leftMsat total - charged - reserved
 * @param leftCalls calls bought - charged - reserved
 */
export function affordableCalls(leftMsat: Msat, leftCalls: number, creditMsat: Msat): number {
  if (creditMsat >= leftMsat || leftCalls < 1) return leftCalls;
  // The first shares are the quotient; as many as there is remainder, at the end, are one more.
  const calls = BigInt(leftCalls);
  const share = leftMsat / calls;
  const low = calls - (leftMsat % calls);
  if (creditMsat < low * share) return Number(creditMsat / share);
  return Number(low + (creditMsat - low * share) / (share + 1n));
}

/** The largest whole number whose square is at most `value` (Newton, whole numbers only). */
export function rootFloor(value: bigint): bigint {
  if (value < 0n) throw new Fault('MONEY_RANGE');
  if (value < 2n) return value;
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

function checkedCalls(calls: number): bigint {
  if (!Number.isSafeInteger(calls) || calls < 1 || calls > MAX_CALLS) {
    throw new Fault('SERVICE_QUANTITY', { max: MAX_CALLS });
  }
  return BigInt(calls);
}
