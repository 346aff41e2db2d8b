/**
 * One-time codes are bound to everything they are made over.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toHex } from '../../base/bytes/index.ts';
import { type Json } from '../../base/json/index.ts';
import {
  askCode,
  CallCodes,
  callCode,
  requestDigest,
  requestHash,
  type CodeFields,
} from './index.ts';

const KEY = new Uint8Array(32).fill(1);
const FIELDS: CodeFields = {
  host: 'ab'.repeat(32),
  session: 'cd'.repeat(16),
  n: 5n,
  done: 3n,
  salt: new Uint8Array(16).fill(2),
  requestHash: new Uint8Array(32).fill(3),
};

test('a code is 32 bytes, the same for the same fields, pinned for other implementations', () => {
  const code = callCode(KEY, FIELDS);
  assert.equal(code.length, 32);
  assert.deepEqual(callCode(KEY, { ...FIELDS }), code);
  assert.equal(toHex(code), '997891c22de13c8dcbc0afb1df384b7eaef51639c6195b226f08bb2abefad80b');
  const { host, session, salt } = FIELDS;
  assert.equal(
    toHex(askCode(KEY, { host, session, salt, question: 'receipt' })),
    '6b66f99e8f4f1d92e5d8270033fd30f44f4bc9f808c6496661e9d72ba570d202',
  );
});

test('a code is bound to the key and to every field', () => {
  const other: { readonly [field in keyof CodeFields]: CodeFields[field] } = {
    host: 'ab'.repeat(31) + 'aa',
    session: 'cd'.repeat(15) + 'cc',
    n: 6n,
    done: 4n,
    salt: FIELDS.salt.with(15, 9),
    requestHash: FIELDS.requestHash.with(31, 9),
  };
  const changed = Object.entries(other).map(([name, value]) => ({ ...FIELDS, [name]: value }));
  const codes = [FIELDS, ...changed].map((fields) => toHex(callCode(KEY, fields)));
  const otherKey = toHex(callCode(KEY.with(0, 9), FIELDS));
  assert.equal(new Set([...codes, otherKey]).size, 8);
});

test('numbers and lengths cannot be moved from one field to the next', () => {
  const swapped = callCode(KEY, { ...FIELDS, n: FIELDS.done, done: FIELDS.n });
  assert.notDeepEqual(swapped, callCode(KEY, FIELDS));
  const { salt, requestHash: hash } = FIELDS;
  const moved = { salt: salt.subarray(0, 15), requestHash: Uint8Array.from([2, ...hash]) };
  assert.notDeepEqual(callCode(KEY, { ...FIELDS, ...moved }), callCode(KEY, FIELDS));
});

test('numbers outside of 64 bits are refused', () => {
  for (const n of [-1n, 2n ** 64n]) {
    assert.throws(() => callCode(KEY, { ...FIELDS, n }), { code: 'BYTES_LENGTH' });
  }
});

test('the code of a question is no code of a call and of no other question', () => {
  const { host, session, salt } = FIELDS;
  const ask = (fields: object): string => {
    return toHex(askCode(KEY, { host, session, salt, question: 'session', ...fields }));
  };
  const changed = [
    {},
    { question: 'receipt' },
    { salt: salt.with(0, 9) },
    { session: 'ee'.repeat(16) },
    { host: 'ee'.repeat(32) },
  ];
  const codes = [...changed.map(ask), toHex(callCode(KEY, FIELDS))];
  assert.equal(new Set(codes).size, 6);
});

test('the hash of a request does not depend on the order of its members', () => {
  const values = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })) as fc.Arbitrary<Json>;
  fc.assert(
    fc.property(values, (input) => {
      const reversed = Object.fromEntries(Object.entries(input as object).toReversed()) as Json;
      assert.deepEqual(requestHash('quotes', reversed), requestHash('quotes', input));
    }),
  );
});

test('another service or another input has another hash', () => {
  const inputs: readonly Json[] = [
    {},
    { a: 1 },
    { a: '1' },
    { a: null },
    [],
    [1],
    'a',
    'A',
    1,
    null,
  ];
  const hashes = inputs.map((input) => toHex(requestHash('quotes', input)));
  assert.equal(new Set([...hashes, toHex(requestHash('quote', {}))]).size, inputs.length + 1);
  assert.deepEqual(requestHash('quotes', 1), requestHash('quotes', 1.0));
});

test('what has no canonical form has no hash', () => {
  for (const bad of [NaN, '\ud800', 1n]) {
    assert.throws(() => requestHash('quotes', bad as unknown as Json), { code: 'JSON_MALFORMED' });
  }
});

test('a repeat is recognised by the first 16 bytes of the hash', () => {
  assert.equal(
    requestDigest(Uint8Array.from({ length: 32 }, (_, i) => i)),
    '000102030405060708090a0b0c0d0e0f',
  );
});

test('codes that are made with the session laid out beforehand are the same', () => {
  const codes = new CallCodes(KEY, FIELDS.host, FIELDS.session);
  for (const n of [0n, 1n, 2n ** 64n - 1n]) {
    const fields = {
      ...FIELDS,
      n,
      done: n,
      salt: FIELDS.salt.map((byte) => byte ^ Number(n % 7n)),
    };
    assert.deepEqual(codes.code(fields, toHex(FIELDS.requestHash)), callCode(KEY, fields));
  }
  const hex = toHex(FIELDS.requestHash);
  for (const hash of [hex.slice(2), `${hex}00`, hex.replace(/..$/, 'zz'), '']) {
    assert.throws(() => codes.code(FIELDS, hash), { code: 'BYTES_LENGTH' });
  }
  const salt = FIELDS.salt.subarray(1);
  assert.throws(() => codes.code({ ...FIELDS, salt }, hex), { code: 'BYTES_LENGTH' });
  assert.throws(() => codes.code({ ...FIELDS, n: 2n ** 64n }, hex), { code: 'BYTES_LENGTH' });
});
