/**
 * Prices by the byte of the answer: the maximum is reserved, what the answer costs is charged, the
 * rest pays the next call.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { Fault, isFault, type FaultCode } from '../../src/base/fault/index.ts';
import type { JsonObject } from '../../src/base/json/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { service } from '../../src/host/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import { Payer, type PayerStream } from '../../src/payer/index.ts';
import { openNet, type Net, type NetRequest, type NetResponse } from '../../src/port/net/index.ts';
import { openPayerStore } from '../../src/port/store/index.ts';
import { hostPage } from '../../src/web/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import { openShop, type TestShop } from './shop.ts';
import { buyLanes, standing } from './tick-lane.ts';

const MAXIMUM = 50;
let shop: TestShop;
let runs = 0;

const words = service('words', {
  description: 'So many characters.',
  input: z.strictObject({ characters: z.number(), fail: z.boolean().optional() }),
  output: z.string(),
  price: { kind: 'fixed', totalMsat: msat(1) },
  ticks: {
    kind: 'units',
    unitMsat: msat(10),
    perCall: 1,
    perOutputByte: 0.1,
    minimumUnits: 3,
    maximumUnits: MAXIMUM,
  },
  handler: ({ characters, fail }) => {
    runs++;
    if (fail === true) throw new Error('as asked');
    return 'x'.repeat(characters);
  },
});
const once = service('once-only', {
  description: 'The same, and never twice.',
  input: z.strictObject({ characters: z.number() }),
  output: z.string(),
  price: { kind: 'fixed', totalMsat: msat(1) },
  effect: 'once',
  ticks: { kind: 'units', unitMsat: msat(10), perOutputByte: 0.1, maximumUnits: MAXIMUM },
  handler: ({ characters }) => 'x'.repeat(characters),
});
const both = service('both', {
  description: 'Both ways, and the handler spoils its input.',
  input: z.any(),
  output: z.any(),
  price: { kind: 'fixed', totalMsat: msat(1) },
  ticks: {
    kind: 'units',
    unitMsat: msat(1),
    perInputByte: 1,
    perOutputByte: 2,
    maximumUnits: 100_000,
  },
  handler: (input: string[]) => input.splice(0).length,
});

before(async () => {
  const limits = { refundAfterMs: 0 };
  shop = await openShop({ services: [words, once, both], limits, page: hostPage });
});
after(() => shop.close());

async function open(payer: Payer, units: number, name = 'words'): Promise<PayerStream> {
  const link = await payer.connect(shop.url);
  const maxTotalMsat = msat(10n * BigInt(units));
  return payer.stream(link, { service: name, units, lanes: 1, maxTotalMsat });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

test('an answer costs by its bytes, at least the minimum, at most the maximum', async () => {
  const stream = await open(shop.payer, 200);
  const table: readonly (readonly [number, bigint])[] = [
    [0, 3n], // Two bytes, the quotation marks: less than the minimum.
    [18, 3n],
    [19, 4n],
    [487, 50n],
    [10_000, 50n],
  ];
  let left = 200;
  for (const [characters, units] of table) {
    const { result, balance } = await stream.call({ characters });
    assert.equal(result, 'x'.repeat(characters));
    assert.equal(balance.chargedMsat, 10n * units, `${characters}`);
    left -= Number(units);
    assert.equal(stream.unitsLeft, left);
    assert.equal(balance.callsLeft, left);
  }
  await assert.rejects(stream.call({ characters: 1, fail: true }), faultOf('SERVICE_FAILED'));
  assert.equal(stream.unitsLeft, left, 'a call that failed is not charged');
  const { facts } = (await stream.sessions[0]?.receipt()) ?? assert.fail();
  assert.equal(facts.servedMsat, 10n * BigInt(200 - left));
  assert(isBalanced(await shop.books.sheet()));
  await stream.close();
});

test('calls at once wait for what others do not use, until a maximum is not left', async () => {
  const stream = await open(shop.payer, 120);
  assert.equal(stream.callsLeft(MAXIMUM), 2);
  const calls = Array.from({ length: 40 }, () => stream.call({ characters: 18 }));
  const ends = await Promise.allSettled(calls);
  const answered = ends.filter(({ status }) => status === 'fulfilled').length;
  // Three units each; the last one that can be paid begins with 50 or more left.
  assert.equal(answered, 24);
  assert.equal(stream.unitsLeft, 48);
  await assert.rejects(stream.call({ characters: 0 }), faultOf('LANE_EXHAUSTED'));
  await assert.rejects(stream.call({ characters: 0 }, { maxUnits: 49 }), faultOf('PAYMENT_PRICE'));
  const [session] = stream.sessions;
  await stream.close();
  assert.equal((await session?.status())?.creditMsat, 480n, 'the rest is credit');
});

test('a price of both input and answer, whatever the handler does to its input', async () => {
  const stream = await open(shop.payer, 200_000, 'both');
  const { balance, result } = await stream.call(['ab', 'cd']);
  assert.equal(result, 2);
  assert.equal(balance.chargedMsat, 11n + 2n, 'eleven bytes in, one byte out');
  await stream.close();
});

test('a service with effect once costs by its answer too', async () => {
  const stream = await open(shop.payer, 200, 'once-only');
  assert.equal((await stream.call({ characters: 28 })).balance.chargedMsat, 30n);
  assert.equal((await stream.call({ characters: 9_000 })).balance.chargedMsat, 500n);
  assert.equal(stream.unitsLeft, 200 - 3 - 50);
  await stream.close();
});

test('a tick covers the maximum; its rest pays the next call, over HTTP and JSON-RPC', async () => {
  const [lane] = await buyLanes(shop, { service: 'words', units: 60 });
  assert(lane);
  const input = { characters: 18 };
  const short = await lane.call({ input, index: MAXIMUM - 1 });
  assert.deepEqual(
    [short.code, (short.body as JsonObject)['facts']],
    ['TICK_SHORT', { n: 0, units: MAXIMUM, credit: MAXIMUM - 1 }],
  );
  const paid = await lane.call({ input, index: MAXIMUM });
  assert.equal(paid.balance, 'charged=30, credit=470, calls-left=57');
  const again = await lane.call({ input, index: MAXIMUM });
  assert.equal(again.balance, 'charged=0, credit=470, calls-left=57', 'a repeat costs nothing');
  const toll = lane.credential({ n: 1, index: MAXIMUM + 3, input });
  const request = { jsonrpc: '2.0', id: 1, method: 'words', params: input, toll };
  const headers = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(request) };
  const answer = (await (await fetch(`${shop.url}/rpc`, init)).json()) as JsonObject;
  assert.deepEqual(answer['toll'], { charged_msat: '30', credit_msat: '470', calls_left: 54 });
  assert.equal((await standing(lane)).spent, 6);
});

test('people and programs read the price in words, and in numbers', async () => {
  const text =
    'By ticks: 1 unit a call + 0.1 units a byte of the answer, at least 3 units, ' +
    'at most 50 units; a unit is 0.01 sat.';
  for (const path of ['/', '/openapi.json', '/openrpc.json']) {
    const init = { headers: { accept: 'text/html' } };
    const page = await (await fetch(`${shop.url}${path}`, init)).text();
    assert(page.includes(text), path);
  }
  const link = await shop.payer.connect(shop.url);
  assert.deepEqual(link.description.services.find(({ name }) => name === 'words')?.ticks, {
    kind: 'units',
    unit_msat: '10',
    per_call: 1,
    per_output_byte: 0.1,
    minimum_units: 3,
    maximum_units: MAXIMUM,
  });
});

/** The way to the host, on which answers to calls are changed or lost. */
class LyingNet implements Net {
  readonly #net = openNet();
  lie: (answer: NetResponse) => NetResponse = (answer) => answer;

