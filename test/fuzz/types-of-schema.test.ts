/**
 * Whatever a host publishes as JSON Schema, the types that are made of it compile: the real
 * compiler says so, about hundreds of schemas at once.
 * @module
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Json } from '../../src/base/json/index.ts';
import { servicesText } from '../../src/cli/services-text.ts';
import type { Description } from '../../src/wire/toll/index.ts';
import { anySchema } from './schemas.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MODULES = 200;

test('types of hostile schemas always compile', () => {
  const seed = Number(process.env['TOLLCALL_SEED'] ?? fc.sample(fc.nat(), 1)[0]);
  const texts = fc.sample(fc.string({ unit: 'binary', maxLength: 40 }), { numRuns: MODULES, seed });
  const pairs = fc.sample(fc.tuple(anySchema, anySchema), { numRuns: MODULES, seed });
  const modules = pairs.map(([input, output], i) =>
    servicesText('https://host.example', description(`${texts[i]} */`, input, output)),
  );
  assert.equal(compile([...modules, ...KNOWN.map((schema) => text(schema))]), '', `seed ${seed}`);
});

test('what is too deep, too long or too wide is unknown, and costs no time', () => {
  let deep: Json = { type: 'string' };
  for (let i = 0; i < 60; i++) deep = { type: 'array', items: deep };
  const long: Json = { enum: Array.from({ length: 5000 }, (_, i) => i) };
  const wide: Json = { allOf: Array.from({ length: 8 }, () => ({ anyOf: KINDS })) };
  const large: Json = { description: 'x'.repeat(100_000), type: 'string' };
  const defs = Object.fromEntries(
    Array.from({ length: 300 }, (_, i): [string, Json] => [
      `d${i}`,
      { anyOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
    ]),
  );
  const doubling: Json = { $ref: '#/$defs/d0', $defs: defs };
  const modules = [deep, long, wide, large, doubling].map((schema) => text(schema));
  for (const made of modules) assert.match(made, /unknown/);
  assert.equal(compile(modules), '');
});

/** Objects that no compiler can merge. */
const KINDS: Json = Array.from({ length: 10 }, (_, i) => ({
  type: 'object',
  properties: { [`k${i}`]: { const: i } },
}));

/** Shapes that are easy to get wrong. */
const KNOWN: readonly Json[] = [
  { $ref: '#' },
  { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' },
  { anyOf: [{ type: 'null' }, { type: 'array', items: { $ref: '#' } }] },
  { allOf: [{ type: 'object', properties: { next: { $ref: '#' } } }, { type: 'object' }] },
  { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'null' } },
  { type: 'array', prefixItems: [true, { enum: [1, null, 'x', [1], { a: 1 }] }], items: false },
  { enum: [1e21, -1, 5e-324, '\u2028', '*/', "'"] },
];

function text(schema: Json): string {
  return servicesText('https://host.example', description('For tests.', schema, true));
}

function description(words: string, input: Json, output: Json): Description {
  const sold = {
    description: words,
    price: { kind: 'each', price_msat: '1' },
    effect: 'once',
    max_calls: 1,
    input,
    output,
  } as const;
  return {
    protocol: 'tollcall-1',
    network: 'regtest',
    host_key: '',
    host_key_fingerprint: '0'.repeat(64),
    services: ['a-b', 'a--b', 'services', 'a', 'input'].map((name) => ({ name, ...sold })),
  };
}

/** What the compiler has to say. */
function compile(modules: readonly string[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-types-'));
  try {
    const files = modules.map((content, i) => {
      const file = join(dir, `services-${i}.ts`);
      writeFileSync(file, content);
      return file;
    });
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
    const flags = ['--ignoreConfig', '--noEmit', '--strict', '--target', 'es2024', '--types', ''];
    const { stdout, stderr } = spawnSync(tsc, [...flags, ...files], { encoding: 'utf8' });
    return `${stdout}${stderr}`.slice(0, 3000);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
