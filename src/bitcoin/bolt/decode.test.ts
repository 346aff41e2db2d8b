/** What a reader of invoices takes, skips and refuses. @module */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CRAFTED_AT_SECONDS,
  ESSENTIAL,
  SPEC_KEY,
  SPEC_PAYEE,
  craft,
  highS,
  signerOf,
  type CraftedField,
} from '../../../test/fixtures/invoices.ts';
import { fromHex, utf8 } from '../../base/bytes/index.ts';
import { Fault, type FaultCode } from '../../base/fault/index.ts';
import { decodeInvoice, invoiceExpiresAtMs } from './index.ts';
import { MAX_INVOICE_CHARS } from './limits.ts';
import { bytesToWords } from './words.ts';

const { s, p, d } = ESSENTIAL;
const SIGN = signerOf(SPEC_KEY);
const HASH_33: CraftedField[1] = bytesToWords(new Uint8Array(32).fill(0x33));
const PAYEE: CraftedField[1] = bytesToWords(fromHex(SPEC_PAYEE, 'payee'));
const OTHER_PAYEE: CraftedField[1] = bytesToWords(
  fromHex('02d0139ce7427d6dfffd26a326c18be754ef1e64672b42694ba5b23ef6e6e7803d', 'payee'),
);
const HOP = Uint8Array.of(...fromHex(SPEC_PAYEE, 'node id'), ...new Uint8Array(18));

const plain = craft([s, p, d]);
const PLAIN = {
  text: plain,
  network: 'regtest',
  timestampSeconds: CRAFTED_AT_SECONDS,
  expirySeconds: 3600,
  paymentHash: '22'.repeat(32),
  paymentSecret: '11'.repeat(32),
  payee: SPEC_PAYEE,
  description: 'tea',
  minFinalCltvExpiryBlocks: 18,
  features: [],
  routes: [],
  fallbacks: [],
};

test('an invoice with the least it must have gets the defaults of BOLT 11', () => {
  assert.deepEqual(decodeInvoice(plain), PLAIN);
});

test('case and the URI scheme make no difference; the text is kept without them', () => {
  const upper = plain.toUpperCase();
  for (const text of [upper, `lightning:${plain}`, `LIGHTNING:${upper}`, `Lightning:${upper}`]) {
    assert.deepEqual(decodeInvoice(text), PLAIN);
  }
});

test('what is around an invoice is not removed', () => {
  for (const text of [
    '',
    'lightning:',
    ` ${plain}`,
    `${plain}\n`,
    `lightning://${plain}`,
    `lightning:lightning:${plain}`,
    `bitcoin:${plain}`,
    `${plain.slice(0, 30).toUpperCase()}${plain.slice(30)}`,
    // U+212A lower-cases to the letter k.
    plain.replace('k', '\u212a'),
  ]) {
    assert.equal(refusalOf(text), 'INVOICE_MALFORMED', text);
  }
});

/** Fields beside or instead of the essential ones, and what becomes of the invoice. */
const TAKEN: readonly [what: string, fields: readonly CraftedField[], found: object][] = [
  ['a hash instead of a description', [s, p, ['h', HASH_33]], { descriptionHash: '33'.repeat(32) }],
  ['an empty description', [s, p, ['d', []]], { description: '' }],
  ['expiry', [s, p, d, ['x', [1, 28]]], { expirySeconds: 60 }],
  ['expiry zero', [s, p, d, ['x', []]], { expirySeconds: 0 }],
  ['expiry beyond all bounds', [s, p, d, ['x', ones(1023)]], { expirySeconds: 2 ** 32 - 1 }],
  ['final delta', [s, p, d, ['c', [10]]], { minFinalCltvExpiryBlocks: 10 }],
  [
    'final delta beyond all bounds',
    [s, p, d, ['c', ones(1023)]],
    { minFinalCltvExpiryBlocks: 2 ** 32 - 1 },
  ],
  ['metadata', [s, p, d, ['m', [0, 4]]], { metadata: Uint8Array.of(1) }],
  ['the payee by name', [s, p, d, ['n', PAYEE]], { payee: SPEC_PAYEE }],
  ['known required features', [s, p, d, ['9', [2, 16, 8, 0]]], { features: [8, 14, 16] }],
  ['an unknown optional feature', [s, p, d, ['9', [16, ...zeros(19)]]], { features: [99] }],
  ['a repeated hash: the first', [s, p, d, ['p', HASH_33]], { paymentHash: '22'.repeat(32) }],
  ['a repeated secret: the first', [s, p, d, ['s', HASH_33]], { paymentSecret: '11'.repeat(32) }],
  ['a repeated description: the first', [s, p, d, ['d', []]], { description: 'tea' }],
  ['a repeated expiry: the first', [s, p, d, ['x', [1]], ['x', [2]]], { expirySeconds: 1 }],
  ['repeated features: the first', [s, p, d, ['9', [2]], ['9', [4]]], { features: [1] }],
  ['a hash of wrong length: skipped', [['p', zeros(51)], s, p, d, ['p', zeros(53)]], {}],
  ['a secret of wrong length: skipped', [['s', zeros(51)], s, p, d], {}],
  ['a description hash of wrong length: skipped', [s, p, d, ['h', zeros(53)]], {}],
  ['a payee of wrong length: skipped', [s, p, d, ['n', zeros(52)]], {}],
  ['unknown fields: skipped', [[0, []], s, [31, ones(1023)], p, [2, [0]], d], {}],
  ['a fallback of unknown version: skipped', [s, p, d, ['f', [19, 31]]], {}],
];