  async send(request: NetRequest): Promise<NetResponse> {
    const answer = await this.#net.send(request);
    return new URL(request.url).pathname.startsWith('/call/') ? this.lie(answer) : answer;
  }

  close(): Promise<void> {
    return this.#net.close();
  }
}

test('a payer checks the charge by the price list, and counts a lost answer by it', async (t) => {
  const net = new LyingNet();
  const store = await openPayerStore({ file: ':memory:' });
  t.after(() => Promise.all([net.close(), store.close()]));
  const own = { net, store, clock: systemClock, random: systemRandom, log: silentLog };
  const payer = new Payer({ ...own, wallet: shop.payerWallet, keyring: fixtureKeyring() });
  const stream = await open(payer, 1_000);
  let lost = 0;
  net.lie = (answer) => {
    if (lost++ > 0) return answer;
    throw new Fault('CALL_UNANSWERED');
  };
  const before = runs;
  const { balance } = await stream.call({ characters: 100 });
  assert.deepEqual([runs - before, lost, balance.chargedMsat], [1, 2, 0n]);
  assert.equal(stream.unitsLeft, 1_000 - 12, 'what its bytes cost, not the maximum');
  // Below the maximum, and more than the answer costs.
  net.lie = (answer) => ({
    ...answer,
    headers: { ...answer.headers, 'toll-session': 'charged=130, credit=0, calls-left=9' },
  });
  await assert.rejects(stream.call({ characters: 100 }), faultOf('HOST_TERMS'));
  net.lie = (answer) => answer;
  assert.equal((await stream.call({ characters: 100 })).balance.chargedMsat, 120n);
  await stream.close();
});
