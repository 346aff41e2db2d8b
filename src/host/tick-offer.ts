/**
 * How a service is sold by ticks: what a unit costs, and how many units a call takes.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { canonicalText, type Json } from '../base/json/index.ts';
import type { Msat } from '../base/money/index.ts';
import { unitsOf, type BundlePrice, type CallPrice, type QuotePrice } from '../pay/price/index.ts';

/** What a seller may say; absent, a service of one price for each call is sold at that price. */
export interface TickOptions<Input> {
  readonly price: BundlePrice;
  readonly ticks?: CallPrice<Input> | 'none';
}

/** An offer. */
export interface TickOffer {
  readonly price: CallPrice;
  /**
   * What a call costs, in units. Bytes are those of the input in its canonical form (JCS).
   * @throws Fault `SERVICE_INPUT`, `SERVICE_FAILED`
   */
  readonly unitsOf: (input: Json) => number | Promise<number>;
}

/**
 * The offer of a service; undefined when it is sold by bundles only. Output is not priced by the
 * byte: nobody knows it before the call.
 * @throws Fault `CONFIG_INVALID`
 */
export function tickOffer<Input>(
  { price, ticks }: TickOptions<Input>,
  accept: (input: Json) => unknown,
): TickOffer | undefined {
  if (ticks === 'none' || (ticks === undefined && price.kind !== 'each')) return undefined;
  if (ticks === undefined) {
    const each = price.kind === 'each' ? price.priceMsat : undefined;
    return each && { price: { kind: 'units', unitMsat: each, perCall: 1 }, unitsOf: () => 1 };
  }
  const wrong = ticks.unitMsat <= 0n || (ticks.kind === 'units' && ticks.perOutputByte);
  if (wrong) throw new Fault('CONFIG_INVALID', { problem: 'ticks' });
  if (ticks.kind === 'quote') {
    const quoted = (input: unknown): number => quotedUnits(ticks as QuotePrice, input);
    return {
      price: ticks as CallPrice,
      unitsOf: (input) => {
        const accepted = accept(input);
        return accepted instanceof Promise ? accepted.then(quoted) : quoted(accepted);
      },
    };
  }
  const of = (inputBytes: number): number => unitsOf(ticks, { inputBytes, outputBytes: 0 });
  const base = of(0);
  const perByte = (ticks.perInputByte ?? 0) > 0;
  return {
    price: ticks,
    unitsOf: perByte ? (input) => of(utf8(canonicalText(input)).length) : () => base,
  };
}

/** The seller's own function may fail, as a handler may. @throws Fault `SERVICE_FAILED` */
function quotedUnits(price: QuotePrice, input: unknown): number {
  const quoteMsat = (value: unknown): Msat => {
    const quoted: unknown = price.quoteMsat(value);
    if (quoted instanceof Promise) quoted.catch(() => undefined);
    return quoted as Msat;
  };
  try {
    return unitsOf({ ...price, quoteMsat }, { inputBytes: 0, outputBytes: 0, input });
  } catch (error) {
    throw new Fault('SERVICE_FAILED', { reason: 'the call has no price' }, error);
  }
}