for (const [what, fields, found] of TAKEN) {
  test(`taken: ${what}`, () => {
    const { description, ...rest } = PLAIN;
    const text = craft(fields);
    const about = 'descriptionHash' in found ? {} : { description };
    assert.deepEqual(decodeInvoice(text), { ...rest, ...about, text, ...found });
  });
}

const REFUSED: readonly [what: string, fields: readonly CraftedField[], code: FaultCode][] = [
  ['no payment hash', [s, d], 'INVOICE_MALFORMED'],
  ['no payment secret', [p, d], 'INVOICE_MALFORMED'],
  ['no description', [s, p], 'INVOICE_MALFORMED'],
  ['description and hash', [s, p, d, ['h', HASH_33]], 'INVOICE_MALFORMED'],
  ['only a secret of wrong length', [['s', zeros(51)], p, d], 'INVOICE_MALFORMED'],
  ['description not UTF-8', [s, p, ['d', ones(8)]], 'INVOICE_MALFORMED'],
  ['a surrogate in UTF-8', [s, p, ['d', bytesToWords(surrogate())]], 'INVOICE_MALFORMED'],
  ['padding with a bit set', [s, ['p', [...zeros(51), 1]], d], 'INVOICE_MALFORMED'],
  ['a word too much', [s, p, ['d', [...d[1], 0]]], 'INVOICE_MALFORMED'],
  ['expiry with a leading zero', [s, p, d, ['x', [0, 5]]], 'INVOICE_MALFORMED'],
  ['final delta with a leading zero', [s, p, d, ['c', [0]]], 'INVOICE_MALFORMED'],
  ['a repeated expiry with a leading zero', [s, p, d, ['x', [1]], ['x', [0]]], 'INVOICE_MALFORMED'],
  ['a repeated description not UTF-8', [s, p, d, ['d', ones(8)]], 'INVOICE_MALFORMED'],
  ['features with a leading zero', [s, p, d, ['9', [0, 16, 8, 0]]], 'INVOICE_MALFORMED'],
  ['a route without hops', [s, p, d, ['r', []]], 'INVOICE_MALFORMED'],
  ['half a hop', [s, p, d, ['r', bytesToWords(HOP.slice(0, 50))]], 'INVOICE_MALFORMED'],
  ['a hop over no point', [s, p, d, ['r', bytesToWords(HOP.with(0, 5))]], 'INVOICE_MALFORMED'],
  ['a fallback without version', [s, p, d, ['f', []]], 'INVOICE_MALFORMED'],
  ['a short P2PKH', [s, p, d, ['f', [17, ...zeros(31)]]], 'INVOICE_MALFORMED'],
  ['a long P2SH', [s, p, d, ['f', [18, ...zeros(52)]]], 'INVOICE_MALFORMED'],
  ['segwit v0 of 21 bytes', [s, p, d, ['f', [0, ...zeros(34)]]], 'INVOICE_MALFORMED'],
  ['segwit v1 of 41 bytes', [s, p, d, ['f', [1, ...zeros(66)]]], 'INVOICE_MALFORMED'],
  ['another payee by name', [s, p, d, ['n', OTHER_PAYEE]], 'INVOICE_SIGNATURE'],
  ['a payee that is no point', [s, p, d, ['n', zeros(53)]], 'INVOICE_SIGNATURE'],
  ['an unknown required feature', [s, p, d, ['9', [1, ...zeros(20)]]], 'INVOICE_FEATURE'],
  ['multi-part without secret', [s, p, d, ['9', [2, 0, 8, 0]]], 'INVOICE_FEATURE'],
];

