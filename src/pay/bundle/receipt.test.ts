/**
 * Receipts verify as they were signed, and in no other form.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toBase64url } from '../../base/bytes/index.ts';
import { MAX_MSAT, msat } from '../../base/money/index.ts';
import { peerKey, syncHostKeys } from '../../../test/fixtures/keys.ts';
import { printReceipt, receiptKeyStatement, verifyReceipt, type ReceiptFacts } from './index.ts';

const HOST = syncHostKeys();
const OTHER = syncHostKeys(1);
const FACTS: ReceiptFacts = {
  host: HOST.fingerprint,
  session: 'cd'.repeat(16),
  service: 'quotes',
  paymentHash: 'ab'.repeat(32),
  paidMsat: msat(2000),
  servedMsat: msat(500),
  refundedMsat: msat(0),
  refundFeesMsat: msat(0),
  creditMsat: msat(1500),
  servedCalls: 1,
  at: '2026-01-02T03:04:05.000Z',
};
const INVALID = { code: 'RECEIPT_INVALID' };

function keyOf(keys: typeof HOST): { publicKey: Uint8Array; certificate: Uint8Array } {
  return { publicKey: keys.receiptKey, certificate: keys.receiptCertificate };
}

const sign = (message: Uint8Array): Uint8Array => HOST.signReceipt(message);
const print = (facts: ReceiptFacts): string => printReceipt(facts, keyOf(HOST), sign);
const verify = (text: string, keys = HOST): ReceiptFacts => {
  const host = peerKey(keys.publicPem);
  return verifyReceipt(text, (statement, signature) => host.verify(statement, signature));
};
const TEXT = print(FACTS);

test('a receipt is lines in a fixed order', () => {
  const lines = TEXT.split('\n');
  assert.deepEqual(lines.slice(0, 12), [
    'tollcall receipt 1',
    `host: ${HOST.fingerprint}`,
    `session: ${FACTS.session}`,
    'service: quotes',
    `payment-hash: ${FACTS.paymentHash}`,
    'paid-msat: 2000',
    'served-msat: 500',
    'refunded-msat: 0',
    'refund-fees-msat: 0',
    'credit-msat: 1500',
    'served-calls: 1',
    'at: 2026-01-02T03:04:05.000Z',
  ]);
  const names = lines.slice(12).map((line) => line.split(':', 1)[0]);
  assert.deepEqual(names, ['receipt-key', 'receipt-certificate', 'signature', '']);
});

test('facts read back from their receipt', () => {
  const amount = fc.bigInt({ min: 0n, max: MAX_MSAT }).map(msat);
  const facts = fc.record({
    paidMsat: amount,
    servedMsat: amount,
    refundedMsat: amount,
    refundFeesMsat: amount,
    creditMsat: amount,
    servedCalls: fc.nat(),
    service: fc.stringMatching(/^[a-z][a-z0-9-]{0,63}$/),
  });
  fc.assert(
    fc.property(facts, (some) =>
      assert.deepEqual(verify(print({ ...FACTS, ...some })), { ...FACTS, ...some }),
    ),
    { numRuns: 20 },
  );
});

test('a receipt with any line changed, left out, repeated or moved is invalid', () => {
  const lines = TEXT.split('\n').slice(0, -1);
  lines.forEach((line, i) => {
    const end = line.at(-1) === 'A' ? 'Q' : 'A';
    const changes = [
      [line.slice(0, -1) + end],
      [`${line} `],
      [line.replace(' ', '')],
      [],
      [line, line],
      [line, 'note: paid twice'],
      ['', line],
      [line, ''],
      [`${line}\r`],
    ];
    for (const change of changes) {
      const text = lines.toSpliced(i, 1, ...change).join('\n') + '\n';
      assert.throws(() => verify(text), INVALID, `line ${i}: ${change.join('|')}`);
    }
    const moved = lines.toSpliced(i, 1).toSpliced((i + 1) % lines.length, 0, line);
    assert.throws(() => verify(moved.join('\n') + '\n'), INVALID);
  });
});

test('other line ends and a missing last one are invalid', () => {
  const texts = [
    TEXT.replaceAll('\n', '\r\n'),
    TEXT.slice(0, -1),
    `${TEXT}\n`,
    `\ufeff${TEXT}`,
    ` ${TEXT}`,
  ];
  for (const text of [...texts, '', '\n', 'tollcall receipt 1\n', TEXT + TEXT]) {
    assert.throws(() => verify(text), INVALID);
  }
});

test('a receipt of another host, or under its certificate, is invalid', () => {
  assert.throws(() => verify(TEXT, OTHER), { ...INVALID, facts: { where: 'certificate' } });
  const foreignKey = { publicKey: OTHER.receiptKey, certificate: HOST.receiptCertificate };
  const foreignCertificate = { publicKey: HOST.receiptKey, certificate: OTHER.receiptCertificate };
  for (const key of [foreignKey, foreignCertificate]) {
    assert.throws(() => verify(printReceipt(FACTS, key, sign)), INVALID);
  }
  const wrongSigner = printReceipt(FACTS, keyOf(HOST), (message) => OTHER.signReceipt(message));
  assert.throws(() => verify(wrongSigner), { ...INVALID, facts: { where: 'signature' } });
});

test('a signed receipt with amounts or counts that are none is invalid', () => {
  const bad: readonly Partial<Record<keyof ReceiptFacts, unknown>>[] = [
    { paidMsat: -1n },
    { creditMsat: MAX_MSAT + 1n },
    { servedMsat: '0x10' },
    { servedCalls: -1 },
    { servedCalls: 1e21 },
    { servedCalls: 2 ** 60 },
    { service: 'a\ncredit-msat: 9' },
  ];
  for (const facts of bad) {
    assert.throws(() => verify(print({ ...FACTS, ...facts } as ReceiptFacts)), INVALID);
  }
});

test('a certified key whose signatures fit any text proves nothing, and is refused', async () => {
  // The neutral element: with it, R = S * B verifies for every message unless low order is refused.
  const publicKey = new Uint8Array(32).with(0, 1);
  const certificate = await HOST.sign(receiptKeyStatement(publicKey));
  const forged = new Uint8Array(64).with(0, 1);
  const text = printReceipt(FACTS, { publicKey, certificate }, () => forged);
  assert.throws(() => verify(text), INVALID);
});

test('a signature is canonical base64url', () => {
  const signature = toBase64url(sign(new Uint8Array(0)));
  assert.throws(() => verify(TEXT.replace(/signature: .*/, `signature: ${signature}`)), INVALID);
  assert.throws(() => verify(TEXT.replace(/\n$/, '==\n')), INVALID);
});
