/**
 * The payer of a stream against hosts that lie, stores that fail or were restored, and calls that
 * are large or many.
 * @module
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { Fault, isFault } from '../../src/base/fault/index.ts';
import type { Json, JsonObject } from '../../src/base/json/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, unixMs, type Clock } from '../../src/base/time/index.ts';
import { service } from '../../src/host/index.ts';
import { Payer, type Link, type PayerStream } from '../../src/payer/index.ts';
import { openNet, type Net, type NetRequest, type NetResponse } from '../../src/port/net/index.ts';
import { openPayerStore, type PayerStore } from '../../src/port/store/index.ts';
import { parseTick } from '../../src/wire/toll/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

const AT_ONCE = 50;
const LEASE_MS = 61_000;

let shop: TestShop;
let link: Link;
/** Waits until so many calls are under way together. */
let together = Promise.withResolvers<void>();
let running = 0;

before(async () => {
  const any = { description: 'For streams.', input: z.any(), output: z.any() };
  const price = { kind: 'each', priceMsat: msat(1) } as const;
  const quoteMsat = ({ units }: { units: number }) => msat(units);
  shop = await openShop({
    limits: { refundAfterMs: 0 },
    services: [
      service('crowd', {
        ...any,
        price,
        handler: async () => {
          if (++running === AT_ONCE) together.resolve();
          await together.promise;
          return 1;
        },
      }),
      service('sized', {
        ...any,
        price,
        handler: () => 1,
        ticks: { kind: 'quote', unitMsat: msat(1), quoteMsat },
      }),
    ],
  });
  link = await shop.payer.connect(shop.url);
});
after(() => shop.close());

/** Another payer with the same wallet. */
async function payerWith(
  parts: { net?: Net; store?: PayerStore; clock?: Clock } = {},
): Promise<{ payer: Payer; link: Link; close: () => Promise<void> }> {
  const net = parts.net ?? openNet();
  const store = parts.store ?? (await openPayerStore({ file: ':memory:' }));
  const clock = parts.clock ?? systemClock;
  const own = { net, store, clock, random: systemRandom, log: silentLog };
  const payer = new Payer({ ...own, wallet: shop.payerWallet, keyring: fixtureKeyring() });
  const close = async (): Promise<void> => {
    await net.close();
    await store.close();
  };
  return { payer, link: await payer.connect(shop.url), close };
}

function order(units: number, name = 'echo', lanes = 1): Parameters<Payer['stream']>[1] {
  return { service: name, units, lanes, maxTotalMsat: msat(PRICE_MSAT * BigInt(units)) };
}

/** A minute later, when the lease of a process that died has ended. */
const laterClock: Clock = {
  now: () => unixMs(systemClock.now() + LEASE_MS),
  monotonicMs: () => systemClock.monotonicMs(),
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
  timer: (ms, fire) => systemClock.timer(ms, fire),
};

test('calls that had to wait run side by side', async () => {
  together = Promise.withResolvers<void>();
  const stream = await shop.payer.stream(link, order(200, 'crowd', 2));
  const calls = Array.from({ length: 150 }, () => stream.call({}));
  await together.promise;
  await Promise.all(calls);
  assert.equal(stream.unitsLeft, 50);
  await stream.close();
});

test('who gives up or cannot be paid leaves the way free for those behind', async () => {
  const stream = await shop.payer.stream(link, order(3));
  const abort = new AbortController();
  const all = Array.from({ length: 6 }, (_, i) =>
    stream.call({ text: `${i}` }, i === 1 ? { signal: abort.signal } : {}),
  );
  abort.abort(new Error('enough'));
  const ends = await Promise.allSettled(all);
  const codes = ends.map((end) => {
    if (end.status === 'fulfilled') return 'answered';
    return isFault(end.reason) ? end.reason.code : 'aborted';
  });
  const none = 'LANE_EXHAUSTED';
  const expected = [none, none, 'aborted', 'answered', 'answered', 'answered'];
  assert.deepEqual(codes.toSorted(), expected);
  await stream.close();
});

test('one call may cost more ticks than a host takes at once', async () => {
  const stream = await shop.payer.stream(link, order(200_000, 'sized'));
  const { balance } = await stream.call({ units: 150_000 }, { maxUnits: 150_001 });
  assert.equal(balance.chargedMsat, 150_000n);
  assert.equal(stream.unitsLeft, 50_000, 'what it may have cost and did not is left');
  const parts = [40_000, 9_000, 1_000].map((units) => stream.call({ units }, { maxUnits: units }));
  await Promise.all(parts);
  assert.equal(stream.unitsLeft, 0);
  await stream.close();
});

