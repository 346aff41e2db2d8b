/**
 * What one call costs where that depends on the call: units of a fixed amount, by the call, by the
 * byte, or as the seller's own function says.
 *
 * A bundle is priced by its number of calls, before any input is known, and each of its calls costs
 * an even share. So these prices are for ways of paying that pay by the call.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { maxMsat, msat, type Msat } from '../../base/money/index.ts';
import { MAX_UNITS } from './limits.ts';

/**
 * A call costs whole units: a number for the call, and so many for each byte. At most six decimals
 * of a rate count.
 */
export interface UnitPrice {
  readonly kind: 'units';
  readonly unitMsat: Msat;
  /** Units for each call; 0 if absent. */
  readonly perCall?: number;
  /** Units for each byte of the input as it was sent. */
  readonly perInputByte?: number;
  /** Units for each byte of the answer. Nobody knows them before: needs `maximumUnits`. */
  readonly perOutputByte?: number;
  /** No call costs less. */
  readonly minimumUnits?: number;
  /** No call costs more, whatever its answer. */
  readonly maximumUnits?: number;
}

/** The seller's function says what a call with this input costs, in whole units. */
export interface QuotePrice<Input = unknown> {
  readonly kind: 'quote';
  readonly unitMsat: Msat;
  readonly quoteMsat: (input: Input) => Msat;
  /** No call costs less. */
  readonly minimumUnits?: number;
}

/** A price of single calls. */
export type CallPrice<Input = never> = UnitPrice | QuotePrice<Input>;

/** What is known of a call. Before it ran its output has no bytes. */
export interface CallFacts {
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Accepted by the schema: for a quote. */
  readonly input?: unknown;
}

/**
 * How many units of `unitMsat` a call costs, rounded up, in favour of the host.
 * @throws Fault `CONFIG_INVALID` for a price that is none, `MONEY_RANGE` above 2^53 - 1 units or
 * for a quote that is no amount
 */
export function unitsOf(price: CallPrice, facts: CallFacts): number {
  const minimum = whole(price.minimumUnits ?? 0, 'minimumUnits');
  const cost = price.kind === 'units' ? byRates(price, facts) : byQuote(price, facts);
  const least = cost > minimum ? cost : minimum;
  const maximum = maximumOf(price);
  const units = maximum !== undefined && least > maximum ? maximum : least;
  if (units > MAX_UNITS) throw new Fault('MONEY_RANGE');
  return Number(units);
}

/**
 * The most that a call can cost, known before it runs: where the answer has a price, its maximum.
 * @throws Fault as `unitsOf`; `CONFIG_INVALID` for a price by the byte of the answer without one
 */
export function mostUnitsOf(price: UnitPrice, inputBytes: number): number {
  if (!hasOutputPrice(price)) return unitsOf(price, { inputBytes, outputBytes: 0 });
  const maximum = maximumOf(price);
  if (maximum === undefined) throw new Fault('CONFIG_INVALID', { problem: 'maximumUnits' });
  if (maximum > MAX_UNITS) throw new Fault('MONEY_RANGE');
  return Number(maximum);
}

/** Whether what a call costs depends on its answer. */
export function hasOutputPrice(price: UnitPrice): boolean {
  return (price.perOutputByte ?? 0) > 0;
}

function maximumOf(price: CallPrice): bigint | undefined {
  if (price.kind !== 'units' || price.maximumUnits === undefined) return undefined;
  const maximum = whole(price.maximumUnits, 'maximumUnits');
  if (maximum >= whole(price.minimumUnits ?? 0, 'minimumUnits')) return maximum;
  throw new Fault('CONFIG_INVALID', { problem: 'maximumUnits' });
}

function byRates(price: UnitPrice, facts: CallFacts): bigint {
  const { perCall = 0, perInputByte = 0, perOutputByte = 0 } = price;
  const micros =
    microUnits(perCall, 'perCall') +
    microUnits(perInputByte, 'perInputByte') * whole(facts.inputBytes, 'inputBytes') +
    microUnits(perOutputByte, 'perOutputByte') * whole(facts.outputBytes, 'outputBytes');
  return ceilDiv(micros, MICRO);
}

function byQuote(price: QuotePrice<never>, { input }: CallFacts): bigint {
  const quoted: unknown = price.quoteMsat(input as never);
  if (typeof quoted !== 'bigint') throw new Fault('MONEY_RANGE', { problem: 'not a bigint' });
  const unitMsat = maxMsat(price.unitMsat, msat(1));
  return ceilDiv(msat(quoted), unitMsat);
}

const MICRO = 1_000_000n;

/** A rate in millionths, exactly as it is written in decimal. */
function microUnits(rate: number, problem: string): bigint {
  const micros = Math.round(rate * 1e6);
  if (!Number.isSafeInteger(micros) || micros < 0 || micros / 1e6 !== rate) {
    throw new Fault('CONFIG_INVALID', { problem });
  }
  return BigInt(micros);
}

function whole(value: number, problem: string): bigint {
  if (!Number.isSafeInteger(value) || value < 0) throw new Fault('CONFIG_INVALID', { problem });
  return BigInt(value);
}

function ceilDiv(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}
