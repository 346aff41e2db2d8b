/** Whatever the text, the reader of invoices returns one or throws a fault of its own. @module */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bech32 } from '@scure/base';
import * as fc from 'fast-check';
import { Fault } from '../../src/base/fault/index.ts';
import { decodeInvoice, encodeInvoice } from '../../src/bitcoin/bolt/index.ts';
import { TAG, bytesToWords } from '../../src/bitcoin/bolt/words.ts';
import {
  ESSENTIAL,
  SPEC_KEY,
  craft,
  drafts,
  expectedOf,
  publicKeyOf,
  seal,
  signerOf,
  type CraftedField,
} from '../fixtures/invoices.ts';

const CODES: readonly string[] = ['INVOICE_MALFORMED', 'INVOICE_SIGNATURE', 'INVOICE_FEATURE'];
const SIGN = signerOf(SPEC_KEY);

const word = fc.nat({ max: 31 });
const words = (maxLength: number): fc.Arbitrary<number[]> => fc.array(word, { maxLength });
const prefix = fc.oneof(
  fc.constantFrom('lnbc', 'lntb', 'lntbs', 'lnbcrt', 'lnbc2500u', 'lnbcrt10p', 'ln', 'lnb'),
  fc.stringMatching(/^ln(bc|tb|bcrt)\d{1,25}[munp]?$/),
);
const signed = drafts().map((draft) => encodeInvoice(draft, SIGN));

test('any text', () => {
  const texts = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.stringMatching(/^(lightning:)?ln(bc|tb|tbs|bcrt)\d{0,12}[munp]?1[02-9ac-hj-np-z]{0,300}$/),
  );
  fc.assert(fc.property(texts, holds), { numRuns: 2000 });
});

test('an invoice with one character replaced by any other is never an invoice', () => {
  const put = fc.string({ unit: 'binary', minLength: 1, maxLength: 1 });
  fc.assert(
    fc.property(signed, fc.nat(), fc.oneof(put, word.map(letter)), (text, at, put) => {
      const start = at % text.length;
      const edited = text.slice(0, start) + put + text.slice(start + 1);
      fc.pre(edited !== text);
      assert.equal(outcomeOf(edited), 'INVOICE_MALFORMED', edited);
    }),
    { numRuns: 300 },
  );
});

test('an invoice with one bit changed, and a checksum that fits', () => {
  fc.assert(
    fc.property(signed, fc.nat(), fc.nat({ max: 4 }), (text, at, bit) => {
      const { prefix, words } = bech32.decode(text, false);
      const start = at % words.length;
      const flipped = words.with(start, (words[start] ?? 0) ^ (1 << bit));
      holds(bech32.encode(prefix, flipped, false));
    }),
    { numRuns: 200 },
  );
});

test('any words', () => {
  fc.assert(
    fc.property(prefix, words(400), (prefix, words) => holds(bech32.encode(prefix, words, false))),
    { numRuns: 1000 },
  );
});

test('any words, truly signed', () => {
  fc.assert(
    fc.property(prefix, words(300), (prefix, words) => holds(seal(prefix, words))),
    { numRuns: 300 },
  );
});

test('any fields beside those that an invoice needs, truly signed', () => {
  const tag = fc.oneof(fc.constantFrom(...Object.values(TAG)), word);
  const data = fc.oneof(words(12), words(110), fc.uint8Array({ maxLength: 110 }).map(bytesToWords));
  const field: fc.Arbitrary<CraftedField> = fc.tuple(tag, data);
  const essential: readonly CraftedField[] = Object.values(ESSENTIAL);
  fc.assert(
    fc.property(
      fc.array(field, { maxLength: 6 }),
      fc.shuffledSubarray([...essential], { minLength: 2 }),
      (fields, essential) => holds(craft([...essential, ...fields])),
    ),
    { numRuns: 400 },
  );
});

test('the longest texts', { timeout: 60_000 }, () => {
  const hop = bytesToWords(new Uint8Array(51).fill(2));
  const { s, p, d } = ESSENTIAL;
  const many = (length: number, field: CraftedField): CraftedField[] =>
    Array.from({ length }, () => field);
  for (const fields of [
    many(77, ['r', hop]),
    many(2200, ['d', []]),
    many(2200, ['r', []]),
    many(2200, [0, []]),
    many(6, ['9', Array<number>(1023).fill(31)]),
    many(6, ['x', Array<number>(1023).fill(31)]),
    many(170, ['f', [17, ...bytesToWords(new Uint8Array(20))]]),
  ]) {
    holds(craft([s, p, d, ...fields]));
  }
  holds('1'.repeat(1_000_000));
  holds(`lnbc${'9'.repeat(7000)}1qqqqqqqq`);
  holds(`lightning:${'lightning:'.repeat(100_000)}`);
});

test('any draft reads back as it was written, in upper case, too', () => {
  const payee = publicKeyOf(SPEC_KEY);
  fc.assert(
    fc.property(drafts(), (draft) => {
      const text = encodeInvoice(draft, SIGN);
      const expected = { text, ...expectedOf(draft, payee) };
      assert.deepEqual(decodeInvoice(text.toUpperCase()), expected);
    }),
    { numRuns: 100 },
  );
});

function letter(word: number): string {
  return 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'.charAt(word);
}

/** Reads a text twice: the result is the same, and any fault is one that the reader promises. */
function holds(text: string): void {
  const outcome = outcomeOf(text);
  assert.ok(outcome === 'invoice' || CODES.includes(outcome), outcome);
}

function outcomeOf(text: string): string {
  try {
    const invoice = decodeInvoice(text);
    assert.deepEqual(decodeInvoice(invoice.text), invoice);
    return 'invoice';
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.code;
  }
}
