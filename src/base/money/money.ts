/**
 * Amounts: whole millisatoshis and satoshis as branded bigint, made only here.
 *
 * Overflow, negative amounts and more than 21e6 BTC are refused with `MONEY_RANGE`. Rounding has a
 * name that says in whose favour it goes.
 * @module
 */
import { Fault } from '../fault/index.ts';

/** Millisatoshis, 0 to 2.1e18. */
export type Msat = bigint & { readonly __unit: 'msat' };
/** Satoshis, 0 to 2.1e15. */
export type Sat = bigint & { readonly __unit: 'sat' };

/** All bitcoin there will ever be, in millisatoshis: 21e6 BTC. */
export const MAX_MSAT = 2_100_000_000_000_000_000n as Msat;
/** Nothing. */
export const ZERO_MSAT = 0n as Msat;
const MSAT_PER_SAT = 1000n;

/** An amount in millisatoshis. @throws Fault `MONEY_RANGE` */
export function msat(value: bigint | number): Msat {
  return inRange(whole(value), MAX_MSAT) as Msat;
}

/** An amount in satoshis. @throws Fault `MONEY_RANGE` */
export function sat(value: bigint | number): Sat {
  return inRange(whole(value), MAX_MSAT / MSAT_PER_SAT) as Sat;
}

/**
 * A decimal text (`"2000"`) as millisatoshis; no sign, no leading zero.
 * @throws Fault `MONEY_RANGE`
 */
export function parseMsat(text: unknown): Msat {
  if (typeof text !== 'string' || !/^(0|[1-9]\d{0,18})$/.test(text)) throw new Fault('MONEY_RANGE');
  return msat(BigInt(text));
}

/** a + b. @throws Fault `MONEY_RANGE` above 21e6 BTC */
export function addMsat(a: Msat, b: Msat): Msat {
  return inRange(a + b, MAX_MSAT) as Msat;
}

/** a - b. @throws Fault `MONEY_RANGE` below zero */
export function subMsat(a: Msat, b: Msat): Msat {
  return inRange(a - b, MAX_MSAT) as Msat;
}

/** The sum of a list. @throws Fault `MONEY_RANGE` */
export function sumMsat(amounts: Iterable<Msat>): Msat {
  let total = ZERO_MSAT;
  for (const amount of amounts) total = addMsat(total, amount);
  return total;
}

/** The smaller one. */
export function minMsat(a: Msat, b: Msat): Msat {
  return a < b ? a : b;
}

/** The larger one. */
export function maxMsat(a: Msat, b: Msat): Msat {
  return a > b ? a : b;
}

/**
 * amount * numerator / denominator, rounded down: in favour of who pays.
 * @throws Fault `MONEY_RANGE`
 */
export function mulDivFloor(amount: Msat, numerator: bigint, denominator: bigint): Msat {
  if (numerator < 0n || denominator <= 0n) throw new Fault('MONEY_RANGE');
  return inRange((amount * numerator) / denominator, MAX_MSAT) as Msat;
}

/**
 * amount * numerator / denominator, rounded up: in favour of who is paid.
 * @throws Fault `MONEY_RANGE`
 */
export function mulDivCeil(amount: Msat, numerator: bigint, denominator: bigint): Msat {
  if (numerator < 0n || denominator <= 0n) throw new Fault('MONEY_RANGE');
  return inRange((amount * numerator + denominator - 1n) / denominator, MAX_MSAT) as Msat;
}

/** Satoshis as millisatoshis. */
export function satToMsat(amount: Sat): Msat {
  return inRange(amount * MSAT_PER_SAT, MAX_MSAT) as Msat;
}

/** Millisatoshis as satoshis, rounded down. */
export function msatToSatFloor(amount: Msat): Sat {
  return (amount / MSAT_PER_SAT) as Sat;
}

/** Millisatoshis as satoshis, rounded up. */
export function msatToSatCeil(amount: Msat): Sat {
  return ((amount + MSAT_PER_SAT - 1n) / MSAT_PER_SAT) as Sat;
}

/** For people: `2 sat`, `2.5 sat`, `1,234.567 sat`. */
export function formatMsat(amount: Msat): string {
  const whole = (amount / MSAT_PER_SAT).toString().replaceAll(/\B(?=(\d{3})+$)/g, ',');
  const rest = (amount % MSAT_PER_SAT).toString().padStart(3, '0').replace(/0+$/, '');
  return rest === '' ? `${whole} sat` : `${whole}.${rest} sat`;
}

function whole(value: bigint | number): bigint {
  if (typeof value === 'bigint') return value;
  if (!Number.isSafeInteger(value)) throw new Fault('MONEY_RANGE');
  return BigInt(value);
}

function inRange(value: bigint, max: bigint): bigint {
  if (value < 0n || value > max) throw new Fault('MONEY_RANGE');
  return value;
}