for (const [what, fields, code] of REFUSED) {
  test(`refused: ${what}`, () => {
    assert.equal(refusalOf(craft(fields)), code);
  });
}

test('several faults: a malformed text before a bad signature before a feature', () => {
  const bad: CraftedField[] = [
    ['n', OTHER_PAYEE],
    ['9', [1, 0]],
  ];
  assert.equal(refusalOf(craft([s, d, ...bad])), 'INVOICE_MALFORMED');
  assert.equal(refusalOf(craft([s, p, d, ...bad])), 'INVOICE_SIGNATURE');
  assert.equal(refusalOf(craft([s, p, d, ['9', [1, 1, 0]]])), 'INVOICE_FEATURE');
});

test('a high s is taken when the key is recovered, not when the payee is named', () => {
  const sign = highS(SIGN);
  assert.equal(decodeInvoice(craft([s, p, d], { sign })).payee, SPEC_PAYEE);
  assert.equal(refusalOf(craft([s, p, d, ['n', PAYEE]], { sign })), 'INVOICE_SIGNATURE');
});

test('the recovery id is not looked at when the payee is named, but must be one', () => {
  const named: CraftedField[] = [s, p, d, ['n', PAYEE]];
  const flipped = craft(named, {
    sign: (hash) => ({ ...SIGN(hash), recovery: SIGN(hash).recovery ^ 1 }),
  });
  assert.equal(decodeInvoice(flipped).payee, SPEC_PAYEE);
  for (const recovery of [4, 27, 255]) {
    const sign: typeof SIGN = (hash) => ({ ...SIGN(hash), recovery });
    assert.equal(refusalOf(craft(named, { sign })), 'INVOICE_SIGNATURE');
    assert.equal(refusalOf(craft([s, p, d], { sign })), 'INVOICE_SIGNATURE');
  }
});

test('a signature of zeros or of the largest numbers is refused', () => {
  for (const byte of [0, 0xff]) {
    const sign: typeof SIGN = () => ({ signature: new Uint8Array(64).fill(byte), recovery: 0 });
    assert.equal(refusalOf(craft([s, p, d], { sign })), 'INVOICE_SIGNATURE');
    assert.equal(refusalOf(craft([s, p, d, ['n', PAYEE]], { sign })), 'INVOICE_SIGNATURE');
  }
});

test('the amount is signed: another prefix is another payee', () => {
  const cheap = craft([s, p, d], { prefix: 'lnbcrt1u' });
  assert.equal(decodeInvoice(cheap).amountMsat, 100_000n);
  assert.notEqual(
    decodeInvoice(craft([s, p, d], { prefix: 'lnbcrt2u', sign: () => SIGN(utf8('x'.repeat(32))) }))
      .payee,
    SPEC_PAYEE,
  );
});

test('the longest text that is read, and one that is longer', () => {
  const filler: CraftedField[] = Array.from({ length: 6 }, () => [31, ones(1000)]);
  const rest = MAX_INVOICE_CHARS - craft([s, p, d, ...filler, [31, []]]).length;
  const longest = craft([s, p, d, ...filler, [31, ones(rest)]]);
  assert.equal(longest.length, MAX_INVOICE_CHARS);
  assert.equal(decodeInvoice(`lightning:${longest}`).payee, SPEC_PAYEE);
  assert.equal(refusalOf(craft([s, p, d, ...filler, [31, ones(rest + 1)]])), 'INVOICE_MALFORMED');
});

test('it expires its expiry after its time', () => {
  assert.equal(invoiceExpiresAtMs(decodeInvoice(plain)), (CRAFTED_AT_SECONDS + 3600) * 1000);
  const longest = { timestampSeconds: 2 ** 35 - 1, expirySeconds: 2 ** 32 - 1 };
  assert.ok(Number.isSafeInteger(invoiceExpiresAtMs(longest)));
});

function refusalOf(text: string): FaultCode | undefined {
  try {
    decodeInvoice(text);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Fault);
    return error.code;
  }
}

function zeros(length: number): number[] {
  return Array<number>(length).fill(0);
}

function ones(length: number): number[] {
  return Array<number>(length).fill(31);
}

function surrogate(): Uint8Array {
  return Uint8Array.of(0xed, 0xa0, 0x80);
}
