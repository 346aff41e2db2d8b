/**
 * Our own vectors of receipts, for whoever writes another reader: the same facts and keys give the
 * same text, byte for byte, and nothing else verifies. Ed25519 and RSASSA-PKCS1-v1_5 sign alike
 * every time.
 * @module
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import { fromHex } from '../../src/base/bytes/index.ts';
import { parseMsat } from '../../src/base/money/index.ts';
import {
  printReceipt,
  receiptKeyStatement,
  verifyReceipt,
  type ReceiptFacts,
} from '../../src/pay/bundle/index.ts';
import { peerKey } from '../../src/port/keys/index.ts';
import { syncHostKeys } from '../fixtures/keys.ts';

interface Vectors {
  readonly host_key_fingerprint: string;
  readonly host_key: string;
  /** The private Ed25519 key, hex; public knowledge. */
  readonly receipt_seed: string;
  readonly valid: readonly {
    readonly name: string;
    readonly facts: Readonly<Record<string, string | number>>;
    readonly text: string;
  }[];
  readonly invalid: readonly { readonly name: string; readonly text: string }[];
}

const file = join(import.meta.dirname, 'receipt.json');
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors;
const host = peerKey(vectors.host_key);
const seed = fromHex(vectors.receipt_seed, 'seed');

function factsOf(facts: Vectors['valid'][number]['facts']): ReceiptFacts {
  const amount = (name: string): ReturnType<typeof parseMsat> => parseMsat(facts[name]);
  return {
    host: String(facts['host']),
    session: String(facts['session']),
    service: String(facts['service']),
    paymentHash: String(facts['payment_hash']),
    paidMsat: amount('paid_msat'),
    servedMsat: amount('served_msat'),
    refundedMsat: amount('refunded_msat'),
    refundFeesMsat: amount('refund_fees_msat'),
    creditMsat: amount('credit_msat'),
    servedCalls: Number(facts['served_calls']),
    at: String(facts['at']),
  };
}

const verify = (text: string): ReceiptFacts =>
  verifyReceipt(text, (statement, signature) => host.verify(statement, signature));

test('there are 5 good and 8 bad receipts, of one host', () => {
  assert.deepEqual([vectors.valid.length, vectors.invalid.length], [5, 8]);
  assert.equal(host.fingerprint, vectors.host_key_fingerprint);
});

for (const { name, facts, text } of vectors.valid) {
  test(`receipt: ${name}`, async () => {
    const publicKey = ed25519.getPublicKey(seed);
    const certificate = await syncHostKeys().sign(receiptKeyStatement(publicKey));
    const key = { publicKey, certificate };
    const printed = printReceipt(factsOf(facts), key, (message) => ed25519.sign(message, seed));
    assert.equal(printed, text);
    assert.deepEqual(verify(text), factsOf(facts));
  });
}

for (const { name, text } of vectors.invalid) {
  test(`no receipt: ${name}`, () => {
    assert.throws(() => verify(text), { code: 'RECEIPT_INVALID' });
  });
}
