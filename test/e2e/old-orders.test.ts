/**
 * What is asked again after the host has moved on: an order that nobody paid, a call of a service
 * that is sold no more; and whether the host says that it can serve at all.
 * @module
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { z } from 'zod';
import { utf8 } from '../../src/base/bytes/index.ts';
import { Fault } from '../../src/base/fault/index.ts';
import type { Json } from '../../src/base/json/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, unixMs, type Clock } from '../../src/base/time/index.ts';
import { openBooks, type BooksLimits } from '../../src/books/index.ts';
import { openHost, service, type Host } from '../../src/host/index.ts';
import { openHttpDoor } from '../../src/door/http/index.ts';
import { Payer } from '../../src/payer/index.ts';
import { makeSetup } from '../../src/payer/setup.ts';
import { peerKey } from '../../src/port/keys/index.ts';
import { openNet, type Net } from '../../src/port/net/index.ts';
import { openHostStore, type HostStore } from '../../src/port/store/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import {
  fixtureHostKeys,
  fixtureKeyring,
  fixturePayerKeys,
  syncHostKeys,
} from '../fixtures/keys.ts';
import { buyCredentials } from './credentials.ts';
import { PRICE_MSAT, openShop } from './shop.ts';

const price = { kind: 'each', priceMsat: PRICE_MSAT } as const;
const common = { description: 'For tests.', input: z.any(), output: z.any(), price };
const HOUR_MS = 3_600_000;

/** A host that sells `echo`, on its own books, and what a test may change of its world. */
async function openWorld(t: TestContext) {
  const time = { offsetMs: 0 };
  const disk = { failing: false };
  const clock: Clock = { ...systemClock, now: () => unixMs(systemClock.now() + time.offsetMs) };
  const [random, log] = [systemRandom, silentLog];
  const network = openFakeNetwork({ clock, random });
  const wallet = network.wallet('host');
  const memory = await openHostStore({ file: ':memory:', thread: false });
  const store: HostStore = {
    ...memory,
    commit: async (groups) => {
      if (disk.failing) throw new Fault('STORE_FULL');
      return memory.commit(groups);
    },
  };
  const books = await openBooks({ store, clock, log });
  const services = [service('echo', { ...common, handler: (input: Json) => input })];
  const keys = await fixtureHostKeys();
  const host = await openHost({ keys, wallet, books, services, clock, random, log });
  t.after(async () => {
    await host.close();
    network.close();
  });
  const payer = network.wallet('payer');
  payer.fund(msat(1_000_000n));
  return { host, books, payer, wallet, time, disk };
}

async function ask(host: Host, path: string, body?: Json, authorization?: string) {
  const headers: Record<string, string | undefined> = {
    'content-type': 'application/json',
    authorization,
  };
  const answer = await host.handle({
    method: body === undefined ? 'GET' : 'POST',
    path,
    header: (name) => headers[name],
    body: utf8(JSON.stringify(body ?? null)),
    address: '127.0.0.1',
  });
  const text = new TextDecoder().decode(answer.body);
  return { status: answer.status, text, json: JSON.parse(text) as Record<string, Json> };
}

function order(): Json {
  const key = peerKey(syncHostKeys().publicPem);
  const wanted = { lines: [{ service: 'echo', calls: 2 }], maxTotalMsat: msat(5000) };
  return makeSetup(wanted, key, fixturePayerKeys(), systemRandom).request;
}

async function setUp(host: Host, params: Json): Promise<string> {
  const { json } = await ask(host, '/rpc', { jsonrpc: '2.0', id: 1, method: 'toll.setup', params });
  const { error } = json as { error?: { data: { code: string } } };
  return error?.data.code ?? JSON.stringify(json['result']);
}

test('an order that nobody paid is answered with the same bytes, then refused', async (t) => {
  const { host, books, payer, wallet, time } = await openWorld(t);
  const params = order();
  const first = await setUp(host, params);
  assert.equal(await setUp(host, params), first);
  time.offsetMs = HOUR_MS;
  await books.forgetUnpaid();
  assert.equal(await setUp(host, params), 'SETUP_EXPIRED');
  const invoices = await wallet.listIncoming(0n, 10);
  assert.equal(invoices.length, 1, 'no second invoice of which one could be paid and lost');
  assert.match(await setUp(host, order()), /tollcall-bundle-1/, 'another order is welcome');
  assert.equal((await payer.balance()).sendableMsat, 1_000_000n);
});

