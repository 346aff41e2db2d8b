/**
 * How a service is sold by ticks: what a unit costs, and how many units a call takes.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import { Fault, isFault } from '../base/fault/index.ts';
import { canonicalText, type Json } from '../base/json/index.ts';
import type { Msat } from '../base/money/index.ts';
import {
  hasOutputPrice,
  mostUnitsOf,
  unitsOf,
  type BundlePrice,
  type CallPrice,
  type QuotePrice,
  type UnitPrice,
} from '../pay/price/index.ts';
import { MAX_LANE_TICKS } from '../pay/tick/index.ts';

/** What a seller may say; absent, a service of one price for each call is sold at that price. */
export interface TickOptions<Input> {
  readonly price: BundlePrice;
  readonly ticks?: CallPrice<Input> | 'none';
}

/** An offer. */
export interface TickOffer {
  readonly price: CallPrice;
  /**
   * The most that a call costs, in units. Bytes are those of the input in its canonical form (JCS).
   * @throws Fault `SERVICE_INPUT`, `SERVICE_FAILED`
   */
  readonly unitsOf: (input: Json) => number | Promise<number>;
  /**
   * Where the answer has a price: what a call with this input costs once its answer has so many
   * bytes. Asked before the call runs, for the handler may change what it was given. Without the
   * input, as after a crash, that costs nothing. Absent: it costs what `unitsOf` says.
   */
  readonly byAnswer?: (input: Json | undefined) => (answerBytes: number) => number;
}

/**
 * The offer of a service; undefined when it is sold by bundles only.
 * @throws Fault `CONFIG_INVALID`
 */
export function tickOffer<Input>(
  service: string,
  options: TickOptions<Input>,
  accept: (input: Json) => unknown,
): TickOffer | undefined {
  try {
    return offerOf(options, accept);
  } catch (error) {
    const problem = isFault(error) ? error.facts['problem'] : undefined;
    throw new Fault('CONFIG_INVALID', { service, problem: problem ?? 'ticks' }, error);
  }
}

function offerOf<Input>(
  { price, ticks }: TickOptions<Input>,
  accept: (input: Json) => unknown,
): TickOffer | undefined {
  if (ticks === 'none' || (ticks === undefined && price.kind !== 'each')) return undefined;
  if (ticks === undefined) {
    const each = price.kind === 'each' ? price.priceMsat : undefined;
    return each && { price: { kind: 'units', unitMsat: each, perCall: 1 }, unitsOf: () => 1 };
  }
  if (ticks.unitMsat <= 0n) throw new Fault('CONFIG_INVALID', { problem: 'ticks' });
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
  return byUnits(ticks);
}

/** @throws Fault `CONFIG_INVALID` */
function byUnits(price: UnitPrice): TickOffer {
  const most = mostUnitsOf(price, 0);
  // A call is paid by one lane.
  if (most > MAX_LANE_TICKS) throw new Fault('CONFIG_INVALID', { problem: 'ticks' });
  const inputBytes =
    (price.perInputByte ?? 0) > 0
      ? (input: Json): number => utf8(canonicalText(input)).length
      : undefined;
  if (!hasOutputPrice(price)) {
    return {
      price,
      unitsOf: inputBytes ? (input) => mostUnitsOf(price, inputBytes(input)) : () => most,
    };
  }
  return {
    price,
    unitsOf: () => most,
    byAnswer: (input) => {
      const bytes = input === undefined ? 0 : (inputBytes?.(input) ?? 0);
      return (outputBytes) => unitsOf(price, { inputBytes: bytes, outputBytes });
    },
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
