/**
 * Services with effect once, paid with ticks, over HTTP: each call acts once, whoever repeats it.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { service } from '../../src/host/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import type { PayerStream } from '../../src/payer/index.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';
import { buyLanes, standing, type TestLane } from './tick-lane.ts';

let shop: TestShop;
before(async () => {
  const price = { kind: 'each', priceMsat: PRICE_MSAT } as const;
  const text = z.strictObject({ text: z.string() });
  const acts = { input: text, output: text, effect: 'once', price } as const;
  let acted = 0;
  const hangs = service('hangs', {
    ...acts,
    description: 'Returns nothing, unless it is told to end.',
    timeoutMs: 50,
    handler: (input) => (input.text === 'end' ? input : new Promise(() => undefined)),
  });
  const counts = service('counts', {
    ...acts,
    description: 'Says how often it has acted.',
    handler: () => ({ text: `${++acted}` }),
  });
  // Nothing is kept in memory for repeats: what is answered again was stored.
  const limits = { answerBytes: 0, refundAfterMs: 0 };
  shop = await openShop({ services: [hangs, counts], limits });
});
after(async () => {
  assert(isBalanced(await shop.books.sheet()));
  await shop.close();
});

async function lane(name: string, units: number): Promise<TestLane> {
  const [one] = await buyLanes(shop, { service: name, units });
  return one ?? assert.fail();
}

async function open(name: string, units: number): Promise<PayerStream> {
  const link = await shop.payer.connect(shop.url);
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(units));
  return shop.payer.stream(link, { service: name, units, lanes: 2, maxTotalMsat });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

test('a stream of them: each acts once and is charged once', async () => {
  const stream = await open('once', 100);
  const texts = Array.from({ length: 100 }, (_, i) => `call ${i}`);
  const answers = await Promise.all(texts.map((text) => stream.call({ text })));
  assert.deepEqual(
    answers.map(({ result }) => result),
    texts.map((text) => ({ text })),
  );
  assert.equal(shop.begun.get('once'), 100);
  assert.equal(stream.unitsLeft, 0);
  assert.equal((await stream.sessions[0]?.status())?.chargedMsat, 100n * PRICE_MSAT);
  await stream.close();
});

test('a copy of a call is answered from the store, 8 at once too, and does not act', async () => {
  const one = await lane('counts', 5);
  const first = await one.call({});
  assert.deepEqual(first.body, { text: '1' });
  const copies = await Promise.all(Array.from({ length: 8 }, () => one.call({})));
  assert(copies.every(({ body }) => JSON.stringify(body) === JSON.stringify(first.body)));
  assert.equal((await standing(one)).spent, 1);
  assert.equal((await one.call({ input: { text: 'b' } })).code, 'CALL_CONFLICT');
  assert.deepEqual((await one.call({ n: 1, index: 2, done: 1 })).body, { text: '2' });
  assert.equal((await one.call({})).code, 'CALL_FORGOTTEN');
});

test('one that was cut by its time limit is dead, and its unit pays the next one', async () => {
  const one = await lane('hangs', 1);
  assert.equal((await one.call({})).code, 'SERVICE_TIMEOUT');
  assert.equal((await one.call({})).code, 'CALL_FAILED');
  const next = await one.call({ n: 1, input: { text: 'end' } });
  assert.deepEqual(next.body, { text: 'end' });
  assert.equal((await standing(one)).spent, 1);
});

test('a payer whose call was cut has its units back', async () => {
  const stream = await open('hangs', 2);
  await assert.rejects(stream.call({ text: 'a' }), faultOf('SERVICE_TIMEOUT'));
  assert.equal(stream.unitsLeft, 2);
  await Promise.all([stream.call({ text: 'end' }), stream.call({ text: 'end' })]);
  await stream.close();
});

test('what is left of lanes comes back while calls are under way', async () => {
  const stream = await open('hangs', 10);
  await stream.call({ text: 'end' });
  const [session] = stream.sessions;
  const cut = assert.rejects(stream.call({ text: 'a' }), faultOf('SERVICE_TIMEOUT'));
  await session?.refund();
  await cut;
  assert.equal((await session?.status())?.chargedMsat, PRICE_MSAT);
  await stream.close();
});
