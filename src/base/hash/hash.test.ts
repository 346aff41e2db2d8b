/**
 * Published vectors for every hash, and boxes that open only as they were encrypted.
 * @module
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concat, fromHex, toHex, utf8 } from '../bytes/index.ts';
import { hkdf32, hmacSha256, decryptOnce, encryptOnce, sha256 } from './index.ts';

const hex = (text: string): Uint8Array => fromHex(text, 'vector');
const EMPTY = new Uint8Array(0);

test('SHA-256: FIPS 180-4 examples', () => {
  const table: readonly (readonly [string, string])[] = [
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
    ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
  ];
  for (const [text, digest] of table) assert.equal(toHex(sha256(utf8(text))), digest);
});

test('HMAC-SHA256: RFC 4231, test cases 1, 2, 3, 6 and 7', () => {
  const long = new Uint8Array(131).fill(0xaa);
  const table: readonly (readonly [Uint8Array, Uint8Array, string])[] = [
    [
      new Uint8Array(20).fill(0x0b),
      utf8('Hi There'),
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    ],
    [
      utf8('Jefe'),
      utf8('what do ya want for nothing?'),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    [
      new Uint8Array(20).fill(0xaa),
      new Uint8Array(50).fill(0xdd),
      '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
    ],
    [
      long,
      utf8('Test Using Larger Than Block-Size Key - Hash Key First'),
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
    [
      long,
      utf8(
        'This is a test using a larger than block-size key and a larger than block-size data. ' +
          'The key needs to be hashed before being used by the HMAC algorithm.',
      ),
      '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
    ],
  ];
  for (const [key, message, mac] of table) assert.equal(toHex(hmacSha256(key, message)), mac);
});

test('HMAC goes over the concatenation of its parts', () => {
  const part = fc.uint8Array({ maxLength: 70 });
  fc.assert(
    fc.property(part, fc.array(part, { maxLength: 4 }), (key, parts) => {
      const expected = createHmac('sha256', key)
        .update(concat(...parts))
        .digest('hex');
      assert.equal(toHex(hmacSha256(key, ...parts)), expected);
    }),
  );
});

test('HKDF-SHA256: RFC 5869, the first 32 bytes of test cases 1, 2 and 3', () => {
  const range = (from: number, length: number): Uint8Array =>
    Uint8Array.from({ length }, (_, i) => from + i);
  const ikm = new Uint8Array(22).fill(0x0b);
  assert.equal(
    toHex(hkdf32(ikm, hex('000102030405060708090a0b0c'), hex('f0f1f2f3f4f5f6f7f8f9'))),
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf',
  );
  assert.equal(
    toHex(hkdf32(range(0, 80), range(0x60, 80), range(0xb0, 80))),
    'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c',
  );
  assert.equal(
    toHex(hkdf32(ikm, EMPTY, EMPTY)),
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d',
  );
});

test('AES-256-GCM with a zero nonce: test cases 13 and 14 of the GCM specification', () => {
  const key = new Uint8Array(32);
  assert.equal(toHex(encryptOnce(key, EMPTY, EMPTY)), '530f8afbc74536b9a963b4f1c4cb738b');
  assert.equal(
    toHex(encryptOnce(key, new Uint8Array(16), EMPTY)),
    'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
  );
});

const keys = fc.uint8Array({ minLength: 32, maxLength: 32 });
const texts = fc.uint8Array({ maxLength: 60 });
const NOT_AUTHENTIC = { code: 'BYTES_MALFORMED', facts: { name: 'encrypted box' } };

test('what was encrypted opens under the same key and the same associated data', () => {
  fc.assert(
    fc.property(keys, texts, texts, (key, plain, associated) => {
      assert.deepEqual(decryptOnce(key, encryptOnce(key, plain, associated), associated), plain);
    }),
  );
});

test('a changed bit of box, key or associated data does not open', () => {
  const bit = fc.nat({ max: 10_000 });
  fc.assert(
    fc.property(keys, texts, texts, bit, fc.nat({ max: 2 }), (key, plain, associated, at, what) => {
      const bound = concat(associated, Uint8Array.of(0));
      const parts = [key, encryptOnce(key, plain, bound), bound];
      const [otherKey, encrypted, other] = parts.map((part, i) =>
        i === what ? flip(part, at) : part,
      );
      assert.throws(() => decryptOnce(otherKey!, encrypted!, other!), NOT_AUTHENTIC);
    }),
  );
});

test('a cut or longer box does not open', () => {
  const key = new Uint8Array(32).fill(1);
  const encrypted = encryptOnce(key, utf8('a message'), EMPTY);
  for (let length = 0; length < encrypted.length; length++) {
    assert.throws(() => decryptOnce(key, encrypted.subarray(0, length), EMPTY), NOT_AUTHENTIC);
  }
  assert.throws(() => decryptOnce(key, concat(encrypted, Uint8Array.of(0)), EMPTY), NOT_AUTHENTIC);
});

test('a encryption key has 32 bytes', () => {
  const box = new Uint8Array(16);
  for (const length of [0, 16, 31, 33]) {
    const key = new Uint8Array(length);
    assert.throws(() => encryptOnce(key, EMPTY, EMPTY), { code: 'BYTES_LENGTH' });
    assert.throws(() => decryptOnce(key, box, EMPTY), { code: 'BYTES_LENGTH' });
  }
});

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const at = bit % (bytes.length * 8);
  return bytes.map((byte, i) => (i === at >> 3 ? byte ^ (1 << (at & 7)) : byte));
}
