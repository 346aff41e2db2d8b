/**
 * JSON Schemas as a hostile or careless host might publish them.
 * @module
 */
import fc from 'fast-check';
import type { Json } from '../../src/base/json/index.ts';

const NASTY = [
  '*/ export const x = 1; /*',
  "'; type X = any; '",
  '${`',
  '__proto__',
  'constructor',
  'readonly',
  'new',
  'get',
  '\u2028',
  '\u202e',
  '\\',
  '"',
  "\\'",
  '',
  '@ts-ignore',
  '1',
  'a b',
];

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'node', ...NASTY),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const reference = fc.oneof(
  fc.constantFrom('#', '#/$defs/a', '#/$defs/b', '#/$defs/node', '#/$defs/none', '#/$defs'),
  name.map((text) => `#/$defs/${text}`),
  fc.webUrl(),
);
const types = fc.constantFrom(
  'string',
  'number',
  'integer',
  'boolean',
  'null',
  'array',
  'object',
  'strange',
);

/** Any JSON value where a schema ought to be, and any schema: a few keywords, nested. */
export const anySchema: fc.Arbitrary<Json> = fc.letrec<{ schema: Json; json: Json }>((tie) => {
  const [schema, json] = [tie('schema'), tie('json')];
  const list = fc.array(schema, { maxLength: 3 });
  const named = fc.dictionary(name, schema, { maxKeys: 3 });
  const keywords: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    type: fc.oneof(types, fc.array(types, { maxLength: 3 }), json),
    description: name,
    properties: named,
    required: fc.array(name, { maxLength: 3 }),
    additionalProperties: schema,
    patternProperties: named,
    items: fc.oneof(schema, list),
    prefixItems: list,
    minItems: fc.integer({ min: -1, max: 3 }),
    enum: fc.array(json, { maxLength: 3 }),
    const: json,
    nullable: fc.boolean(),
    anyOf: list,
    oneOf: list,
    allOf: list,
    $ref: reference,
    $defs: named,
  };
  const keyword = fc.oneof(
    ...Object.entries(keywords).map(([key, value]) => fc.tuple(fc.constant(key), value)),
  );
  const object = fc
    .array(keyword, { minLength: 1, maxLength: 4 })
    .map((members) => Object.fromEntries(members) as Json);
  return {
    json: fc.oneof(fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>, name),
    schema: fc.oneof(
      { maxDepth: 5, depthSize: 'max' },
      fc.boolean() as fc.Arbitrary<Json>,
      reference.map((text) => ({ $ref: text })),
      { weight: 8, arbitrary: object },
      json,
    ),
  };
}).schema;
