/**
 * What a call costs that is paid with ticks, as a host publishes it, and in words.
 * @module
 */
import { z } from 'zod';
import { formatMsat, parseMsat } from '../../base/money/index.ts';
import { hasOutputPrice, type CallPrice, type UnitPrice } from '../../pay/price/index.ts';

const rate = z.number().nonnegative().optional();

/** In units; `quote`: the host says it for each call. */
export const ticksSchema = z
  .object({
    kind: z.enum(['units', 'quote']),
    unit_msat: z.string().regex(/^(0|[1-9]\d{0,18})$/),
    per_call: rate,
    per_input_byte: rate,
    per_output_byte: rate,
    minimum_units: rate,
    maximum_units: rate,
  })
  // Nobody could know what to reserve.
  .refine((ticks) => !ticks.per_output_byte || ticks.maximum_units !== undefined);

/** What a call costs that is paid with ticks, as it is published. */
export type TicksDescription = z.infer<typeof ticksSchema>;

/** The price of a call that is paid with ticks, ready to be published. */
export function ticksToJson(price: CallPrice): TicksDescription {
  const { kind, unitMsat, minimumUnits } = price;
  const head = { kind, unit_msat: `${unitMsat}` };
  if (price.kind === 'quote') return { ...head, minimum_units: minimumUnits };
  const { perCall, perInputByte, perOutputByte, maximumUnits } = price;
  return {
    ...head,
    per_call: perCall,
    per_input_byte: perInputByte,
    per_output_byte: perOutputByte,
    minimum_units: minimumUnits,
    maximum_units: maximumUnits,
  };
}

/** Reads it; undefined when only the host can say what a call costs. @throws Fault `MONEY_RANGE` */
export function ticksFromJson(ticks: TicksDescription): UnitPrice | undefined {
  if (ticks.kind === 'quote') return undefined;
  const { maximum_units: maximumUnits } = ticks;
  return {
    kind: 'units',
    unitMsat: parseMsat(ticks.unit_msat),
    perCall: ticks.per_call ?? 0,
    perInputByte: ticks.per_input_byte ?? 0,
    perOutputByte: ticks.per_output_byte ?? 0,
    minimumUnits: ticks.minimum_units ?? 0,
    ...(maximumUnits === undefined ? {} : { maximumUnits }),
  };
}

/**
 * The price in words: `1 unit a call + 0.1 a byte of the answer, at most 400 units; a unit is 1
 * sat`. @throws Fault `MONEY_RANGE`
 */
export function ticksText(ticks: TicksDescription): string {
  const unit = `a unit is ${formatMsat(parseMsat(ticks.unit_msat))}`;
  const least = ticks.minimum_units ?? 0;
  const bounds = least > 0 ? `, at least ${unitsText(least)}` : '';
  const price = ticksFromJson(ticks);
  if (price === undefined) return `what the host says for each input${bounds}; ${unit}`;
  const { perCall = 0, perInputByte = 0, perOutputByte = 0, maximumUnits } = price;
  const parts = [
    perCall > 0 ? `${unitsText(perCall)} a call` : '',
    perInputByte > 0 ? `${unitsText(perInputByte)} a byte of the input` : '',
    hasOutputPrice(price) ? `${unitsText(perOutputByte)} a byte of the answer` : '',
  ].filter((part) => part !== '');
  const most = maximumUnits === undefined ? '' : `, at most ${unitsText(maximumUnits)}`;
  return `${parts.join(' + ') || '0 units a call'}${bounds}${most}; ${unit}`;
}

function unitsText(units: number): string {
  const number = units.toLocaleString('en-US', { maximumFractionDigits: 6 });
  return `${number} ${units === 1 ? 'unit' : 'units'}`;
}
