/** Words of 5 bits: fields, bytes, numbers, feature bits. @module */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Fault } from '../../base/fault/index.ts';
import { readFeatures, writeFeatures } from './features.ts';
import {
  bytesToWords,
  minimal,
  numberToWords,
  readFields,
  wordsToBytes,
  wordsToNumber,
  wordsToPaddedBytes,
  writeBytesField,
  writeField,
} from './words.ts';

const words = (maxLength: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat({ max: 31 }), { maxLength });

test('fields are cut where they were joined', () => {
  const field = fc.record(
    { tag: fc.nat({ max: 31 }), words: words(70) },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
      const joined = fields.flatMap(({ tag, words }) => writeField(tag, words));
      assert.deepEqual(readFields(joined), fields);
    }),
  );
});

test('a field that runs past the end is refused, wherever it is cut', () => {
  const joined = writeField(13, [1, 2, 3, 4]);
  for (let length = 1; length < joined.length; length++) {
    assert.throws(() => readFields(joined.slice(0, length)), isMalformed);
  }
});

test('a field holds at most 1023 words, which is 639 bytes', () => {
  const longest = writeBytesField(13, new Uint8Array(639).fill(0xff));
  assert.equal(longest.length, 3 + 1023);
  assert.deepEqual(readFields(longest)[0]?.words.length, 1023);
  assert.throws(() => writeBytesField(13, new Uint8Array(640)), isMalformed);
  assert.throws(() => writeField(13, Array<number>(1024).fill(0)), isMalformed);
});

test('bytes come back from their words', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.deepEqual(wordsToBytes(bytesToWords(bytes)), bytes);
    }),
  );
});

test('words come back from their bytes, or are refused', () => {
  fc.assert(
    fc.property(words(30), (data) => {
      const bytes = tryBytes(data);
      assert.ok(bytes === undefined || bytesToWords(bytes).join() === data.join());
    }),
  );
});

test('padding is zero and shorter than a word', () => {
  // 2 words: one byte and two bits; 3 words: one byte and seven bits, which 2 words could say.
  assert.deepEqual(wordsToBytes([31, 28]), Uint8Array.of(0xff));
  assert.throws(() => wordsToBytes([31, 29]), isMalformed);
  assert.throws(() => wordsToBytes([31, 28, 0]), isMalformed);
  assert.throws(() => wordsToBytes([0]), isMalformed);
});

test('what is signed is padded with zero bits, whatever the words are', () => {
  assert.deepEqual(wordsToPaddedBytes([]), new Uint8Array());
  assert.deepEqual(wordsToPaddedBytes([31]), Uint8Array.of(0b11111000));
  assert.deepEqual(wordsToPaddedBytes([31, 29]), Uint8Array.of(0xff, 0b01000000));
  assert.deepEqual(wordsToPaddedBytes([1, 2, 3]), Uint8Array.of(0b00001000, 0b10000110));
});

test('numbers take as few words as possible', () => {
  const rows: readonly [value: number, words: readonly number[]][] = [
    [0, []],
    [1, [1]],
    [31, [31]],
    [32, [1, 0]],
    [60, [1, 28]],
    [604_800, [18, 14, 20, 0]],
    [2 ** 32 - 1, [3, 31, 31, 31, 31, 31, 31]],
  ];
  for (const [value, expected] of rows) {
    assert.deepEqual(numberToWords(value, 2 ** 32 - 1, 'number'), expected);
    assert.equal(wordsToNumber(expected, 2 ** 32 - 1), value);
    assert.equal(minimal(expected), expected);
  }
  for (const value of [-1, 0.5, NaN, 2 ** 32]) {
    assert.throws(() => numberToWords(value, 2 ** 32 - 1, 'number'), isMalformed);
  }
});

test('a number larger than the bound is read as the bound', () => {
  assert.equal(wordsToNumber(Array<number>(1023).fill(31), 2 ** 32 - 1), 2 ** 32 - 1);
  assert.equal(wordsToNumber([4, 0, 0, 0, 0, 0, 0], 2 ** 32 - 1), 2 ** 32 - 1);
});

test('a number that begins with zero is refused', () => {
  assert.throws(() => minimal([0]), isMalformed);
  assert.throws(() => minimal([0, 5]), isMalformed);
});

test('feature bits are numbered from the end', () => {
  const rows: readonly [bits: readonly number[], words: readonly number[]][] = [
    [[], []],
    [[0], [1]],
    [[4], [16]],
    [[5], [1, 0]],
    [
      [8, 14],
      [16, 8, 0],
    ],
  ];
  for (const [bits, expected] of rows) {
    assert.deepEqual(writeFeatures(bits), expected);
    assert.deepEqual(readFeatures(expected), bits);
  }
  assert.deepEqual(writeFeatures([14, 8, 14]), writeFeatures([8, 14]));
  for (const bit of [-1, 0.5, NaN, 5115]) {
    assert.throws(() => writeFeatures([bit]), isMalformed);
  }
});

function tryBytes(data: readonly number[]): Uint8Array | undefined {
  try {
    return wordsToBytes(data);
  } catch (error) {
    assert.ok(isMalformed(error));
    return undefined;
  }
}

function isMalformed(error: unknown): boolean {
  return error instanceof Fault && error.code === 'INVOICE_MALFORMED';
}
