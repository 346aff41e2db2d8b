/**
 * Encrypted calls over HTTP: nobody on the way reads or changes what is asked and answered.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fromBase64url, toHex, utf8 } from '../../src/base/bytes/index.ts';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import {
  callCode,
  decryptAnswer,
  encryptedHash,
  requestHash,
  encryptRequest,
} from '../../src/pay/bundle/index.ts';
import { Payer, type Encrypt, type PayerSession } from '../../src/payer/index.ts';
import { openNet, type Net, type NetRequest, type NetResponse } from '../../src/port/net/index.ts';
import { printCall } from '../../src/wire/toll/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

/** A way on which somebody listens and may put something else in place of an answer. */
class Tap implements Net {
  readonly #net = openNet();
  readonly seen: { request: NetRequest; answer: NetResponse }[] = [];
  forge: ((answer: NetResponse) => NetResponse) | undefined;

  async send(request: NetRequest): Promise<NetResponse> {
    const answer = await this.#net.send(request);
    if (!request.url.includes('/call/')) return answer;
    this.seen.push({ request, answer });
    return this.forge?.(answer) ?? answer;
  }

  close(): Promise<void> {
    return this.#net.close();
  }
}

const ENCRYPTED = 'application/vnd.tollcall.encrypted';
const SECRET = 'a secret of the payer';
let shop: TestShop;
const net = new Tap();
before(async () => {
  shop = await openShop();
});
after(async () => {
  await net.close();
  await shop.close();
});

async function buy(
  service: string,
  encrypt?: Encrypt,
  purchaseId = toHex(systemRandom.bytes(16)),
): Promise<PayerSession> {
  const payer = new Payer({
    net,
    store: shop.payerStore,
    wallet: shop.payerWallet,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    keyring: fixtureKeyring(),
    ...(encrypt === undefined ? {} : { encrypt }),
  });
  const link = await payer.connect(shop.url);
  const maxTotalMsat = msat(PRICE_MSAT * 3n);
  return payer.buy(link, { service, calls: 3, maxTotalMsat, purchaseId });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('latin1');
}

test('without TLS neither input nor answer are to be read on the way', async () => {
  const session = await buy('echo');
  net.seen.length = 0;
  const { result, balance } = await session.call({ text: SECRET });
  assert.deepEqual(result, { text: SECRET });
  assert.equal(balance?.callsLeft, 2);
  const [one] = net.seen;
  assert.equal(one?.answer.headers['content-type'], ENCRYPTED);
  assert.ok(!text(one.request.body).includes(SECRET) && !text(one.answer.body).includes(SECRET));
});

test('what is wrong with a call is encrypted too', async () => {
  const session = await buy('fail');
  net.seen.length = 0;
  await assert.rejects(session.call({ text: 'fault' }), faultOf('SERVICE_FAILED'));
  const [one] = net.seen;
  assert.equal(one?.answer.status, 502);
  assert.equal(one.answer.headers['content-type'], ENCRYPTED);
  assert.ok(!text(one.answer.body).includes('SERVICE_FAILED'));
});

test('"never" sends in the clear, "always" encrypts', async () => {
  net.seen.length = 0;
  await (await buy('echo', 'never')).call({ text: SECRET });
  assert.equal(net.seen[0]?.answer.headers['content-type'], 'application/json');
  await (await buy('echo', 'always')).call({ text: SECRET });
  assert.equal(net.seen[1]?.answer.headers['content-type'], ENCRYPTED);
});

const FORGED: readonly [what: string, forge: (answer: NetResponse) => NetResponse][] = [
  ['a changed byte', (a) => ({ ...a, body: a.body.map((b, i) => (i === 20 ? b ^ 1 : b)) })],
  ['another status', (a) => ({ ...a, status: 502 })],
  [
    'another balance',
    (a) => ({
      ...a,
      headers: { ...a.headers, 'toll-session': 'charged=0, credit=9, calls-left=9' },
    }),
  ],
  ['nothing', (a) => ({ ...a, body: new Uint8Array(0) })],
  [
    'an answer in the clear',
    (a) => ({
      ...a,
      headers: { ...a.headers, 'content-type': 'application/json' },
      body: utf8('{"text":"forged"}'),
    }),
  ],
  [
    'a verdict in the clear',
    (a) => ({
      ...a,
      status: 502,
      headers: { 'content-type': 'application/problem+json' },
      body: utf8('{"code":"SERVICE_FAILED"}'),
    }),
  ],
];

