/**
 * JSON Schemas of a service: asked of the schema library where it can tell, bounded, and moved into
 * the documents that hold many of them.
 * @module
 */
import { MAX_JSON_DEPTH, parseJson, type Json, type JsonObject } from '../base/json/index.ts';
import { MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH } from './limits.ts';

/** How a library tells its schemas: Standard JSON Schema, version 1. */
export interface JsonSchemaSource {
  readonly input: (options: { readonly target: string }) => unknown;
  readonly output: (options: { readonly target: string }) => unknown;
}

/** JSON Schemas of input and output, as far as there are any. */
export interface JsonSchemas {
  readonly input?: Json;
  readonly output?: Json;
}

/** The version of JSON Schema that is published. */
const TARGET = 'draft-2020-12';

/**
 * What a library says of a schema, from the side of the payer; undefined when it cannot tell, or
 * when that is too large to publish.
 */
export function toldSchema(schema: object, side: 'input' | 'output'): Json | undefined {
  try {
    const { '~standard': standard } = schema as { '~standard': { jsonSchema?: JsonSchemaSource } };
    const told = standard.jsonSchema?.[side]({ target: TARGET });
    const text = JSON.stringify(told);
    const value = parseJson(text);
    return isPublishable(value) ? value : undefined;
  } catch {
    // A date, a transformation: JSON Schema has no word for it.
    return undefined;
  }
}

/** True for a JSON Schema of a size and depth that every payer can read. */
export function isPublishable(schema: Json): boolean {
  const bytes = new TextEncoder().encode(JSON.stringify(schema)).length;
  return bytes <= MAX_SCHEMA_BYTES && depthOf(schema) <= MAX_SCHEMA_DEPTH;
}

function depthOf(value: Json, depth = 0): number {
  if (typeof value !== 'object' || value === null || depth > MAX_JSON_DEPTH) return depth;
  const members: readonly Json[] = Array.isArray(value) ? value : Object.values(value);
  return members.reduce<number>(
    (most, member) => Math.max(most, depthOf(member, depth + 1)),
    depth + 1,
  );
}

/** Keywords of JSON Schema 2020-12 whose value is a schema or a list of schemas. */
const ONE_OR_MORE: ReadonlySet<string> = new Set(
  (
    'additionalItems additionalProperties allOf anyOf contains contentSchema else if items not ' +
    'oneOf prefixItems propertyNames then unevaluatedItems unevaluatedProperties'
  ).split(' '),
);
/** The same for schemas by name. */
const BY_NAME: ReadonlySet<string> = new Set(
  '$defs definitions dependentSchemas patternProperties properties'.split(' '),
);

/**
 * The schema as a part of another document: its references to itself point to `place` there, a URI
 * fragment such as `#/components/schemas/quotes.input`. A schema that is a document of its own
 * keeps its identity nowhere.
 */
export function moveSchema(schema: Json, place: string): Json {
  const moved = moveIn(schema, place);
  if (!isObject(moved)) return moved;
  const { $schema: _schema, $id: _id, ...rest } = moved;
  return rest;
}

function moveIn(schema: Json, place: string): Json {
  if (Array.isArray(schema)) return schema.map((item: Json) => moveIn(item, place));
  if (!isObject(schema)) return schema;
  const members = Object.entries(schema).map(([name, value]): [string, Json] => {
    if (name === '$ref' && typeof value === 'string') return [name, moveReference(value, place)];
    if (ONE_OR_MORE.has(name)) return [name, moveIn(value, place)];
    if (BY_NAME.has(name) && isObject(value)) return [name, mapMembers(value, place)];
    return [name, value];
  });
  return Object.fromEntries(members);
}

function mapMembers(schemas: JsonObject, place: string): Json {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, moveIn(schema, place)]),
  );
}

function moveReference(reference: string, place: string): string {
  return reference === '#' || reference.startsWith('#/')
    ? `${place}${reference.slice(1)}`
    : reference;
}

/** The schema of each property of an object that has a fixed list of them, else undefined. */
export function propertiesOf(schema: Json | undefined): readonly Property[] | undefined {
  if (!isObject(schema) || schema['type'] !== 'object') return undefined;
  const { properties = {}, required = [] } = schema;
  if (!isObject(properties) || !Array.isArray(required)) return undefined;
  const names: readonly Json[] = required;
  return Object.keys(properties).map((name) => ({ name, required: names.includes(name) }));
}

/** A property of an object. */
export interface Property {
  readonly name: string;
  readonly required: boolean;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
