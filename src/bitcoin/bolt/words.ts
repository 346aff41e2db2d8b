/**
 * Words of 5 bits: the data part of an invoice and its tagged fields (BOLT 11, tagged fields).
 * @module
 */
import { bech32 } from '@scure/base';
import type { Bytes } from '../../base/bytes/index.ts';
import { MAX_FIELD_BYTES } from './limits.ts';
import { malformed } from './invoice.ts';

/** Numbers from 0 to 31. */
export type Words = readonly number[];

/** Types of tagged fields; the name is the letter that stands for the number in bech32. */
export const TAG = {
  p: 1,
  r: 3,
  '9': 5,
  x: 6,
  f: 9,
  d: 13,
  s: 16,
  n: 19,
  h: 23,
  c: 24,
  m: 27,
} as const;

/** One tagged field. */
export interface TaggedField {
  readonly tag: number;
  readonly words: Words;
}

/** Type (1 word) and length (2 words) before the data of each field. */
const HEADER_WORDS = 3;

/** Cuts words into tagged fields. @throws Fault `INVOICE_MALFORMED` when the last one is cut off */
export function readFields(words: Words): readonly TaggedField[] {
  const fields: TaggedField[] = [];
  for (let at = 0; at < words.length;) {
    const [tag, high, low] = words.slice(at, at + HEADER_WORDS);
    if (tag === undefined || high === undefined || low === undefined) throw malformed('cut off');
    const start = at + HEADER_WORDS;
    at = start + high * 32 + low;
    if (at > words.length) throw malformed('cut off');
    fields.push({ tag, words: words.slice(start, at) });
  }
  return fields;
}

/** One field as words. @throws Fault `INVOICE_MALFORMED` when the data is too long */
export function writeField(tag: number, words: Words): Words {
  if (words.length >= 1024) throw malformed('a field is too long');
  return [tag, words.length >> 5, words.length & 31, ...words];
}

/** One field of bytes. @throws Fault `INVOICE_MALFORMED` when there are too many */
export function writeBytesField(tag: number, bytes: Uint8Array): Words {
  if (bytes.length > MAX_FIELD_BYTES) throw malformed('a field is too long');
  return writeField(tag, bytesToWords(bytes));
}

/** Bytes as words; the last one is padded with zero bits. */
export function bytesToWords(bytes: Uint8Array): Words {
  return bech32.toWords(bytes);
}

/**
 * The bytes in a field's words. The padding must be zero, and less than a word (BOLT 11: "pad field
 * data to a multiple of 5 bits, using 0s"). Some readers take an invoice that breaks this, hash
 * their own re-encoding of it and recover another payee: no two may see two payees in one text.
 * @throws Fault `INVOICE_MALFORMED`
 */
export function wordsToBytes(words: Words): Bytes {
  const paddingBits = (words.length * 5) % 8;
  const padded = wordsToPaddedBytes(words);
  const bytes = paddingBits === 0 ? padded : padded.slice(0, -1);
  if (paddingBits >= 5 || (padded[bytes.length] ?? 0) !== 0) throw malformed('padding');
  return bytes;
}

/** All bits in words, and zero bits up to a whole byte: what is hashed for the signature. */
export function wordsToPaddedBytes(words: Words): Bytes {
  const bytes = new Uint8Array(Math.ceil((words.length * 5) / 8));
  let bits = 0;
  let bitCount = 0;
  let at = 0;
  for (const word of words) {
    // At most 7 bits are left over from before, so 12 are enough.
    bits = ((bits << 5) | word) & 0xfff;
    bitCount += 5;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes[at++] = (bits >> bitCount) & 0xff;
    }
  }
  if (bitCount > 0) bytes[at] = (bits << (8 - bitCount)) & 0xff;
  return bytes;
}

/** The number in words, big endian; at most `max`, whatever they say. */
export function wordsToNumber(words: Words, max: number): number {
  let value = 0;
  for (const word of words) value = Math.min(max, value * 32 + word);
  return value;
}

/** A number in as few words as possible. @throws Fault `INVOICE_MALFORMED` outside 0 to `max` */
export function numberToWords(value: number, max: number, name: string): Words {
  if (!Number.isSafeInteger(value) || value < 0 || value > max) throw malformed(name);
  const words: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 32)) words.unshift(rest % 32);
  return words;
}

/**
 * The same words, once they are known to be minimal.
 * @throws Fault `INVOICE_MALFORMED` when they begin with zero (BOLT 11, for `c`, `x` and `9`)
 */
export function minimal(words: Words): Words {
  if (words[0] === 0) throw malformed('a number begins with zero');
  return words;
}
