/**
 * The set-up exchange with the primitives of both sides, and every way to spoil it.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromUtf8, toHex, utf8 } from '../../base/bytes/index.ts';
import { isFault } from '../../base/fault/index.ts';
import { decryptOnce, encryptOnce } from '../../base/hash/index.ts';
import { jsonObject, parseJson, type Json } from '../../base/json/index.ts';
import { seededRandom } from '../../base/random/index.ts';
import { peerKey, syncHostKeys, syncPayerKeys } from '../../../test/fixtures/keys.ts';
import {
  BUNDLE_PROTOCOL,
  binaryMember,
  codeKey,
  ephemeralPublic,
  member,
  messageHash,
  quoteBox,
  orderBox,
  parseSetupReply,
  parseSetupRequest,
  receiptKeyStatement,
  replyStatement,
  sharedSecret,
  type SetupReply,
  type SetupRequest,
  type SetupSecrets,
} from './index.ts';

const HOST = syncHostKeys();
const PAYER = syncPayerKeys();
const hostKey = peerKey(HOST.publicPem);
const MALFORMED = { code: 'SETUP_MALFORMED' };
/** A Fault, or the failed check of the signature in `accept`. */
const REFUSED = (error: unknown): boolean =>
  isFault(error) || error instanceof assert.AssertionError;
const other = (text: string): string => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);

interface Sent {
  readonly request: SetupRequest;
  readonly payerSecret: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly grant: Uint8Array;
}

/** The payer's side: an order goes out. */
function order(seed: number): Sent {
  const random = seededRandom(seed);
  const payerSecret = random.bytes(32);
  const ephemeral = random.bytes(32);
  const grant = random.bytes(32);
  const head = {
    protocol: BUNDLE_PROTOCOL,
    host: HOST.fingerprint,
    payer: member(PAYER.publicDer),
    ephemeral: member(ephemeralPublic(ephemeral)),
    wrapped: member(hostKey.wrap(payerSecret)),
  } as const;
  const box = orderBox(payerSecret, head);
  const plain = utf8(JSON.stringify({ service: 'quotes', calls: 4, grant: member(grant) }));
  const request = { ...head, encrypted: member(encryptOnce(box.key, plain, box.associated)) };
  return { request, payerSecret, ephemeral, grant };
}

/** The host's side: opens the order, offers. */
async function quote(value: Json): Promise<{ reply: SetupReply; key: Uint8Array; order: Json }> {
  const random = seededRandom(99);
  const request = parseSetupRequest(value);
  const payerSecret = await HOST.unwrap(binaryMember(request.wrapped, 'wrapped'));
  const asked = orderBox(payerSecret, request);
  const opened = decryptOnce(
    asked.key,
    binaryMember(request.encrypted, 'encrypted'),
    asked.associated,
  );
  const order = jsonObject(parseJson(opened));
  const [hostSecret, ephemeral] = [random.bytes(32), random.bytes(32)];
  const secrets: SetupSecrets = {
    payerSecret,
    hostSecret,
    shared: sharedSecret(ephemeral, binaryMember(request.ephemeral, 'ephemeral', 32)),
    grant: binaryMember(order['grant'], 'grant', 32),
  };
  const setup = messageHash(request);
  const head = {
    protocol: BUNDLE_PROTOCOL,
    setup: toHex(setup),
    ephemeral: member(ephemeralPublic(ephemeral)),
    wrapped: member(peerKey(binaryMember(request.payer, 'payer')).wrap(hostSecret)),
  } as const;
  const box = quoteBox(secrets, head);
  const encrypted = member(encryptOnce(box.key, utf8('{"session":"s"}'), box.associated));
  const signature = member(await HOST.sign(replyStatement(setup, { ...head, encrypted })));
  return { reply: { ...head, encrypted, signature }, key: codeKey(secrets, head), order };
}

/** The payer's side again: checks the signature, then opens the quote. */
async function accept(sent: Sent, value: Json): Promise<{ key: Uint8Array; quote: string }> {
  const reply = parseSetupReply(value);
  const statement = replyStatement(messageHash(sent.request), reply);
  assert.ok(hostKey.verify(statement, binaryMember(reply.signature, 'signature')), 'signature');
  const secrets: SetupSecrets = {
    payerSecret: sent.payerSecret,
    hostSecret: await PAYER.unwrap(binaryMember(reply.wrapped, 'wrapped')),
    shared: sharedSecret(sent.ephemeral, binaryMember(reply.ephemeral, 'ephemeral', 32)),
    grant: sent.grant,
  };
  const box = quoteBox(secrets, reply);
  const plain = decryptOnce(box.key, binaryMember(reply.encrypted, 'encrypted'), box.associated);
  return { key: codeKey(secrets, reply), quote: fromUtf8(plain, 'quote') };
}

test('both sides end with the same key, and nothing of it is on the wire', async () => {
  const sent = order(1);
  const { reply, key, order: read } = await quote(parseJson(JSON.stringify(sent.request)));
  assert.deepEqual(read, { service: 'quotes', calls: 4, grant: member(sent.grant) });
  const accepted = await accept(sent, parseJson(JSON.stringify(reply)));
  assert.deepEqual(accepted.key, key);
  assert.equal(accepted.quote, '{"session":"s"}');
  const wire = JSON.stringify([sent.request, reply]);
  for (const secret of [key, sent.payerSecret, sent.ephemeral, sent.grant]) {
    assert.ok(!wire.includes(member(secret)) && !wire.includes(toHex(secret)));
  }
});

