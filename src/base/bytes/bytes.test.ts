/**
 * Strict decoders, checked lengths, and comparisons that agree.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  bytes32,
  bytesOf,
  concat,
  fromBase64url,
  fromHex,
  fromUtf8,
  lengthPrefixed,
  readU64,
  sameBytes,
  sameSecret,
  toBase64,
  toBase64url,
  toHex,
  u32,
  u64,
  utf8,
} from './index.ts';

const MALFORMED = { code: 'BYTES_MALFORMED', facts: { name: 'thing' } };
const LENGTH = { code: 'BYTES_LENGTH' };
const bytes = fc.uint8Array({ maxLength: 100 });

test('hex and base64url give back the same bytes', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      assert.deepEqual(fromHex(toHex(value), 'thing'), value);
      assert.deepEqual(fromBase64url(toBase64url(value), 'thing'), value);
      assert.equal(toBase64url(value), Buffer.from(value).toString('base64url'));
      assert.equal(toBase64(value), Buffer.from(value).toString('base64'));
    }),
  );
});

test('each byte string has one hex text: lower case, whole bytes', () => {
  for (const bad of [
    'a',
    'AB',
    '0x00',
    'ab ',
    'ab\n',
    ' ab',
    'zz',
    'é0',
    1,
    null,
    undefined,
    ['ab'],
  ]) {
    assert.throws(() => fromHex(bad, 'thing'), MALFORMED);
  }
});

test('each byte string has one base64url text: no padding, no blanks, no stray bits', () => {
  const texts = ['A', 'AA==', 'AA=', 'A A', 'AA\n', ' AA', 'A+', 'A/', 'AB', 'AAB', '=', 'ÀA'];
  for (const bad of [...texts, 1, null, undefined, {}]) {
    assert.throws(() => fromBase64url(bad, 'thing'), MALFORMED, JSON.stringify(bad));
  }
  assert.deepEqual(fromBase64url('', 'thing'), new Uint8Array(0));
});

test('a text that decodes is the text of its bytes', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[AQgw_09az=+/ -]{0,9}$/), (text) => {
      const decoded = attempt(() => fromBase64url(text, 'thing'));
      assert.ok(decoded === undefined || toBase64url(decoded) === text);
    }),
  );
});

test('UTF-8 is decoded strictly and a byte order mark is kept', () => {
  assert.equal(fromUtf8(utf8('₿ ok'), 'thing'), '₿ ok');
  assert.equal(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), 'thing'), '\ufeffa');
  const overlong = [0xc0, 0x80];
  const surrogate = [0xed, 0xa0, 0x80];
  for (const bad of [[0xff], [0xc3], overlong, surrogate, [0xf4, 0x90, 0x80, 0x80]]) {
    assert.throws(() => fromUtf8(Uint8Array.from(bad), 'thing'), MALFORMED);
  }
});

test('a length is checked with the name of the thing', () => {
  const three = Uint8Array.of(1, 2, 3);
  assert.equal(bytesOf(three, 3, 'thing'), three);
  assert.throws(() => bytesOf(three, 4, 'thing'), {
    ...LENGTH,
    facts: { name: 'thing', length: 3 },
  });
  assert.equal(bytes32(new Uint8Array(32), 'key').length, 32);
  for (const length of [0, 31, 33]) {
    assert.throws(() => bytes32(new Uint8Array(length), 'key'), LENGTH);
  }
});

test('no two lists of parts have one length-prefixed form', () => {
  const lists = fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 4 });
  fc.assert(
    fc.property(lists, lists, (a, b) => {
      const same = a.length === b.length && a.every((part, i) => sameBytes(part, b[i]!));
      assert.equal(sameBytes(lengthPrefixed(...a), lengthPrefixed(...b)), same);
    }),
  );
  assert.deepEqual(lengthPrefixed(Uint8Array.of(7)), Uint8Array.of(0, 0, 0, 1, 7));
});

test('numbers are big endian', () => {
  assert.equal(toHex(u32(0x01020304)), '01020304');
  assert.equal(toHex(u64(0x0102030405060708n)), '0102030405060708');
  assert.equal(toHex(u64(2n ** 64n - 1n)), 'f'.repeat(16));
  for (const bad of [-1n, 2n ** 64n]) assert.throws(() => u64(bad), LENGTH);
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (n) => {
      const view = concat(Uint8Array.of(9, 9), u64(n)).subarray(1);
      assert.equal(readU64(view, 1), n);
    }),
  );
});

test('both comparisons agree with equality by value', () => {
  const pairs = fc.oneof(
    fc.tuple(bytes, bytes),
    bytes.map((value) => [value, Uint8Array.from(value)] as const),
  );
  fc.assert(
    fc.property(pairs, ([a, b]) => {
      const same = toHex(a) === toHex(b);
      assert.equal(sameBytes(a, b), same);
      assert.equal(sameSecret(a, b), same);
    }),
  );
});

test('one changed bit anywhere is a difference', () => {
  const key = new Uint8Array(32).fill(7);
  for (let bit = 0; bit < 256; bit++) {
    const other = Uint8Array.from(key);
    other[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(sameSecret(key, other), false);
  }
});

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