for (const [what, forge] of FORGED) {
  test(`forged, ${what}: not believed, and the call still gets its answer`, async () => {
    const session = await buy('echo');
    net.forge = forge;
    const call = session.call({ text: SECRET }, { callId: 'mine' });
    await assert.rejects(call, faultOf('HOST_MALFORMED'));
    net.forge = undefined;
    const { result, balance } = await session.call({ text: SECRET }, { callId: 'mine' });
    assert.deepEqual(result, { text: SECRET });
    assert.equal(balance?.chargedMsat, 0n);
    assert.equal((await session.status()).chargedMsat, PRICE_MSAT);
  });
}

test('a message sent again is answered in a new box with the same answer in it', async () => {
  const purchaseId = toHex(systemRandom.bytes(16));
  const { session } = await buy('echo', undefined, purchaseId);
  const { record = new Uint8Array(0) } = (await shop.payerStore.purchase(purchaseId)) ?? {};
  const { codeKey } = JSON.parse(Buffer.from(record).toString()) as { codeKey: string };
  const key = fromBase64url(codeKey, 'codeKey');
  const host = (await shop.payer.connect(shop.url)).key.fingerprint;
  const salt = systemRandom.bytes(16);
  const input = { text: SECRET };
  const fields = { host, session, n: 0n, done: 0n, salt };
  const hash = encryptedHash(requestHash('echo', input));
  const code = callCode(key, { ...fields, requestHash: hash });
  const credential = printCall({ ...fields, code });
  const call = { codeKey: key, salt, credential, service: 'echo' };
  const body = new Uint8Array(encryptRequest(call, utf8(JSON.stringify(input))));
  const headers = { 'content-type': ENCRYPTED, authorization: `Toll ${credential}` };
  const bodies: Uint8Array[] = [];
  for (const charged of [1000, 0]) {
    const answer = await fetch(`${shop.url}/call/echo`, { method: 'POST', headers, body });
    const balance = answer.headers.get('toll-session') ?? '';
    assert.ok(balance.startsWith(`charged=${charged},`));
    const encrypted = new Uint8Array(await answer.arrayBuffer());
    bodies.push(encrypted);
    const plain = decryptAnswer(call, { status: 200, balance }, encrypted);
    assert.equal(Buffer.from(plain).toString(), JSON.stringify(input));
  }
  assert.notDeepEqual(bodies[0], bodies[1]);
});

test('an overheard credential gets nothing in the clear, even for the right input', async () => {
  const session = await buy('echo');
  net.seen.length = 0;
  await session.call({ text: SECRET });
  const authorization = net.seen[0]?.request.headers['authorization'] ?? '';
  const headers = { authorization, 'content-type': 'application/json' };
  const params = { text: SECRET };
  const rpc = { jsonrpc: '2.0', id: 1, method: 'echo', params, toll: authorization.slice(5) };
  for (const [path, message] of [
    ['/call/echo', params],
    ['/rpc', rpc],
  ] as const) {
    const body = JSON.stringify(message);
    const answer = await fetch(`${shop.url}${path}`, { method: 'POST', headers, body });
    const said = await answer.text();
    assert.ok(said.includes('CODE_INVALID') && !said.includes(SECRET));
  }
});

for (const [what, change] of [
  ['nothing', () => new Uint8Array(0)],
  ['garbage', () => systemRandom.bytes(100)],
  ['JSON', () => utf8('{"text":"x"}')],
] as const) {
  test(`a box with ${what} in it: CODE_DECRYPT, nothing charged`, async () => {
    const session = await buy('echo');
    const zero = { n: 0n, done: 0n, salt: new Uint8Array(16), code: new Uint8Array(32) };
    const credential = printCall({ session: session.session, ...zero });
    const headers = { 'content-type': ENCRYPTED, authorization: `Toll ${credential}` };
    const sent = { method: 'POST', headers, body: change() };
    const answer = await fetch(`${shop.url}/call/echo`, sent);
    assert.equal(((await answer.json()) as { code: string }).code, 'CODE_DECRYPT');
    assert.equal((await session.status()).callsLeft, 3);
  });
}