test('a profile restored from a copy uses no number twice, and gets every unit', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-restored-'));
  try {
    const file = join(dir, 'payer.db');
    const first = await payerWith({ store: await openPayerStore({ file }) });
    const request = { ...order(200, 'echo', 2), purchaseId: '0c'.repeat(16) };
    await (await first.payer.stream(first.link, request)).close();
    await first.close();
    cpSync(file, join(dir, 'copy.db'));
    const second = await payerWith({ store: await openPayerStore({ file }) });
    const stream = await second.payer.stream(second.link, request);
    await Promise.all(Array.from({ length: 90 }, (_, i) => stream.call({ text: `${i}` })));
    // It dies here; its profile is lost.
    const store = await openPayerStore({ file: join(dir, 'copy.db') });
    const third = await payerWith({ store, clock: laterClock });
    const again = await third.payer.stream(third.link, request);
    assert.equal(again.unitsLeft, 110);
    const texts = Array.from({ length: 110 }, (_, i) => `other ${i}`);
    const answers = await Promise.all(texts.map((text) => again.call({ text })));
    assert.deepEqual(
      answers.map(({ result }) => result),
      texts.map((text) => ({ text })),
    );
    assert.equal((await again.sessions[0]?.status())?.creditMsat, 0n);
    await again.close();
    await third.close();
    await stream.close();
    await second.close();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a store that records no numbers is reported, and calls go on when it does', async () => {
  const disk = await openPayerStore({ file: ':memory:' });
  const state = { full: true };
  const extendLane: PayerStore['extendLane'] = async (lease, n) => {
    if (state.full) throw new Fault('STORE_FULL');
    return disk.extendLane(lease, n);
  };
  const store: PayerStore = { ...disk, extendLane };
  const { payer, link: own, close } = await payerWith({ store });
  const stream = await payer.stream(own, order(9));
  await assert.rejects(stream.call({ text: 'a' }), { code: 'STORE_FULL' });
  const both = [stream.call({ text: 'a' }), stream.call({ text: 'b' })];
  const ends = await Promise.allSettled(both);
  assert(ends.every(({ status }) => status === 'rejected'));
  state.full = false;
  assert.deepEqual((await stream.call({ text: 'c' })).result, { text: 'c' });
  assert.equal(stream.unitsLeft, 8);
  await stream.close();
  await close();
});

test('lanes are shared by processes, each with its own', async () => {
  const request = { ...order(40, 'echo', 4), purchaseId: '0d'.repeat(16) };
  await (await shop.payer.stream(link, request)).close();
  const open = (mostLanes: number): Promise<PayerStream> =>
    shop.payer.resumeStream(link, { service: 'echo', mostLanes });
  const first = await open(1);
  const second = await open(2);
  assert.deepEqual([first.unitsLeft, second.unitsLeft], [10, 20]);
  await Promise.all([first.call({ text: 'a' }), second.call({ text: 'b' })]);
  await Promise.all([first.close(), second.close()]);
});

test('a purchase that was moved to another profile is used there, and here no more', async () => {
  const request = { ...order(6), purchaseId: '0f'.repeat(16) };
  const stream = await shop.payer.stream(link, request);
  await stream.call({ text: 'a' });
  await stream.close();
  const file = await shop.payer.exportSession(stream.sessions[0]?.session ?? '');
  await assert.rejects(shop.payer.stream(link, request), { code: 'SESSION_UNKNOWN' });
  const other = await payerWith();
  await other.payer.importSession(file);
  const there = await other.payer.resumeStream(other.link, { service: 'echo' });
  assert.equal(there.unitsLeft, 5);
  await Promise.all(Array.from({ length: 5 }, (_, i) => there.call({ text: `${i}` })));
  await there.close();
  await assert.rejects(other.payer.resumeStream(other.link, { service: 'echo' }), {
    code: 'LANE_EXHAUSTED',
  });
  await other.close();
});

/** Goes between payer and host, and may say something else. */
class LyingNet implements Net {
  readonly #net = openNet();
  /** The highest tick that was shown to it. */
  shown = 0;
  requests = 0;
  lie: (request: NetRequest, honest: () => Promise<NetResponse>) => Promise<NetResponse> = (
    _,
    honest,
  ) => honest();

