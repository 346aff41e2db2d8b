/**
 * Calls paid with ticks, over HTTP: what is charged, what is credit, what comes back.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { service } from '../../src/host/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import type { Link, PayerStream } from '../../src/payer/index.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

let shop: TestShop;
let link: Link;

const paged = service('pages', {
  description: 'Costs a unit for each page.',
  input: z.strictObject({ pages: z.number().int().min(0).max(100), fail: z.boolean().optional() }),
  output: z.number(),
  price: { kind: 'each', priceMsat: msat(5000) },
  ticks: { kind: 'quote', unitMsat: msat(7), quoteMsat: ({ pages }) => msat(7 * pages) },
  handler: ({ pages, fail }) => {
    if (fail === true) throw new Error('as asked');
    return pages;
  },
});
const bytes = service('bytes', {
  description: 'Costs a unit for each ten bytes.',
  input: z.string(),
  output: z.number(),
  price: { kind: 'fixed', totalMsat: msat(1) },
  ticks: { kind: 'units', unitMsat: msat(100), perCall: 1, perInputByte: 0.1 },
  handler: (text) => text.length,
});

const bundles = service('bundles', {
  description: 'Sold by bundles only.',
  input: z.string(),
  output: z.string(),
  price: { kind: 'each', priceMsat: PRICE_MSAT },
  ticks: 'none',
  handler: (text) => text,
});

before(async () => {
  shop = await openShop({ services: [paged, bytes, bundles], limits: { refundAfterMs: 0 } });
  link = await shop.payer.connect(shop.url);
});
after(() => shop.close());

function open(name: string, units: number, more: { lanes?: number } = {}): Promise<PayerStream> {
  return shop.payer.stream(link, {
    service: name,
    units,
    maxTotalMsat: msat(PRICE_MSAT * BigInt(units)),
    ...more,
  });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

test('all units of all lanes are spent, one for each call; then there are none', async () => {
  const stream = await open('echo', 300, { lanes: 3 });
  const texts = Array.from({ length: 300 }, (_, i) => `call ${i}`);
  const answers = await Promise.all(texts.map((text) => stream.call({ text })));
  assert.deepEqual(
    answers.map(({ result }) => result),
    texts.map((text) => ({ text })),
  );
  assert(answers.every(({ balance }) => balance.chargedMsat === PRICE_MSAT));
  assert.equal(stream.unitsLeft, 0);
  await assert.rejects(stream.call({ text: 'more' }), faultOf('LANE_EXHAUSTED'));
  const { facts } = (await stream.sessions[0]?.receipt()) ?? assert.fail();
  assert.equal(facts.servedCalls, 300);
  assert.equal(facts.servedMsat, 300n * PRICE_MSAT);
  assert.equal(facts.creditMsat, 0n);
  assert(isBalanced(await shop.books.sheet()));
  await stream.close();
});

test('a call that fails is not charged: its tick pays the next one', async () => {
  const stream = await open('fail', 3, { lanes: 1 });
  for (let i = 0; i < 5; i++) {
    await assert.rejects(stream.call({ text: 'fault' }), faultOf('SERVICE_FAILED'));
  }
  assert.equal(stream.unitsLeft, 3);
  assert.equal((await stream.sessions[0]?.lanes())?.[0]?.index, 1, 'one tick was revealed');
  await stream.close();
});

test('a call costs what its input says; the payer reveals no more than it allows', async () => {
  const stream = await open('pages', 200, { lanes: 1 });
  const call = async (pages: number, maxUnits: number): Promise<bigint> =>
    (await stream.call({ pages }, { maxUnits })).balance.chargedMsat;
  assert.equal(await call(10, 10), 70n);
  assert.equal(await call(3, 20), 21n, 'less than was allowed');
  await assert.rejects(call(30, 5), faultOf('PAYMENT_PRICE'), 'more than was allowed');
  await assert.rejects(stream.call({ pages: 5, fail: true }, { maxUnits: 5 }), /failed/);
  await stream.close();
});

test('a call that costs by the byte', async () => {
  const stream = await open('bytes', 50, { lanes: 2 });
  const { balance } = await stream.call('x'.repeat(18));
  assert.equal(balance.chargedMsat, 300n, 'one for the call, two for twenty bytes of JSON');
  await stream.close();
});

test('units are added while calls go on, and what is left comes back', async () => {
  const stream = await open('echo', 10, { lanes: 2 });
  const first = Array.from({ length: 10 }, (_, i) => stream.call({ text: `${i}` }));
  await stream.topUp({ units: 20, maxTotalMsat: msat(20n * PRICE_MSAT) });
  const second = Array.from({ length: 5 }, (_, i) => stream.call({ text: `${i}` }));
  await Promise.all([...first, ...second]);
  assert.equal(stream.unitsLeft, 15);
  await stream.close();
  const [, added] = stream.sessions;
  const had = (await added?.status())?.refundableMsat ?? 0n;
  const { amountMsat } = (await added?.refund()) ?? assert.fail();
  assert.equal(amountMsat, had);
  const lanes = (await added?.lanes()) ?? [];
  assert(lanes.length === 2 && lanes.every(({ closed }) => closed));
  assert.equal(added && (await added.receipt()).facts.servedMsat, 5n * PRICE_MSAT);
  assert(isBalanced(await shop.books.sheet()));
  const unsold = shop.payer.resumeStream(link, { service: 'bundles' });
  await assert.rejects(unsold, faultOf('TICK_UNSOLD'));
});

test('a stream goes on where another one has left it, not while that is used', async () => {
  const request = { service: 'echo', units: 8, maxTotalMsat: msat(8n * PRICE_MSAT), lanes: 2 };
  const purchaseId = '0e'.repeat(16);
  const first = await shop.payer.stream(link, { ...request, purchaseId });
  await Promise.all([first.call({ text: 'a' }), first.call({ text: 'b' })]);
  const again = shop.payer.stream(link, { ...request, purchaseId });
  await assert.rejects(again, faultOf('LANE_HELD'));
  await first.close();
  const second = await shop.payer.stream(link, { ...request, purchaseId });
  assert.equal(second.unitsLeft, 6);
  await Promise.all(Array.from({ length: 6 }, (_, i) => second.call({ text: `${i}` })));
  assert.equal((await second.sessions[0]?.status())?.chargedMsat, 8n * PRICE_MSAT);
  await second.close();
  const other = shop.payer.stream(link, { ...request, units: 9, purchaseId });
  await assert.rejects(other, faultOf('PURCHASE_CONFLICT'));
});
