/**
 * What a thief or a vandal would try on a host: none of it costs the payer or the host anything
 * that is not written down.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { toBase64url } from '../../src/base/bytes/index.ts';
import type { Json } from '../../src/base/json/index.ts';
import { service } from '../../src/host/index.ts';
import { peerKey } from '../../src/port/keys/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { makeSetup } from '../../src/payer/setup.ts';
import { fixturePayerKeys } from '../fixtures/keys.ts';
import { buyCredentials } from './credentials.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

const price = { kind: 'each', priceMsat: PRICE_MSAT } as const;
const common = { description: 'For thieves.', input: z.any(), output: z.any(), price };
/** What the handlers below do now. */
const state = { fails: true, begun: 0 };
const BIG = 'x'.repeat(200_000);

let shop: TestShop;
before(async () => {
  shop = await openShop({
    // Nothing is held for repeats, so that each repeat is made again.
    limits: { answerBytes: 0 },
    services: [
      service('moody', {
        ...common,
        handler: () => {
          state.begun++;
          if (state.fails) throw new Error('not now');
          return { at: state.begun };
        },
      }),
      service('half', { ...common, handler: () => ({ text: 'ab😀'.slice(0, 3) }) }),
      service('deep', { ...common, handler: () => nested(100) }),
      service('big', { ...common, effect: 'once', handler: () => BIG }),
      service('stuck', {
        ...common,
        // Long enough for all who ask to arrive meanwhile.
        timeoutMs: 2_000,
        handler: () => new Promise<never>(() => undefined),
      }),
    ],
  });
});
after(() => shop.close());

function nested(depth: number): Json {
  return depth === 0 ? [] : [nested(depth - 1)];
}

async function call(name: string, input: Json, credential: string): Promise<[number, string]> {
  const answer = await fetch(`${shop.url}/call/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Toll ${credential}` },
    body: JSON.stringify(input),
  });
  return [answer.status, await answer.text()];
}

function codeOf(text: string): string {
  return (JSON.parse(text) as { code: string }).code;
}

test('the bytes of a call that failed are worth nothing', async () => {
  const credentials = await buyCredentials(shop, 'moody', 2);
  const credential = credentials(0n, {});
  state.fails = true;
  const [, first] = await call('moody', {}, credential);
  assert.equal(codeOf(first), 'SERVICE_FAILED');
  state.fails = false;
  const before = state.begun;
  const [, again] = await call('moody', {}, credential);
  const [, fresh] = await call('moody', {}, credentials(0n, {}));
  assert.deepEqual([codeOf(again), codeOf(fresh)], ['CALL_FAILED', 'CALL_FAILED']);
  assert.equal(state.begun, before);
  assert.equal((await shop.books.sheet()).servedMsat, 0n);
  const [status] = await call('moody', {}, credentials(1n, {}));
  assert.equal(status, 200);
});

test('an answer that cannot be made again is not called free', async () => {
  const credentials = await buyCredentials(shop, 'moody', 1);
  state.fails = false;
  const [status] = await call('moody', {}, credentials(0n, {}));
  assert.equal(status, 200);
  state.fails = true;
  const [, text] = await call('moody', {}, credentials(0n, {}));
  const problem = JSON.parse(text) as { code: string; money: string };
  assert.deepEqual([problem.code, problem.money], ['CALL_RERUN_FAILED', 'spent']);
});

for (const name of ['half', 'deep']) {
  test(`an answer that nobody could read is not charged: ${name}`, async () => {
    const credentials = await buyCredentials(shop, name, 1);
    const served = (await shop.books.sheet()).servedMsat;
    const [, text] = await call(name, {}, credentials(0n, {}));
    assert.equal(codeOf(text), 'SERVICE_FAILED');
    assert.equal((await shop.books.sheet()).servedMsat, served);
  });
}

test('a batch of repeats does not become an answer without end', async () => {
  const credentials = await buyCredentials(shop, 'big', 1);
  const batch = Array.from({ length: 64 }, (_, id) => {
    return { jsonrpc: '2.0', id, method: 'big', params: {}, toll: credentials(0n, {}) };
  });
  await call('big', {}, credentials(0n, {}));
  const answer = await fetch(`${shop.url}/rpc`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(batch),
  });
  const text = await answer.text();
  assert(text.length < 5_000_000);
  const codes = (
    JSON.parse(text) as { error?: { data: { code: string; money: string } } }[]
  ).flatMap(({ error }) => (error ? [`${error.data.code} ${error.data.money}`] : []));
  assert(codes.length > 30);
  assert.deepEqual([...new Set(codes)], ['CALL_ANSWER_LARGE spent']);
});

test('few wait for one call, and a handler that never ends keeps one place', async () => {
  const credentials = await buyCredentials(shop, 'stuck', 1);
  const asked = Array.from({ length: 20 }, () => call('stuck', {}, credentials(0n, {})));
  const codes = (await Promise.all(asked)).map(([, text]) => codeOf(text));
  assert.equal(codes.filter((code) => code === 'SERVICE_TIMEOUT').length, 9);
  assert.equal(codes.filter((code) => code === 'CALL_BUSY').length, 11);
});

test('a set-up that cannot work makes no invoice', async () => {
  const link = await shop.payer.connect(shop.url);
  const order = { lines: [{ service: 'echo', calls: 1 }], maxTotalMsat: PRICE_MSAT };
  const key = peerKey(link.key.publicPem);
  const { request } = makeSetup(order, key, fixturePayerKeys(), systemRandom);
  const invoices = await shop.hostWallet.listIncoming(0n, 1000);
  const lowOrder = { ...request, ephemeral: toBase64url(new Uint8Array(32)) };
  const answer = await fetch(`${shop.url}/rpc`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'toll.setup', params: lowOrder }),
  });
  const { error } = (await answer.json()) as { error: { data: { code: string } } };
  assert(['SETUP_MALFORMED', 'SETUP_DECRYPT'].includes(error.data.code));
  assert.equal((await shop.hostWallet.listIncoming(0n, 1000)).length, invoices.length);
});