  async send(request: NetRequest): Promise<NetResponse> {
    const credential = (request.headers['authorization'] ?? '').replace('Toll ', '');
    if (credential.startsWith('t1.')) {
      this.requests++;
      this.shown = Math.max(this.shown, parseTick(credential).index);
    }
    return this.lie(request, () => this.#net.send(request));
  }

  close(): Promise<void> {
    return this.#net.close();
  }
}

function says(status: number, body: Json): NetResponse {
  return { status, headers: {}, body: new TextEncoder().encode(JSON.stringify(body)) };
}

function isCall({ url }: NetRequest): boolean {
  return new URL(url).pathname.startsWith('/call/');
}

test('lanes that another process used meanwhile go on where it has left them', async () => {
  const net = new LyingNet();
  const request = { ...order(500), purchaseId: '0e'.repeat(16) };
  const before = await shop.payer.stream(link, request);
  const late = await payerWith({
    net,
    store: { ...shop.payerStore, close: async () => undefined },
  });
  let asked = 0;
  net.lie = async (_, honest) => {
    const answer = await honest();
    // What the first answer says is old when it arrives.
    if (asked++ === 0) {
      await Promise.all(Array.from({ length: 200 }, () => before.call({ text: 'a' })));
      await before.close();
    }
    return answer;
  };
  const after = await late.payer.stream(late.link, request);
  assert.equal(after.unitsLeft, 300);
  assert.deepEqual((await after.call({ text: 'b' })).result, { text: 'b' });
  await after.close();
  await late.close();
});

test('a call whose first answer was lost has cost what it cost', async () => {
  const net = new LyingNet();
  const { payer, link: own, close } = await payerWith({ net });
  const stream = await payer.stream(own, order(2));
  let isLost = false;
  net.lie = async (request, honest) => {
    const answer = await honest();
    if (!isCall(request) || isLost) return answer;
    isLost = true;
    throw new Fault('CALL_UNANSWERED');
  };
  const { balance, costMsat } = await stream.call({ text: 'a' });
  assert.equal(balance.chargedMsat, 0n, 'nothing more');
  assert.equal(costMsat, PRICE_MSAT);
  assert.equal(stream.unitsLeft, 1);
  await stream.close();
  await close();
});

test('a host that asks for ticks for ever, or charges more, is not believed', async () => {
  const net = new LyingNet();
  const { payer, link: own, close } = await payerWith({ net });
  const stream = await payer.stream(own, order(1_000));
  await stream.call({ text: 'a' });
  const refusals: readonly Json[] = [
    { code: 'TICK_SHORT', facts: { units: 1, credit: 0 } },
    { code: 'TICK_SHORT', facts: { units: 1, credit: -900 } },
    { code: 'TICK_SHORT', facts: {} },
    { code: 'TICK_SHORT', facts: { units: 'x', credit: null } },
    { code: 'TICK_STEPS', facts: { index: 0 } },
    { code: 'TICK_STEPS', facts: { index: -5 } },
  ];
  for (const refusal of refusals) {
    net.requests = 0;
    net.lie = async (request, honest) => (isCall(request) ? says(402, refusal) : honest());
    await assert.rejects(stream.call({ text: 'b' }), /HOST_TERMS|other terms|limit/);
    assert(net.requests <= 80, `${net.requests} requests for one call`);
  }
  assert(net.shown <= 70, `${net.shown} ticks were revealed`);
  net.lie = async (request, honest) => {
    const answer = await honest();
    if (!isCall(request)) return answer;
    return { ...answer, headers: { 'toll-session': 'charged=5000, credit=0, calls-left=1' } };
  };
  await assert.rejects(stream.call({ text: 'c' }), { code: 'HOST_TERMS' });
  net.lie = async (request, honest) => (isCall(request) ? says(200, 'x') : honest());
  await assert.rejects(stream.call({ text: 'd' }), { code: 'HOST_MALFORMED' });
  net.lie = async (_, honest) => honest();
  await stream.call({ text: 'e' });
  await stream.close();
  await close();
});

test('a host that claims what it cannot show is found out when lanes are taken', async () => {
  const net = new LyingNet();
  const { payer, link: own, close } = await payerWith({ net });
  const request = { ...order(10), purchaseId: '1a'.repeat(16) };
  const stream = await payer.stream(own, request);
  await stream.call({ text: 'a' });
  await stream.close();
  const tip = Buffer.alloc(32, 3).toString('base64url');
  const lies: readonly (readonly [JsonObject, string])[] = [
    [{ index: 2, spent: 2 }, 'HOST_TERMS'],
    [{ index: 10, spent: 10 }, 'HOST_TERMS'],
    [{ spent: 2 }, 'HOST_TERMS'],
    [{ tip }, 'HOST_TERMS'],
    [{ index: 0, spent: 0 }, 'HOST_TERMS'],
    [{ length: 9 }, 'HOST_TERMS'],
    [{ spent: -1 }, 'HOST_MALFORMED'],
    [{ done: 'x' }, 'HOST_MALFORMED'],
    [{ closed: true }, 'LANE_EXHAUSTED'],
  ];
  for (const [lie, code] of lies) {
    net.lie = async (_, honest) => lied(await honest(), lie);
    await assert.rejects(payer.stream(own, request), { code }, JSON.stringify(lie));
  }
  assert.equal(net.shown, 1);
  net.lie = async (_, honest) => honest();
  const again = await payer.stream(own, request);
  assert.equal(again.unitsLeft, 9);
  await again.close();
  await close();
});

/** The lanes of an answer, with what a host says instead. */
function lied(answer: NetResponse, lie: JsonObject): NetResponse {
  const body = JSON.parse(new TextDecoder().decode(answer.body)) as JsonObject;
  const result = body['result'] as { readonly lanes?: readonly JsonObject[] } | undefined;
  if (result?.lanes === undefined) return answer;
  const lanes = result.lanes.map((lane) => ({ ...lane, ...lie }));
  return { ...answer, ...says(answer.status, { ...body, result: { ...result, lanes } }) };
}
