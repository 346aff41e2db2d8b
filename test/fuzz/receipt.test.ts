/**
 * Fuzz: receipts.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { msat } from '../../src/base/money/index.ts';
import { printReceipt, verifyReceipt } from '../../src/pay/bundle/index.ts';
import { peerKey } from '../../src/port/keys/index.ts';
import { syncHostKeys } from '../fixtures/keys.ts';
import { mangled, onlyFaults, texts } from './hostile.ts';

const HOST = syncHostKeys();
const host = peerKey(HOST.publicPem);
const GOOD = printReceipt(
  {
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
  },
  { publicKey: HOST.receiptKey, certificate: HOST.receiptCertificate },
  (message) => HOST.signReceipt(message),
);
const verify = (text: string): unknown =>
  verifyReceipt(text, (statement, signature) => host.verify(statement, signature));

test('receipts: no other text than the one that was signed verifies', () => {
  assert.ok(verify(GOOD));
  fc.assert(
    fc.property(fc.oneof(texts, mangled(GOOD)), (text) => {
      const facts = onlyFaults(() => verify(text));
      assert.ok(facts === undefined || text === GOOD);
    }),
    { numRuns: 2000 },
  );
});

test('receipts whose certificate nobody checks: still nothing but a Fault', () => {
  const lines = GOOD.split('\n');
  const oneLine = fc.tuple(fc.nat({ max: lines.length - 2 }), texts).map(([at, text]) => {
    const name = lines[at]!.split(': ', 1)[0]!;
    return lines.with(at, `${name}: ${text}`).join('\n');
  });
  fc.assert(
    fc.property(oneLine, (text) => {
      onlyFaults(() => verifyReceipt(text, () => true));
    }),
    { numRuns: 1000 },
  );
});
