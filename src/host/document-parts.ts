/**
 * What the machine-readable documents of a host have in common: schemas by name, terms of sale,
 * faults.
 * @module
 */
import { FAULTS, isHostCode, type FaultCode } from '../base/fault/index.ts';
import type { Json, JsonObject } from '../base/json/index.ts';
import { ticksText, type ServiceDescription } from '../wire/toll/index.ts';
import { moveSchema } from './json-schema.ts';

/** The faults that a host may report of these areas (the word before the underscore). */
export function faultsOf(areas: string): readonly FaultCode[] {
  const wanted = new Set(areas.split(' '));
  return (Object.keys(FAULTS) as FaultCode[]).filter(
    (code) => isHostCode(code) && wanted.has(code.slice(0, code.indexOf('_'))),
  );
}

/** `quotes.input` and `quotes.output` of each service, as `components.schemas` has them. */
export function schemasOf(services: readonly ServiceDescription[]): JsonObject {
  const rows = services.flatMap(({ name, input, output }) =>
    Object.entries({ input, output })
      .filter(([, schema]) => schema !== undefined)
      .map(([side, schema]): [string, Json] => {
        const key = `${name}.${side}`;
        return [key, moveSchema(schema as Json, `#/components/schemas/${key}`)];
      }),
  );
  return Object.fromEntries(rows);
}

/** What it is, and what it costs with ticks, in words. */
export function serviceWords({ description, ticks }: ServiceDescription): string {
  return ticks === undefined ? description : `${description}\n\nBy ticks: ${ticksText(ticks)}.`;
}

/** What a service costs and what it may be relied on for. */
export function serviceTerms(service: ServiceDescription): JsonObject {
  const { price, effect, max_calls: calls, ticks } = service;
  return {
    'x-tollcall-price': price,
    'x-tollcall-effect': effect,
    'x-tollcall-max-calls': calls,
    ...(ticks === undefined ? {} : { 'x-tollcall-ticks': ticks as JsonObject }),
  };
}

/** A problem document (RFC 9457) with the members that tollcall adds. */
export function problemSchema(): Json {
  const text: Json = { type: 'string' };
  return {
    type: 'object',
    required: ['type', 'title', 'status', 'code', 'retry', 'money'],
    properties: {
      type: text,
      title: text,
      status: { type: 'integer' },
      detail: text,
      code: { ...text, description: 'Stable; read this one.' },
      retry: {
        enum: ['never', 'same', 'fresh'],
        description: 'What may help: nothing, the same request again, or a new one.',
      },
      money: {
        enum: ['unspent', 'spent', 'unknown'],
        description: "Where the caller's money is.",
      },
      facts: { type: 'object' },
    },
  };
}
