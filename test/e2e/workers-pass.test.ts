/**
 * Requests that come to the wrong worker: calls over lanes of another one, and all that is the
 * primary's. Every answer is the one that a host alone would have given.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import type { Json } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { service } from '../../src/host/index.ts';
import { balanceFromJson } from '../../src/wire/toll/index.ts';
import { hostPage } from '../../src/web/index.ts';
import { buyCredentials } from './credentials.ts';
import { PRICE_MSAT } from './shop.ts';
import { buyLanes, postTick, standing, type TestLane, type TickReply } from './tick-lane.ts';
import { openWorkerShop, type WorkerShop } from './worker-shop.ts';

let world: WorkerShop;

/** Costs as many units as its text is long. */
const words = service('words', {
  description: 'Costs a unit for each letter.',
  input: z.strictObject({ text: z.string() }),
  output: z.number(),
  price: { kind: 'each', priceMsat: PRICE_MSAT },
  ticks: {
    kind: 'quote',
    unitMsat: msat(7),
    quoteMsat: ({ text }) => msat(7n * BigInt(text.length)),
  },
  handler: ({ text }) => text.length,
});

let counted = 0;
/** Never says the same twice. */
const count = service('count', {
  description: 'Says how often it was asked.',
  input: z.strictObject({ text: z.string() }),
  output: z.number(),
  price: { kind: 'each', priceMsat: PRICE_MSAT },
  handler: () => ++counted,
});

before(async () => {
  world = await openWorkerShop({ services: [words, count], page: hostPage });
});
after(() => world.close());

/** A lane that a worker has, as it has served a call of it. */
async function laneOf(place: 0 | 1, units: number, name = 'echo'): Promise<TestLane> {
  const { shop } = world.workers[place];
  const [lane] = await buyLanes(shop, { service: name, units });
  assert(lane);
  await lane.call({ n: 0, index: 1 });
  return lane;
}

function otherUrl(place: 0 | 1): string {
  return world.workers[place === 0 ? 1 : 0].url;
}

interface Reply {
  readonly id: unknown;
  readonly result?: Json;
  readonly toll?: Json;
  readonly error?: { readonly data: { readonly code: string } };
}

