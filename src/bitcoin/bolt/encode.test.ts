/** What the writer of invoices promises. @module */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  SPEC_KEY,
  SPEC_PAYEE,
  drafts,
  expectedOf,
  highS,
  publicKeyOf,
  signerOf,
} from '../../../test/fixtures/invoices.ts';
import { Fault, type FaultCode } from '../../base/fault/index.ts';
import { msat } from '../../base/money/index.ts';
import { decodeInvoice, encodeInvoice, type InvoiceDraft, type RouteHop } from './index.ts';

const SIGN = signerOf(SPEC_KEY);
const DRAFT: InvoiceDraft = {
  network: 'regtest',
  amountMsat: msat(2_000n),
  timestampSeconds: 1_700_000_000,
  paymentHash: '22'.repeat(32),
  paymentSecret: '11'.repeat(32),
  description: 'tea',
};
const HOP = {
  nodeId: SPEC_PAYEE,
  shortChannelId: 1n,
  feeBaseMsat: 0,
  feeProportionalMillionths: 0,
  cltvExpiryDeltaBlocks: 40,
};

test('any draft reads back as it was written', () => {
  const keys = fc.constantFrom(SPEC_KEY, new Uint8Array(32).fill(7));
  fc.assert(
    fc.property(drafts(), keys, fc.boolean(), (draft, key, named) => {
      const payee = publicKeyOf(key);
      const text = encodeInvoice(named ? { ...draft, payee } : draft, signerOf(key));
      assert.deepEqual(decodeInvoice(text), { text, ...expectedOf(draft, payee) });
    }),
    { numRuns: 100 },
  );
});

test('only what the draft holds is written, in a fixed order', () => {
  const tags = (draft: InvoiceDraft): string[] => {
    const text = encodeInvoice(draft, SIGN);
    const data = text.slice(text.lastIndexOf('1') + 8, -110);
    const letters: string[] = [];
    for (let at = 0; at < data.length; at += 3 + lengthAt(data, at)) letters.push(data[at]!);
    return letters;
  };
  assert.deepEqual(tags(DRAFT), ['s', 'p', 'd']);
  assert.deepEqual(tags({ ...DRAFT, features: [], routes: [], fallbacks: [] }), ['s', 'p', 'd']);
  const full: InvoiceDraft = {
    ...DRAFT,
    features: [14, 8],
    routes: [[HOP], [HOP, HOP]],
    fallbacks: [{ version: 17, program: new Uint8Array(20) }],
    payee: SPEC_PAYEE,
    minFinalCltvExpiryBlocks: 18,
    expirySeconds: 3600,
    metadata: new Uint8Array(3),
  };
  assert.deepEqual(tags(full), ['s', 'p', 'd', 'm', 'x', 'c', 'n', 'f', 'r', 'r', '9']);
});

const NOT_SAYABLE: readonly [what: string, change: Partial<InvoiceDraft>, code: FaultCode][] = [
  ['an amount of zero', { amountMsat: msat(0n) }, 'INVOICE_MALFORMED'],
  ['a negative time', { timestampSeconds: -1 }, 'INVOICE_MALFORMED'],
  ['a time with a fraction', { timestampSeconds: 1.5 }, 'INVOICE_MALFORMED'],
  ['a time of 36 bits', { timestampSeconds: 2 ** 35 }, 'INVOICE_MALFORMED'],
  ['an expiry of 33 bits', { expirySeconds: 2 ** 32 }, 'INVOICE_MALFORMED'],
  ['a delta of 33 bits', { minFinalCltvExpiryBlocks: 2 ** 32 }, 'INVOICE_MALFORMED'],
  ['two descriptions', { descriptionHash: '33'.repeat(32) }, 'INVOICE_MALFORMED'],
  ['640 bytes of description', { description: 'é'.repeat(320) }, 'INVOICE_MALFORMED'],
  ['half a character', { description: '\ud800' }, 'INVOICE_MALFORMED'],
  ['640 bytes of metadata', { metadata: new Uint8Array(640) }, 'INVOICE_MALFORMED'],
  ['a feature that no field can hold', { features: [5115] }, 'INVOICE_MALFORMED'],
  ['a route without hops', { routes: [[]] }, 'INVOICE_MALFORMED'],
  ['13 hops in a route', { routes: [hops(13)] }, 'INVOICE_MALFORMED'],
  ['a fee of 33 bits', { routes: [[{ ...HOP, feeBaseMsat: 2 ** 32 }]] }, 'INVOICE_MALFORMED'],
  [
    'a hop delta of 17 bits',
    { routes: [[{ ...HOP, cltvExpiryDeltaBlocks: 2 ** 16 }]] },
    'INVOICE_MALFORMED',
  ],
  [
    'an address of unknown version',
    { fallbacks: [{ version: 19, program: new Uint8Array(20) }] },
    'INVOICE_MALFORMED',
  ],
  [
    'a text longer than is read',
    { routes: Array.from({ length: 9 }, () => hops(12)) },
    'INVOICE_MALFORMED',
  ],
  ['a hash in upper case', { paymentHash: 'AB'.repeat(32) }, 'BYTES_MALFORMED'],
  ['a short secret', { paymentSecret: '11' }, 'BYTES_LENGTH'],
  ['a payee of 32 bytes', { payee: '02'.repeat(32) }, 'BYTES_LENGTH'],
  [
    'another payee than the signer',
    { payee: publicKeyOf(Uint8Array.from({ length: 32 }, () => 9)) },
    'INVOICE_SIGNATURE',
  ],
];

for (const [what, change, code] of NOT_SAYABLE) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => encodeInvoice({ ...DRAFT, ...change }, SIGN),
      (error) => error instanceof Fault && error.code === code,
    );
  });
}

test('a draft needs a description or its hash', () => {
  const { description: _, ...without } = DRAFT;
  assert.throws(() => encodeInvoice(without, SIGN), isFault('INVOICE_MALFORMED'));
});

test('the largest description and the largest feature fit', () => {
  const draft = { ...DRAFT, description: 'x'.repeat(639), features: [5113] };
  const { description, features } = decodeInvoice(encodeInvoice(draft, SIGN));
  assert.deepEqual([description?.length, features], [639, [5113]]);
});

test('a signature that does not hold never leaves', () => {
  const draft = { ...DRAFT, payee: SPEC_PAYEE };
  const wrong = [
    highS(SIGN),
    () => SIGN(new Uint8Array(32)),
    () => ({ signature: new Uint8Array(64), recovery: 0 }),
    (hash: Uint8Array) => ({ ...SIGN(hash), recovery: 4 }),
    (hash: Uint8Array) => ({ signature: SIGN(hash).signature.slice(1), recovery: 0 }),
  ];
  for (const sign of wrong) {
    assert.throws(() => encodeInvoice(draft, sign), isFault('INVOICE_SIGNATURE'));
  }
});

function isFault(code: FaultCode): (error: unknown) => boolean {
  return (error) => error instanceof Fault && error.code === code;
}

function hops(length: number): readonly RouteHop[] {
  return Array.from({ length }, () => HOP);
}

/** The length of the field that starts at a character of the data part. */
function lengthAt(data: string, at: number): number {
  const charset = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
  return charset.indexOf(data[at + 1]!) * 32 + charset.indexOf(data[at + 2]!);
}