test('another exchange has another key', async () => {
  const keys = await Promise.all([1, 2].map(async (seed) => quote(order(seed).request)));
  assert.notDeepEqual(keys[0]!.key, keys[1]!.key);
});

test('the host refuses an order of which any member was changed', async () => {
  const { request } = order(3);
  for (const name of ['protocol', 'host', 'payer', 'ephemeral', 'wrapped', 'encrypted'] as const) {
    await assert.rejects(quote({ ...request, [name]: other(request[name]) }), REFUSED, name);
  }
});

test('an order for this host does not open when it names another one', async () => {
  const { request } = order(4);
  const elsewhere = { ...request, host: syncHostKeys(1).fingerprint };
  await assert.rejects(quote(elsewhere), { code: 'BYTES_MALFORMED' });
});

test('the payer refuses a reply of which any member was changed', async () => {
  const sent = order(5);
  const { reply } = await quote(sent.request);
  for (const name of ['protocol', 'ephemeral', 'wrapped', 'encrypted', 'signature'] as const) {
    await assert.rejects(accept(sent, { ...reply, [name]: other(reply[name]) }), REFUSED, name);
  }
  // `setup` is not taken from the reply, but from the message that was sent.
  await assert.rejects(accept(sent, { ...reply, setup: other(reply.setup) }), REFUSED);
});

test('a reply to another order does not fit, nor one that another host signed', async () => {
  const [mine, theirs] = [order(6), order(7)];
  const { reply } = await quote(theirs.request);
  await assert.rejects(accept(mine, reply), /signature/);
  const statement = replyStatement(messageHash(theirs.request), reply);
  const forged = member(await syncHostKeys(1).sign(statement));
  await assert.rejects(accept(theirs, { ...reply, signature: forged }), /signature/);
});

test('the key depends on each of the four secrets and on the reply', () => {
  const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
  const secrets: SetupSecrets = {
    payerSecret: bytes(1),
    hostSecret: bytes(2),
    shared: bytes(3),
    grant: bytes(4),
  };
  const reply = { setup: 'ab', ephemeral: 'cd', wrapped: 'ef' };
  const names = ['payerSecret', 'hostSecret', 'shared', 'grant'] as const;
  const keys = [
    codeKey(secrets, reply),
    ...names.map((name) => codeKey({ ...secrets, [name]: bytes(9) }, reply)),
    ...Object.keys(reply).map((name) => codeKey(secrets, { ...reply, [name]: 'zz' })),
    quoteBox(secrets, reply).key,
    orderBox(secrets.payerSecret, order(1).request).key,
  ];
  assert.equal(new Set(keys.map(toHex)).size, keys.length);
});

test('a message has all members, all texts, and nothing else', async () => {
  const { request } = order(8);
  const { reply } = await quote(request);
  const { encrypted: _encrypted, ...less } = request;
  const bad = [
    less,
    { ...request, extra: 'x' },
    { ...request, encrypted: 1 },
    { ...request, encrypted: null },
  ];
  const strange = [null, undefined, [], 'text', 7, {}, parseJson('{"__proto__":{}}')];
  for (const value of [...bad, ...strange, { ...request, protocol: 'tollcall-bundle-2' }, reply]) {
    assert.throws(() => parseSetupRequest(value), MALFORMED);
  }
  for (const value of [...strange, { ...reply, extra: 'x' }, { ...reply, setup: 1 }, request]) {
    assert.throws(() => parseSetupReply(value), MALFORMED);
  }
});

test('the order of members does not change the hash of a message', () => {
  const { request } = order(9);
  const reversed = Object.fromEntries(Object.entries(request).toReversed());
  assert.deepEqual(messageHash(reversed), messageHash(request));
});

test('a binary member is canonical base64url of the right length', () => {
  assert.deepEqual(binaryMember('AQID', 'x'), Uint8Array.of(1, 2, 3));
  assert.deepEqual(binaryMember('AQID', 'x', 3), Uint8Array.of(1, 2, 3));
  for (const bad of ['AQID=', 'AQI=', 'A', 1, null, undefined]) {
    assert.throws(() => binaryMember(bad, 'x'), { ...MALFORMED, facts: { name: 'x' } });
  }
  assert.throws(() => binaryMember('AQID', 'x', 4), MALFORMED);
});

test('an ephemeral key of low order is refused (RFC 7748, section 6.1)', () => {
  const one = new Uint8Array(32).with(0, 1);
  for (const low of [new Uint8Array(32), one, new Uint8Array(5)]) {
    assert.throws(() => sharedSecret(new Uint8Array(32).fill(5), low), MALFORMED);
  }
});

test('the host certifies its receipt key', () => {
  const { receiptKey, receiptCertificate } = HOST;
  assert.ok(hostKey.verify(receiptKeyStatement(receiptKey), receiptCertificate));
  assert.ok(!hostKey.verify(receiptKeyStatement(receiptKey.with(0, 0xff)), receiptCertificate));
  assert.ok(
    !peerKey(syncHostKeys(1).publicPem).verify(receiptKeyStatement(receiptKey), receiptCertificate),
  );
});