async function rpc(url: string, body: unknown): Promise<Response> {
  return fetch(`${url}/rpc`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

function tooMany(item: object): string {
  return JSON.stringify(Array.from({ length: 65 }, () => item));
}

test('a call is answered wherever it lands, with the same bytes, and charged once', async () => {
  const lane = await laneOf(0, 10);
  const input = { text: 'the same' };
  const credential = lane.credential({ n: 1, index: 2, input });
  const first = await postTick(otherUrl(0), 'echo', credential, input);
  assert.deepEqual(first.body, input);
  assert.equal(first.balance, 'charged=1000, credit=0, calls-left=8');
  for (const { url } of world.workers) {
    const again = await postTick(url, 'echo', credential, input);
    assert.deepEqual(again.body, input);
    assert.equal(again.balance, 'charged=0, credit=0, calls-left=8');
  }
  const other = lane.credential({ n: 1, index: 2, input: { text: 'other' } });
  assert.equal(
    (await postTick(otherUrl(0), 'echo', other, { text: 'other' })).code,
    'CALL_CONFLICT',
  );
  assert.equal((await standing(lane)).spent, 2);
});

test('a refusal comes back with its facts', async () => {
  const lane = await laneOf(0, 100, 'words');
  const input = { text: 'four' };
  const credential = lane.credential({ n: 1, index: 2, input });
  const [own, passed] = [
    await postTick(world.workers[0].url, 'words', credential, input),
    await postTick(world.workers[1].url, 'words', credential, input),
  ];
  assert.equal(own.code, 'TICK_SHORT');
  assert.deepEqual(passed, own);
  const { facts } = passed.body as { readonly facts: unknown };
  assert.deepEqual(facts, { n: 1, units: 4, credit: 1 });
});

test('a call that fails, or takes too long, where it was passed on to', async () => {
  const failing = await laneOf(0, 5, 'fail');
  const slow = await laneOf(1, 5, 'slow');
  assert.equal(
    (await postTick(otherUrl(0), 'fail', failing.credential({ n: 1 }))).code,
    'SERVICE_FAILED',
  );
  assert.equal(
    (await postTick(otherUrl(1), 'slow', slow.credential({ n: 1 }))).code,
    'SERVICE_TIMEOUT',
  );
  for (const lane of [failing, slow]) assert.equal((await standing(lane)).spent, 0);
});

test('a batch of everything: each item goes where it belongs', async () => {
  const [here, there] = [await laneOf(0, 10), await laneOf(1, 10)];
  const bundle = await buyCredentials(world.workers[1].shop, 'echo', 3);
  const call = (id: unknown, toll: string | undefined, method = 'echo'): object => ({
    jsonrpc: '2.0',
    ...(id === undefined ? {} : { id }),
    method,
    params: { text: 'a' },
    ...(toll === undefined ? {} : { toll }),
  });
  const batch = [
    call(1, here.credential({ n: 1, index: 2 })),
    call('two', there.credential({ n: 1, index: 2 })),
    call(3, bundle(0n, { text: 'a' })),
    call(undefined, there.credential({ n: 2, index: 3 })),
    call(undefined, bundle(1n, { text: 'a' })),
    { jsonrpc: '2.0', id: 6, method: 'toll.describe' },
    call(7, undefined),
    call(8, here.credential({ n: 2, index: 3 }), 'nothing'),
    call(9, 't1.garbage'),
    { id: 10, toll: 't1.garbage' },
    null,
    call(null, undefined, 'toll.nothing'),
    call(13, here.credential({ n: 3, index: 4 }), 'toll.session'),
  ];
  const response = await rpc(world.workers[0].url, batch);
  assert.equal(response.status, 200);
  const replies = (await response.json()) as Reply[];
  assert.deepEqual(
    replies.map(({ id, result, error }) => [id, error?.data.code ?? typeof result]),
    [
      [1, 'object'],
      ['two', 'object'],
      [3, 'object'],
      [6, 'object'],
      [7, 'CODE_MISSING'],
      [8, 'SERVICE_UNKNOWN'],
      [9, 'CODE_MALFORMED'],
      [10, 'REQUEST_MALFORMED'],
      [null, 'REQUEST_MALFORMED'],
      [null, 'REQUEST_UNKNOWN'],
      [13, 'CODE_MALFORMED'],
    ],
  );
  for (const { toll } of replies.slice(0, 3)) {
    assert.equal(balanceFromJson(toll).chargedMsat, PRICE_MSAT);
  }
  assert.equal((await standing(here)).spent, 2);
  assert.equal((await standing(there)).spent, 3, 'with its notification');
});

test('notifications alone have no answer', async () => {
  const lane = await laneOf(1, 5);
  const note = (toll: string): object => ({
    jsonrpc: '2.0',
    method: 'echo',
    params: { text: 'a' },
    toll,
  });
  const calls = [1, 2].map((n) => note(lane.credential({ n, index: n + 1 })));
  const response = await rpc(world.workers[0].url, calls);
  assert.deepEqual([response.status, await response.text()], [204, '']);
  const one = await rpc(world.workers[0].url, { jsonrpc: '2.0', method: 'toll.describe' });
  assert.deepEqual([one.status, await one.text()], [204, '']);
  assert.equal((await standing(lane)).spent, 3);
});

test('what is not a call over a lane is answered as by the primary itself', async () => {
  const json = { 'content-type': 'application/json' };
  const etag = (await fetch(`${world.shop.url}/openapi.json`)).headers.get('etag') ?? '';
  const requests: readonly [path: string, init: RequestInit][] = [
    ['/', {}],
    ['/', { headers: { accept: 'text/html' } }],
    ['/', { method: 'HEAD' }],
    ['/', { method: 'HEAD', headers: { accept: 'text/html' } }],
    ['/openapi.json', { headers: { 'if-none-match': etag } }],
    ['/openapi.json', { method: 'HEAD', headers: { 'if-none-match': etag } }],
    ['/openrpc.json?a=b', {}],
    ['/health', {}],
    ['/health', { method: 'HEAD' }],
    ['/ready', {}],
    ['/nothing', {}],
    ['/nothing', { method: 'DELETE' }],
    ['/call/echo', {}],
    ['/call/echo', { method: 'POST', headers: json, body: '{}' }],
    ['/call/echo', { method: 'POST', body: 'x' }],
    ['/call/echo', { method: 'PUT', headers: { ...json, authorization: 'Toll t1.x' }, body: '{}' }],
    ['/call/echo', { method: 'POST', headers: { authorization: 'Toll b1.x' }, body: '{}' }],
    ['/call/echo', { method: 'POST', headers: { authorization: 'Basic x' }, body: '{}' }],
    ['/call/a%20b', { method: 'POST', headers: { ...json, authorization: 'Toll b1.x' } }],
    [
      '/call/echo',
      {
        method: 'POST',
        headers: {
          'content-type': 'application/vnd.tollcall.encrypted',
          authorization: 'Toll t1.x',
        },
        body: 'x',
      },
    ],
    // Calls over lanes that nobody gets to.
    ['/call/echo', { method: 'POST', headers: { authorization: 'Toll t1.x' }, body: '{}' }],
    ['/call/no', { method: 'POST', headers: { ...json, authorization: 'Toll t1.x' }, body: '{}' }],
    ['/call/echo', { method: 'POST', headers: { ...json, authorization: 'Toll t1.' }, body: '{' }],
    ['/rpc', {}],
    ['/rpc', { method: 'POST', body: '{}' }],
    ['/rpc', { method: 'POST', headers: json, body: '{"a":1,"a":2}' }],
    ['/rpc', { method: 'POST', headers: json, body: '[]' }],
    ['/rpc', { method: 'POST', headers: json, body: '[1,{},{"toll":"t1.x"}]' }],
    ['/rpc', { method: 'POST', headers: json, body: tooMany({}) }],
    ['/rpc', { method: 'POST', headers: json, body: tooMany({ toll: 't1.x' }) }],
    [
      '/rpc',
      { method: 'POST', headers: json, body: '{"jsonrpc":"2.0","id":1,"method":"toll.describe"}' },
    ],
    ['/rpc', { method: 'POST', headers: json, body: `"${'a'.repeat(1024 * 1024)}"` }],
  ];
  for (const [path, init] of requests) {
    const [expected, ...answers] = await Promise.all(
      [world.shop.url, ...world.workers.map(({ url }) => url)].map(async (url) => {
        const response = await fetch(url + path, init);
        const headers = Object.fromEntries(response.headers);
        delete headers['date'];
        return { status: response.status, headers, body: await response.text() };
      }),
    );
    for (const answer of answers) {
      assert.deepEqual(answer, expected, `${path} ${JSON.stringify(init).slice(0, 200)}`);
    }
  }
});

test('a bundle, its questions and its receipt through a worker', async () => {
  const { shop } = world.workers[1];
  const link = await shop.payer.connect(shop.url);
  const maxTotalMsat = msat(3n * PRICE_MSAT);
  const session = await shop.payer.buy(link, { service: 'echo', calls: 3, maxTotalMsat });
  const { result } = await session.call({ text: 'a' });
  assert.deepEqual(result, { text: 'a' });
  assert.equal((await session.status()).chargedMsat, PRICE_MSAT);
  assert.equal((await session.receipt()).facts.servedMsat, PRICE_MSAT);
});

test('a lane whose calls come through another worker is let go, and nobody notices', async () => {
  const lane = await laneOf(0, 200);
  const id = Buffer.from(lane.lane, 'hex');
  const [first, second] = world.workers;
  assert.ok(first.lanes.lanes.slotOf(id) >= 0);
  for (let n = 1; n <= 70; n++) {
    const input = { text: `${n}` };
    const credential = lane.credential({ n, done: n, index: n + 1, input });
    const { body, balance } = await postTick(second.url, 'echo', credential, input);
    assert.deepEqual(body, input);
    assert.equal(balance, `charged=1000, credit=0, calls-left=${200 - n - 1}`);
  }
  assert.equal(first.lanes.lanes.slotOf(id), -1);
  assert.ok(second.lanes.lanes.slotOf(id) >= 0);
  // The first worker still believes that it is the owner's neighbour, and then learns better.
  const credential = lane.credential({ n: 71, done: 71, index: 72 });
  assert.equal((await postTick(first.url, 'echo', credential)).status, 200);
  assert.equal((await standing(lane)).spent, 72);
});

test('no answer is made again for nothing by having its lane move to and fro', async () => {
  const lane = await laneOf(0, 200, 'count');
  const urls = world.workers.map(({ url }) => url);
  const [, second = ''] = urls;
  const send = (url: string, n: number): Promise<TickReply> =>
    postTick(url, 'count', lane.credential({ n, index: n + 1 }));
  const answers = await Promise.all(Array.from({ length: 63 }, (_, i) => send(second, i + 1)));
  for (const url of urls.toReversed()) {
    for (let n = 1; n <= 65; n++) {
      const { body, balance } = await send(url, 1 + (n % 63));
      assert.deepEqual(body, answers[n % 63]?.body);
      assert.equal(balance?.startsWith('charged=0'), true);
    }
  }
  assert.equal((await standing(lane)).spent, 64);
});

test('a lane that moves under a crowd of calls charges each of them once', async () => {
  const lane = await laneOf(0, 500);
  const urls = world.workers.map(({ url }) => url);
  let done = 1;
  for (let round = 0; round < 6; round++) {
    // All through the worker that does not have it now: first a long row, then both at once.
    const url = urls[round % 2] ?? '';
    for (let i = 0; i < 65; i++, done++) {
      const credential = lane.credential({ n: done, done, index: done + 1 });
      assert.equal((await postTick(url, 'echo', credential)).status, 200);
    }
    const numbers = Array.from({ length: 10 }, (_, i) => done + i);
    const both = numbers.flatMap((n) =>
      urls.map((to) => postTick(to, 'echo', lane.credential({ n, done, index: n + 1 }))),
    );
    const replies = await Promise.all(both);
    assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
    const charged = replies.filter(({ balance }) => balance?.startsWith('charged=1000') === true);
    assert.equal(charged.length, numbers.length);
    done += numbers.length;
  }
  assert.equal((await standing(lane)).spent, done);
});
