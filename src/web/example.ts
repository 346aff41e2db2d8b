/**
 * An example of an input, made of its JSON Schema: where a person puts their own values.
 * @module
 */
import type { Json, JsonObject } from '../base/json/index.ts';

/** What stands in for values; more members than this are left out. */
const MAX_MEMBERS = 8;

/** The required members with a value each, as JSON; `{}` where nothing is known. */
export function exampleInput(schema: Json | undefined): string {
  if (!isObject(schema)) return '{}';
  const { properties, required } = schema;
  if (!isObject(properties) || !Array.isArray(required)) return '{}';
  const names: readonly Json[] = required.slice(0, MAX_MEMBERS);
  const members = names.flatMap((name) =>
    typeof name === 'string' && /^[\w-]{1,32}$/.test(name)
      ? [`${JSON.stringify(name)}: ${exampleOf(properties[name])}`]
      : [],
  );
  return `{${members.join(', ')}}`;
}

function exampleOf(schema: Json | undefined): string {
  const type = isObject(schema) ? schema['type'] : undefined;
  return (typeof type === 'string' ? EXAMPLES[type] : undefined) ?? '"..."';
}

const EXAMPLES: { readonly [type: string]: string } = {
  number: '1',
  integer: '1',
  boolean: 'true',
  array: '[]',
  object: '{}',
  null: 'null',
};

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
