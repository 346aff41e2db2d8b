/**
 * What the keys port promises, on the keys of the fixtures.
 * @module
 */
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { fixtureHostKeys, fixturePayerKeys, pem, privateKey } from '../../../test/fixtures/keys.ts';
import { receiptKeyStatement } from '../../pay/bundle/index.ts';
import { hostKeys, peerKey, payerKeyring } from './index.ts';
import { MAX_RUNNING_UNWRAPS, MAX_WAITING_UNWRAPS } from './limits.ts';

const SECRET = new Uint8Array(32).fill(7);
const MALFORMED = { code: 'KEY_MALFORMED' };
const spki = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ type: 'spki', format: 'der' });
const host = await fixtureHostKeys();
const payer = fixturePayerKeys();
const rsa2048 = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ed25519 = privateKey('receipt-0');

test('what is wrapped for a key is opened by it, and by no other one', async () => {
  const forHost = peerKey(host.publicPem).wrap(SECRET);
  assert.equal(forHost.length, 512);
  assert.deepEqual(await host.unwrap(forHost), SECRET);
  assert.deepEqual(await payer.unwrap(peerKey(payer.publicDer).wrap(SECRET)), SECRET);
  await assert.rejects(payer.unwrap(forHost), { code: 'SETUP_DECRYPT' });
});

test('garbage does not unwrap', async () => {
  const wrapped = peerKey(host.publicPem).wrap(SECRET);
  const bad = [0, 1, 511, 513, 100_000].map((length) => new Uint8Array(length));
  for (const bytes of [...bad, wrapped.with(0, wrapped[0]! ^ 1), new Uint8Array(512).fill(255)]) {
    await assert.rejects(host.unwrap(bytes), { code: 'SETUP_DECRYPT' });
  }
});

test('a bounded number waits to be unwrapped; one more is told to come back', async () => {
  const places = MAX_RUNNING_UNWRAPS + MAX_WAITING_UNWRAPS;
  const garbage = new Uint8Array(512);
  const waiting = Array.from({ length: places }, () => host.unwrap(garbage));
  await assert.rejects(host.unwrap(garbage), { code: 'SETUP_BUSY' });
  const outcomes = await Promise.allSettled(waiting);
  const codes = outcomes.map((outcome) => outcome.status === 'rejected' && codeOf(outcome.reason));
  assert.deepEqual(new Set(codes), new Set(['SETUP_DECRYPT']));
  const wrapped = peerKey(host.publicPem).wrap(SECRET);
  const again = await Promise.all(Array.from({ length: 9 }, () => host.unwrap(wrapped)));
  for (const secret of again) assert.deepEqual(secret, SECRET);
});

test('signatures of a host verify with its public key only', async () => {
  const statement = Uint8Array.of(1, 2, 3);
  const signature = await host.sign(statement);
  const key = peerKey(host.publicPem);
  assert.ok(key.verify(statement, signature));
  assert.ok(!key.verify(Uint8Array.of(1, 2, 4), signature));
  assert.ok(!key.verify(statement, signature.with(9, signature[9]! ^ 1)));
  assert.ok(!key.verify(statement, new Uint8Array(0)));
  const other = await fixtureHostKeys(1);
  assert.ok(!peerKey(other.publicPem).verify(statement, signature));
});

test('the receipt key is certified, and signs receipts', () => {
  const statement = receiptKeyStatement(host.receiptKey);
  assert.ok(peerKey(host.publicPem).verify(statement, host.receiptCertificate));
  const message = Uint8Array.of(1, 2, 3);
  const key = createPublicKey(ed25519);
  assert.ok(verify(null, message, key, host.signReceipt(message)));
  assert.deepEqual(host.receiptKey, Uint8Array.from(spki(ed25519).subarray(-32)));
});

test('a key has one fingerprint, read from PEM or from DER', () => {
  const der = Uint8Array.from(spki(privateKey('host-0')));
  assert.match(host.fingerprint, /^[0-9a-f]{64}$/);
  assert.equal(peerKey(host.publicPem).fingerprint, host.fingerprint);
  assert.equal(peerKey(der).fingerprint, host.fingerprint);
  assert.equal(peerKey(der).publicPem, host.publicPem);
  assert.notEqual(peerKey(payer.publicDer).fingerprint, host.fingerprint);
});

test('a peer shows an RSA-4096 public key and nothing else', () => {
  const exponent = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 });
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey;
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  for (const key of [rsa2048, exponent.privateKey, pss, ec, ed25519]) {
    assert.throws(() => peerKey(spki(key)), MALFORMED);
  }
  const der = spki(privateKey('host-0'));
  const texts = ['', 'x', pem('host-0'), host.publicPem.slice(0, 300), der.toString('base64')];
  for (const bad of [...texts, new Uint8Array(0), der.subarray(1), der.subarray(0, 400)]) {
    assert.throws(() => peerKey(bad), MALFORMED);
  }
});

test('a modulus that parses but is none is found at the first use', () => {
  const even = Uint8Array.from(spki(privateKey('host-0')));
  const last = even.length - 6; // before the exponent: 02 03 01 00 01
  const key = peerKey(even.with(last, even[last]! & 0xfe));
  assert.throws(() => key.wrap(SECRET), MALFORMED);
  assert.equal(key.verify(SECRET, new Uint8Array(512)), false);
});

test('the keys of a payer read back from their text', async () => {
  const again = payerKeyring.read(payer.privatePem);
  assert.deepEqual(again.publicDer, payer.publicDer);
  assert.deepEqual(await again.unwrap(peerKey(payer.publicDer).wrap(SECRET)), SECRET);
});

test('private keys of another kind are refused', async () => {
  const short = rsa2048.export({ type: 'pkcs8', format: 'pem' }).toString();
  for (const bad of [
    '',
    'x',
    host.publicPem,
    pem('receipt-0'),
    short,
    pem('host-0').slice(0, 900),
  ]) {
    assert.throws(() => payerKeyring.read(bad), MALFORMED);
  }
  await assert.rejects(hostKeys(rsa2048, ed25519), MALFORMED);
  await assert.rejects(hostKeys(ed25519, ed25519), MALFORMED);
  await assert.rejects(hostKeys(privateKey('host-0'), privateKey('host-1')), MALFORMED);
});

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error;
}
