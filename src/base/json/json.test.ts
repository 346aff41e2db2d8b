/**
 * JSON that means one thing only, and its canonical form (RFC 8785).
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fromUtf8, utf8 } from '../bytes/index.ts';
import { canonicalJson, jsonObject, parseJson, type Json } from './index.ts';

const MALFORMED = { code: 'JSON_MALFORMED' };
const values = fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }) as fc.Arbitrary<Json>;
const canonical = (value: Json): string => fromUtf8(canonicalJson(value), 'canonical form');

test('a value reads back from its text and from its bytes', () => {
  fc.assert(
    fc.property(values, (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(parseJson(text), JSON.parse(text));
      assert.deepEqual(parseJson(utf8(text)), JSON.parse(text));
      assert.equal(JSON.stringify(parseJson(text)), text);
    }),
  );
});

test('repeated keys are refused, however they are written', () => {
  const texts = [
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"\\u0061":1,"\\u0061":2}',
    '{"a":1,"b":2,"a":3}',
    '[{"x":{"a":1,"a":2}}]',
    '{"a":{"b":1},"a":{"c":2,"d":3}}',
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"__proto__":{"a":1},"\\u005f_proto__":{"b":1}}',
    '{"1":1,"1":2}',
    '{"\\/":1,"/":2}',
    '{"\\"":1,"\\u0022":2}',
    '{"a:b":1,"a\\u003ab":2}',
  ];
  for (const text of texts) assert.throws(() => parseJson(text), MALFORMED, text);
});

test('what only looks repeated is read', () => {
  const texts = [
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '{"a":"\\"a\\":1,\\"a\\":2"}',
    '{":":"::","\\\\":":\\\\","\\\\\\"":1}',
    '{"é":1,"e\\u0301":2}',
    '[":",{"a" : 1 , "b"\n:\t2}]',
    '{"":0}',
  ];
  for (const text of texts) assert.deepEqual(parseJson(text), JSON.parse(text), text);
});

test('a repeated key is found in any value', () => {
  fc.assert(
    fc.property(values, fc.string({ unit: 'binary' }), values, (first, key, second) => {
      const [a, b] = [JSON.stringify(first), JSON.stringify(second)];
      const text = `{"x":[{${JSON.stringify(key)}:${a},"y y":0,"${hexEscaped(key)}":${b}}]}`;
      assert.throws(() => parseJson(text), MALFORMED, text);
    }),
  );
});

test('`__proto__` is a member like any other', () => {
  const value = jsonObject(parseJson('{"__proto__":{"admin":true},"constructor":1}'));
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor']);
  assert.equal((value as { admin?: unknown }).admin, undefined);
  assert.equal(canonical(value), '{"__proto__":{"admin":true},"constructor":1}');
});

test('what JSON cannot say in one way is refused', () => {
  const texts = [
    '',
    ' ',
    '{',
    'nul',
    "{'a':1}",
    '[1,]',
    '01',
    '+1',
    '.5',
    'NaN',
    'Infinity',
    '1 2',
  ];
  const strange = [
    '\ufeff1',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '{"\\ud800":1}',
    '"\ud800"',
    '"\u0001"',
  ];
  const infinite = ['1e400', '-1e400', '[{"a":1e999}]'];
  for (const text of [...texts, ...strange, ...infinite]) {
    assert.throws(() => parseJson(text), MALFORMED, text);
  }
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)), MALFORMED);
  assert.throws(() => parseJson(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31)), MALFORMED);
});

test('10,000 members of one object are read, one more is refused; many objects are no harm', () => {
  const members = (count: number): string =>
    `{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join()}}`;
  assert.deepEqual(parseJson(members(10_000)), JSON.parse(members(10_000)));
  assert.throws(() => parseJson(members(10_001)), MALFORMED);
  assert.throws(() => parseJson(`[{"a":1},${members(10_001)}]`), MALFORMED);
  const list = `[${Array.from({ length: 20_000 }, () => '{"a":{"b":1},"c":"}:{"}').join()}]`;
  assert.deepEqual(parseJson(list), JSON.parse(list));
});

test('64 levels are read, one more is refused, a million do no harm', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  assert.deepEqual(parseJson(nested(64)), JSON.parse(nested(64)));
  assert.throws(() => parseJson(nested(65)), MALFORMED);
  assert.throws(() => parseJson(nested(1_000_000)), MALFORMED);
  assert.throws(() => parseJson('['.repeat(1_000_000)), MALFORMED);
  const objects = '{"a":'.repeat(64) + '1' + '}'.repeat(64);
  assert.deepEqual(parseJson(objects), JSON.parse(objects));
  assert.throws(() => parseJson(`{"a":${objects}}`), MALFORMED);
});

test('only an object is an object', () => {
  assert.deepEqual(jsonObject({ a: 1 }), { a: 1 });
  for (const bad of [null, undefined, 1, 'a', true, [], [{}]]) {
    assert.throws(() => jsonObject(bad), MALFORMED);
  }
});

test('RFC 8785, 3.2.2 and 3.2.3: the example', () => {
  const text = `{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
    "literals": [null, true, false]
  }`;
  assert.equal(
    canonical(parseJson(text)),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test('RFC 8785, 3.2.3: members are sorted by UTF-16 code units', () => {
  const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, ö: 7 };
  assert.equal(
    canonical(value),
    '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\ud83d\ude00":5,"\ufb33":3}',
  );
});

test('RFC 8785, appendix B: numbers', () => {
  const table: readonly (readonly [string, string])[] = [
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
  ];
  for (const [bits, text] of table) {
    assert.equal(canonical(Buffer.from(bits, 'hex').readDoubleBE()), text);
  }
});

test('the canonical form does not depend on the order of members, and is stable', () => {
  fc.assert(
    fc.property(values, (value) => {
      const form = canonical(value);
      assert.equal(canonical(reversed(value)), form);
      assert.equal(canonical(parseJson(form)), form);
    }),
  );
});

test('what JSON cannot say has no canonical form', () => {
  const circle: { self?: Json } = {};
  circle.self = circle as Json;
  for (const bad of [NaN, Infinity, '\ud800', { '\ud800': 1 }, undefined, circle]) {
    assert.throws(() => canonicalJson(bad as Json), MALFORMED);
  }
});

function hexEscaped(text: string): string {
  return Array.from({ length: text.length }, (_, i) => {
    return `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }).join('');
}

function reversed(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  const members = Object.entries(value).toReversed();
  return Object.fromEntries(members.map(([key, member]) => [key, reversed(member)]));
}
