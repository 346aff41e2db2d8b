/**
 * What strangers send: values, texts and bytes for the fuzz tests, and the one promise they check.
 * @module
 */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { isFault } from '../../src/base/fault/index.ts';
import { parseJson, type Json, type JsonObject } from '../../src/base/json/index.ts';

/** Runs a parser of foreign input: it may return or throw a Fault, and nothing else. */
export function onlyFaults<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    assert.ok(
      isFault(error),
      `not a Fault: ${error instanceof Error ? error.stack : String(error)}`,
    );
    assert.ok(error.message.length < 10_000, 'a message without end');
    return undefined;
  }
}

/** Words that mean something to JavaScript, to a terminal or to a parser. */
const words = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  'valueOf',
  'toJSON',
  'then',
  'length',
  '',
  '\u0000',
  '\u001b[2J',
  '\r\n',
  '\u202e',
  '\ufeff',
  '-1',
  '1e400',
  '9'.repeat(400),
  'A'.repeat(5000),
);

/** Texts of all kinds. */
export const texts: fc.Arbitrary<string> = fc.oneof(
  words,
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.base64String(),
);

/** Bytes of all kinds, some of them JSON or nearly so. */
export const bytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .uint8Array({ maxLength: 300 })
    .map((some) => some.map((byte) => JSONISH.charCodeAt(byte % 24))),
  texts.map((text) => Buffer.from(text)),
);
const JSONISH = '{}[]",:\\u0a1eE+-. tnfl/d8';

const numbers = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
const leaf = fc.oneof(texts, numbers, fc.boolean(), fc.constant(null));

/** JSON values as they come out of a parser, with names from `names` and from nowhere. */
export function values(names: readonly string[] = []): fc.Arbitrary<Json> {
  const key = fc.oneof(
    words,
    fc.string(),
    ...(names.length > 0 ? [fc.constantFrom(...names)] : []),
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 6, noNullPrototype: true }),
    ),
  }));
  // Only what survives the wire: no -0, no lone surrogates.
  return value.filter(isJson).map((some) => parseJson(JSON.stringify(some)));
}

/** A good message of which some members are changed, left out or added. */
export function spoiled(good: JsonObject): fc.Arbitrary<Json> {
  const names = Object.keys(good);
  const change = fc.tuple(
    fc.constantFrom(...names, '__proto__', 'extra'),
    fc.option(values(names)),
  );
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const members = new Map<string, Json>(Object.entries(good));
    for (const [name, value] of changes) {
      if (value === null) members.delete(name);
      else members.set(name, value);
    }
    return Object.fromEntries(members);
  });
}

/** A good text of which a part is cut out, doubled or replaced. */
export function mangled(good: string): fc.Arbitrary<string> {
  const at = fc.nat({ max: good.length });
  return fc
    .tuple(at, at, fc.oneof(texts, fc.constantFrom('', '\n', ': ', good)))
    .map(([a, b, put]) => {
      return good.slice(0, Math.min(a, b)) + put + good.slice(Math.max(a, b));
    });
}

function isJson(value: unknown): boolean {
  try {
    parseJson(JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