test('health says when the books cannot be written, and when the host stops', async (t) => {
  const { host, disk } = await openWorld(t);
  assert.deepEqual((await ask(host, '/health')).json, { status: 'ok' });
  disk.failing = true;
  await setUp(host, order());
  const broken = await ask(host, '/health');
  assert.deepEqual([broken.status, broken.json['code']], [503, 'HOST_BROKEN']);
  await host.close();
  const stopping = await ask(host, '/health');
  assert.deepEqual([stopping.status, stopping.json['code']], [503, 'HOST_STOPPING']);
});

/** A shop that sold `old` and `once-old`, and a host on its books that sells neither. */
async function soldNoMore(t: TestContext, limits: Partial<BooksLimits>) {
  const handler = (input: Json): Json => ({ got: input });
  const old = service('old', { ...common, handler });
  const onceOld = service('once-old', { ...common, effect: 'once', handler });
  const shop = await openShop({ services: [old, onceOld], limits });
  t.after(() => shop.close());
  const { books, hostWallet: wallet } = shop;
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const keys = await fixtureHostKeys();
  const host = await openHost({ keys, wallet, books, services: [], clock, random, log });
  t.after(() => host.close());
  const call = async (name: string, credential: string, input: Json = 1) => {
    const path = `/call/${name}`;
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Toll ${credential}` },
      body: JSON.stringify(input),
    };
    const before = await (await fetch(`${shop.url}${path}`, init)).text();
    const now = await ask(host, path, input, `Toll ${credential}`);
    return { before, now: now.text, code: now.json['code'], money: now.json['money'] };
  };
  return { shop, host, call };
}

for (const [name, answerBytes] of [
  ['old', 1e6],
  ['once-old', 1e6],
  ['once-old', 0],
] as const) {
  test(`sold no more, what was charged is answered: ${name}, ${answerBytes} bytes`, async (t) => {
    const { shop, host, call } = await soldNoMore(t, { answerBytes });
    const credentials = await buyCredentials(shop, name, 3);
    const { before, now } = await call(name, credentials(0n, 1));
    assert.equal(now, before);
    assert.equal(now, '{"got":1}');
    const fresh = await ask(host, `/call/${name}`, 1, `Toll ${credentials(1n, 1)}`);
    assert.equal(fresh.json['code'], 'SERVICE_UNKNOWN');
    const other = await ask(host, `/call/${name}`, 2, `Toll ${credentials(0n, 2)}`);
    assert.equal(other.json['code'], 'CALL_CONFLICT');
    const forged = await ask(host, `/call/${name}`, 3, `Toll ${credentials(0n, 2)}`);
    assert.equal(forged.json['code'], 'CODE_INVALID');
    const garbage = await ask(host, `/call/${name}`, 3, 'Toll garbage');
    assert.equal(garbage.json['code'], 'SERVICE_UNKNOWN');
    const { reservedMsat, servedMsat } = await shop.books.sheet();
    assert.deepEqual([reservedMsat, servedMsat], [0n, PRICE_MSAT]);
  });
}

test('sold no more, an encrypted call gets its answer too', async (t) => {
  const { shop, host } = await soldNoMore(t, {});
  const door = await openHttpDoor(host, { address: '127.0.0.1', port: 0 }, silentLog);
  const way = openNet();
  t.after(async () => {
    await way.close();
    await door.close();
  });
  let lost = true;
  const net: Net = {
    close: () => way.close(),
    send: async (request) => {
      if (!request.url.includes('/call/')) return way.send(request);
      if (!lost) return way.send({ ...request, url: request.url.replace(shop.url, door.url) });
      await way.send(request);
      lost = false;
      throw new Fault('CALL_UNANSWERED');
    },
  };
  const { payerStore: store, payerWallet: wallet } = shop;
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const keyring = fixtureKeyring();
  const payer = new Payer({ net, store, wallet, clock, random, log, keyring, encrypt: 'always' });
  const order = { service: 'old', calls: 1, maxTotalMsat: PRICE_MSAT };
  const session = await payer.buy(await payer.connect(shop.url), order);
  assert.deepEqual((await session.call(1)).result, { got: 1 });
  assert.equal((await session.status()).chargedMsat, PRICE_MSAT);
});

test('what would have to run again is refused, and not called free', async (t) => {
  const { shop, call } = await soldNoMore(t, { answerBytes: 0 });
  const credentials = await buyCredentials(shop, 'old', 1);
  const { code, money } = await call('old', credentials(0n, 1));
  assert.deepEqual([code, money], ['CALL_RERUN_FAILED', 'spent']);
});
