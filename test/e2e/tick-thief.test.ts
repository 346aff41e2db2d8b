/**
 * What a thief or a vandal would try with ticks: whoever knows secrets, copies credentials, forges
 * numbers or fails on purpose gets nothing that was not paid for.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { fromHex } from '../../src/base/bytes/index.ts';
import type { Json, JsonObject } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { service } from '../../src/host/index.ts';
import { callCode, requestHash } from '../../src/pay/bundle/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import { parseRecord } from '../../src/payer/record.ts';
import { makeSetup } from '../../src/payer/setup.ts';
import { printCall } from '../../src/wire/toll/index.ts';
import { fixturePayerKeys } from '../fixtures/keys.ts';
import { buyCredentials } from './credentials.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';
import { buyLanes, postTick, standing, type TestLane } from './tick-lane.ts';

const MOST = 2 ** 32 - 1;
const state = { fails: true };
const price = { kind: 'each', priceMsat: PRICE_MSAT } as const;
const any = { description: 'For thieves.', input: z.any(), output: z.any(), price };
const quoted = (quoteMsat: (input: Json) => unknown): { ticks: never } => ({
  ticks: { kind: 'quote', unitMsat: msat(1), quoteMsat } as never,
});

let shop: TestShop;
before(async () => {
  const echo = { handler: (input: Json) => input };
  shop = await openShop({
    limits: { hotLanes: 3, refundAfterMs: 0 },
    services: [
      service('moody', {
        ...any,
        handler: () => {
          if (state.fails) throw new Error('not now');
          return 1;
        },
      }),
      service('throws', { ...any, ...echo, ...quoted(() => assert.fail('a secret')) }),
      service('nonsense', { ...any, ...echo, ...quoted(() => 'much') }),
      service('promises', { ...any, ...echo, ...quoted(() => Promise.reject(new Error('x'))) }),
      service('negative', { ...any, ...echo, ...quoted(() => -5n) }),
      service('huge', { ...any, ...echo, ...quoted(() => 10n ** 15n) }),
      service('dear', { ...any, ...echo, ...quoted(() => 2n ** 70n) }),
      service('free', { ...any, ...echo, ...quoted(() => 0n) }),
    ],
  });
});
after(async () => {
  assert.ok(isBalanced(await shop.books.sheet()));
  await shop.close();
});

async function one(name = 'echo', units = 5): Promise<TestLane> {
  const [lane] = await buyLanes(shop, { service: name, units });
  return lane ?? assert.fail();
}

test('a copy of a credential is answered and costs nothing, 64 at once too', async () => {
  const lane = await one();
  const replies = await Promise.all(Array.from({ length: 64 }, () => lane.call({})));
  assert(replies.every(({ code }) => code === undefined || code === 'CALL_BUSY'));
  assert.equal((await standing(lane)).spent, 1);
  const again = await lane.call({});
  assert.match(again.balance ?? '', /^charged=0, /);
  assert.equal((await lane.call({ input: { text: 'b' } })).code, 'CALL_CONFLICT');
});

test('a secret is worth nothing without the key of its lane', async () => {
  const [lane, other] = [await one(), await one()];
  await lane.call({});
  // The secret of one lane in another one, and the lane of one with the key of another one.
  const secret = lane.secret(2);
  assert.equal((await other.call({ index: 2, secret })).code, 'TICK_INVALID');
  assert.equal((await other.call({ lane: fromHex(lane.lane, 'lane') })).code, 'CODE_INVALID');
  assert.equal((await lane.call({ n: 1, index: 2, code: '00'.repeat(16) })).code, 'CODE_INVALID');
  assert.equal((await lane.call({ lane: systemRandom.bytes(16) })).code, 'LANE_UNKNOWN');
  assert.deepEqual(await standing(lane), { index: 1, spent: 1, done: 0, closed: false });
});

test('a credential for another service, or another input, is none', async () => {
  const lane = await one();
  const credential = lane.credential({});
  const posted = await postTick(shop.url, 'echo', credential, { text: 'b' });
  assert.equal(posted.code, 'CODE_INVALID');
  assert.equal((await postTick(shop.url, 'moody', credential)).code, 'CODE_INVALID');
  // Its owner cannot use it for another service either.
  assert.equal((await lane.call({ service: 'moody' })).code, 'CODE_INVALID');
  assert.equal((await lane.call({ service: 'nothing' })).code, 'SERVICE_UNKNOWN');
});

test('codes of bundles pay for nothing in lanes, and the other way round', async () => {
  const lane = await one();
  const { session } = lane.session;
  const purchase = await shop.payerStore.purchaseBySession(session);
  const record = parseRecord(purchase?.record ?? new Uint8Array(0));
  assert(record.stage === 'session');
  const key = record.codeKey;
  const host = (await shop.payer.connect(shop.url)).key.fingerprint;
  const fields = { host, session, n: 0n, done: 0n, salt: systemRandom.bytes(16) };
  const code = callCode(key, { ...fields, requestHash: requestHash('echo', { text: 'a' }) });
  const posted = await postTick(shop.url, 'echo', printCall({ ...fields, code }));
  assert.equal(posted.code, 'CODE_INVALID');
  const bundle = await buyCredentials(shop, 'echo', 2);
  const disguised = bundle(0n, { text: 'a' }).replace(/^[^.]*\./, 't1.');
  assert.equal((await postTick(shop.url, 'echo', disguised)).code, 'CODE_MALFORMED');
  await assert.rejects(
    lane.session.topUp({ calls: 5, maxTotalMsat: msat(10_000), service: 'echo' }),
    { code: 'SERVICE_UNKNOWN' },
  );
});

test('credentials that are damaged are no credentials', async () => {
  const lane = await one();
  const text = lane.credential({});
  const damaged = [
    text.slice(0, -1),
    `${text}A`,
    `${text.slice(0, -1)}=`,
    't1.',
    `T1${text.slice(2)}`,
  ];
  // The last character has bits that stand for nothing: only one spelling is taken.
  const spelled = `${text.slice(0, -1)}${text.endsWith('B') ? 'C' : 'B'}`;
  for (const credential of [...damaged, spelled, text.replace('.', ' ')]) {
    assert.equal((await postTick(shop.url, 'echo', credential)).code, 'CODE_MALFORMED', credential);
  }
});

test('ticks beyond the end, too far ahead, or of no lane', async () => {
  const lane = await one('echo', 100_000);
  const codes = async (forged: object): Promise<string | undefined> =>
    (await lane.call({ n: 0, ...forged })).code;
  assert.equal(await codes({ index: 100_001 }), 'TICK_INDEX');
  assert.equal(await codes({ index: MOST }), 'TICK_INDEX');
  assert.equal(await codes({ index: 65_537 }), 'TICK_STEPS');
  assert.equal(await codes({ index: 65_536, secret: systemRandom.bytes(32) }), 'TICK_INVALID');
  assert.equal(await codes({ index: 2, secret: lane.secret(1) }), 'TICK_INVALID');
  assert.equal(await codes({ index: 0 }), 'TICK_SHORT');
  assert.equal((await standing(lane)).index, 0);
  assert.equal(await codes({ index: 65_536 }), undefined);
  assert.equal(await codes({ n: 1, index: 100_000 }), undefined);
  // A lower one adds nothing, and is not looked at.
  assert.equal(await codes({ n: 2, index: 5, secret: systemRandom.bytes(32) }), undefined);
  assert.deepEqual(await standing(lane), { index: 100_000, spent: 3, done: 0, closed: false });
});

test('whoever sends false ticks soon sends none', async () => {
  const own = await openShop({ limits: { budgetRuns: 20 } });
  try {
    const [lane] = await buyLanes(own, { service: 'echo', units: 100 });
    const codes: unknown[] = [];
    for (let i = 0; i < 25; i++) {
      codes.push((await lane?.call({ index: 60, secret: systemRandom.bytes(32) }))?.code);
    }
    assert.deepEqual(codes.slice(0, 20), Array(20).fill('TICK_INVALID'));
    assert.deepEqual(codes.slice(21), Array(4).fill('CALL_BUDGET'));
  } finally {
    await own.close();
  }
});

test('numbers at their ends, and a payer that declares too much resolved', async () => {
  const shop2 = await openShop();
  try {
    const [lane] = await buyLanes(shop2, { service: 'echo', units: 5 });
    assert(lane);
    assert.equal((await lane.call({ n: 64 })).code, 'CALL_WINDOW');
    assert.equal((await lane.call({ n: MOST })).code, 'CALL_WINDOW');
    assert.equal((await lane.call({ n: 63 })).code, undefined);
    assert.equal((await lane.call({ n: 3, done: 9 })).code, 'CALL_FORGOTTEN');
    assert.equal((await lane.call({ n: 4 })).code, 'CALL_FORGOTTEN', 'done does not go back');
    for (let done = 100; done < 2_000; done += 100) {
      assert.equal((await lane.call({ n: done - 1, done })).code, 'CALL_FORGOTTEN');
    }
    assert.equal((await lane.call({ n: MOST, done: MOST, index: 2 })).code, undefined);
    assert.match((await lane.call({ n: MOST, done: MOST, index: 2 })).balance ?? '', /^charged=0/);
    assert.equal((await lane.call({ n: 0, done: 0, index: 3 })).code, 'CALL_FORGOTTEN', 'no wrap');
    assert.equal((await standing(lane)).spent, 2);
  } finally {
    await shop2.close();
  }
});

test('a call that failed is dead; its tick pays the next one, once', async () => {
  const lane = await one('moody', 2);
  state.fails = true;
  assert.equal((await lane.call({})).code, 'SERVICE_FAILED');
  state.fails = false;
  assert.equal((await lane.call({})).code, 'CALL_FAILED');
  assert.equal((await lane.call({ n: 1 })).code, undefined, 'the same tick');
  assert.equal((await lane.call({ n: 2 })).code, 'TICK_SHORT');
  assert.equal((await lane.call({ n: 2, index: 2 })).code, undefined);
  assert.equal((await lane.call({ n: 3, index: 2 })).code, 'LANE_EXHAUSTED');
});

test('a price that cannot be made is a failure of the service', async () => {
  for (const name of ['throws', 'nonsense', 'promises', 'negative', 'dear']) {
    const lane = await one(name);
    const { code, body } = await lane.call({});
    assert.equal(code, 'SERVICE_FAILED', name);
    assert.doesNotMatch(JSON.stringify(body), /secret/);
  }
  assert.equal((await (await one('huge')).call({})).code, 'LANE_EXHAUSTED');
  const free = await one('free');
  assert.equal((await free.call({ index: 0 })).code, undefined, 'what costs nothing needs no tick');
  assert.equal((await standing(free)).spent, 0);
});

test('more lanes than are kept in memory: each call is charged to its own', async () => {
  const lanes = await buyLanes(shop, { service: 'echo', units: 40, lanes: 10 });
  const calls = lanes.flatMap((lane, i) =>
    [0, 1].map((n) => lane.call({ n, index: 2, input: { text: `${i} ${n}` } })),
  );
  for (const [i, { code, body }] of (await Promise.all(calls)).entries()) {
    assert.equal(code, undefined);
    assert.deepEqual(body, { text: `${i >> 1} ${i % 2}` });
  }
  const [first] = lanes;
  const all = (await first?.session.lanes()) ?? [];
  assert.deepEqual(
    all.map(({ spent, index }) => [spent, index]),
    all.map(() => [2, 2]),
  );
  // What was charged is known again when a lane comes back, whose answer is gone.
  const again = await lanes[0]?.call({ n: 1, index: 2, input: { text: '0 1' } });
  assert.match(again?.balance ?? '', /^charged=0/);
});

test('lanes that cannot be sold', async () => {
  const link = await shop.payer.connect(shop.url);
  const keys = fixturePayerKeys();
  const order = (calls: number, lengths: readonly unknown[], anchor?: number): Promise<string> => {
    const anchors = lengths.map(() => {
      return anchor === undefined ? systemRandom.bytes(32) : new Uint8Array(anchor);
    });
    const lanes = { seed: new Uint8Array(32), lengths: lengths as number[], anchors };
    const lines = [{ service: 'echo', calls }];
    const { request } = makeSetup(
      { lines, maxTotalMsat: msat(1), lanes },
      link.key,
      keys,
      systemRandom,
    );
    return link.ask('toll.setup', request).then(
      () => 'sold',
      (error: { code: string }) => error.code,
    );
  };
  assert.equal(await order(1, [1]), 'sold', 'of one tick');
  assert.equal(await order(2, [1]), 'SERVICE_QUANTITY');
  assert.equal(await order(1, [1, 1]), 'SERVICE_QUANTITY');
  assert.equal(await order(2, [1, 1], 32), 'SETUP_MALFORMED', 'one anchor twice');
  assert.equal(await order(1, [1], 31), 'SETUP_MALFORMED');
  assert.equal(await order(1, []), 'LANE_COUNT');
  assert.equal(await order(257, Array(257).fill(1)), 'LANE_COUNT');
  assert.equal(await order(256, Array(256).fill(1)), 'sold');
  for (const length of [0, -1, 1.5, 1e8 + 1]) {
    assert.equal(await order(1, [length]), 'LANE_LENGTH', JSON.stringify(length));
  }
  for (const length of ['1', null, {}]) {
    assert.equal(await order(1, [length]), 'SETUP_MALFORMED', JSON.stringify(length));
  }
  // More than 2^53 - 1 millisatoshis together.
  assert.equal(await order(256e8, Array(256).fill(1e8)), 'SERVICE_QUANTITY');
});

test('a lane whose anchor is the tip of another one gets nothing of it', async () => {
  const lane = await one();
  await lane.call({});
  const link = await shop.payer.connect(shop.url);
  const own = { seed: new Uint8Array(32), lengths: [4], anchors: [lane.secret(1)] };
  const order = { lines: [{ service: 'echo', calls: 4 }], maxTotalMsat: msat(4_000), lanes: own };
  const thief = makeSetup(order, link.key, fixturePayerKeys(), systemRandom);
  await link.ask('toll.setup', thief.request);
  assert.equal((await lane.call({ n: 1, index: 2 })).code, undefined);
  // It is not paid for: that it knows a tick of it now changes nothing.
  assert.equal((await standing(lane)).spent, 2);
});

test('calls and batches over JSON-RPC', async () => {
  const lane = await one('echo', 9);
  const request = (id: number, n: number): JsonObject => {
    const toll = lane.credential({ n, index: 9, input: { text: `${n}` } });
    return { jsonrpc: '2.0', id, method: 'echo', params: { text: `${n}` }, toll };
  };
  const ask = async (body: Json): Promise<Json> => {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    return (await (await fetch(`${shop.url}/rpc`, init)).json()) as Json;
  };
  const answer = (await ask(request(1, 0))) as JsonObject;
  assert.deepEqual(answer['result'], { text: '0' });
  assert.deepEqual(answer['toll'], { charged_msat: '1000', credit_msat: '8000', calls_left: 8 });
  const batch = (await ask([request(2, 1), request(3, 2), request(4, 1)])) as readonly JsonObject[];
  assert.deepEqual(
    batch.map((one) => one['result']),
    [{ text: '1' }, { text: '2' }, { text: '1' }],
  );
  const bad = (await ask({ ...request(5, 3), toll: 't1.AAAA' })) as { error: JsonObject };
  assert.equal((bad.error['data'] as JsonObject)['code'], 'CODE_MALFORMED');
  assert.equal((await standing(lane)).spent, 3);
});
