/**
 * A payer on a bad way: answers that are lost, hosts that are down, callers that give up. One
 * logical call is charged once, whatever happens to its messages.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { Fault, isFault, type FaultCode } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, unixMs, type Clock } from '../../src/base/time/index.ts';
import { Payer, type PayerSession } from '../../src/payer/index.ts';
import { openNet, type Net } from '../../src/port/net/index.ts';
import type { FakeWallet } from '../../src/port/wallet/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

/** A way on which the next calls meet an accident. */
class BadNet implements Net {
  readonly #net = openNet();
  /** What happens to the next calls, oldest first: the answer is lost, or the host is down. */
  accidents: ('lost' | 'down')[] = [];
  /** What happens while the next call is on its way. */
  meanwhile: (() => Promise<unknown>) | undefined;

  async send(request: Parameters<Net['send']>[0]): ReturnType<Net['send']> {
    const accident = request.url.includes('/call/') ? this.accidents.shift() : undefined;
    if (accident === 'down') throw new Fault('HOST_UNREACHABLE');
    const { meanwhile } = this;
    if (request.url.includes('/call/')) this.meanwhile = undefined;
    if (this.meanwhile !== meanwhile) await meanwhile?.();
    const answer = await this.#net.send(request);
    if (accident === 'lost') throw new Fault('CALL_UNANSWERED');
    return answer;
  }

  close(): Promise<void> {
    return this.#net.close();
  }
}

const net = new BadNet();
let shop: TestShop;
/** Minutes that have gone by while nobody looked. */
let laterMs = 0;
const clock: Clock = { ...systemClock, now: () => unixMs(systemClock.now() + laterMs) };

before(async () => {
  shop = await openShop();
});
after(async () => {
  await net.close();
  await shop.close();
});

async function buy(service: string, calls: number, purchaseId?: string): Promise<PayerSession> {
  const payer = new Payer({
    net,
    store: shop.payerStore,
    wallet: shop.payerWallet,
    clock,
    random: systemRandom,
    log: silentLog,
    keyring: fixtureKeyring(),
  });
  const link = await payer.connect(shop.url);
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(calls));
  const id = purchaseId === undefined ? {} : { purchaseId };
  return payer.buy(link, { service, calls, maxTotalMsat, ...id });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

/** No second try. */
const ONCE = { deadlineMs: 1 };

test('an answer lost, then a host that is down, then an answer: one run, one charge', async () => {
  const session = await buy('echo', 4);
  const before = shop.begun.get('echo') ?? 0;
  const options = { callId: 'mine', ...ONCE };
  net.accidents = ['lost', 'down'];
  await assert.rejects(session.call({ text: 'a' }, options), faultOf('CALL_UNANSWERED'));
  await assert.rejects(session.call({ text: 'a' }, options), faultOf('HOST_UNREACHABLE'));
  const { result, balance } = await session.call({ text: 'a' }, options);
  assert.deepEqual(result, { text: 'a' });
  assert.equal(balance?.chargedMsat, 0n, 'it was charged when its answer was lost');
  assert.equal((await session.status()).chargedMsat, PRICE_MSAT);
  assert.equal(shop.begun.get('echo'), before + 1);
});

test('a call that was not named can be asked again by the name in its fault', async () => {
  const session = await buy('echo', 2);
  net.accidents = ['lost'];
  const fault = await session.call({ text: 'b' }, ONCE).catch((error: unknown) => error);
  assert(isFault(fault));
  const callId = String(fault.facts['callId']);
  const { result } = await session.call({ text: 'b' }, { callId });
  assert.deepEqual(result, { text: 'b' });
  assert.equal((await session.status()).chargedMsat, PRICE_MSAT);
});

test('another process was faster and the host forgets: the answer is in the store', async () => {
  const session = await buy('echo', 3);
  const input = { text: 'shared' };
  net.meanwhile = async () => {
    await session.call(input, { callId: 'shared' });
    await session.call({ text: 'next' });
  };
  const { result, balance } = await session.call(input, { callId: 'shared' });
  assert.deepEqual([result, balance], [input, undefined]);
  assert.equal((await session.status()).chargedMsat, 2n * PRICE_MSAT);
});

test('callers that give up do not lock a paid bundle', async () => {
  const session = await buy('echo', 100);
  for (let i = 0; i < 64; i++) {
    net.accidents = ['lost'];
    await assert.rejects(session.call({ text: `${i}` }, ONCE), faultOf('CALL_UNANSWERED'));
  }
  await assert.rejects(session.call({ text: 'next' }, ONCE), faultOf('CALL_UNRESOLVED'));
  laterMs = 10 * 60_000;
  const { result, balance } = await session.call({ text: 'next' });
  laterMs = 0;
  assert.deepEqual(result, { text: 'next' });
  assert.equal(balance?.callsLeft, 35);
});

test('a purchase id stands for one order', async () => {
  const id = 'cd'.repeat(16);
  const first = await buy('echo', 2, id);
  assert.equal((await buy('echo', 2, id)).session, first.session);
  await assert.rejects(buy('once', 2, id), faultOf('PURCHASE_CONFLICT'));
  await assert.rejects(buy('echo', 3, id), faultOf('PURCHASE_CONFLICT'));
});

test('two processes, one purchase id, one told that it failed: paid once, and kept', async () => {
  const order = {
    service: 'echo',
    calls: 3,
    maxTotalMsat: msat(3_000),
    purchaseId: 'ef'.repeat(16),
  };
  const delayed = (ms: number): FakeWallet =>
    new Proxy(shop.payerWallet, {
      get: (wallet, key) => {
        const value: unknown = Reflect.get(wallet, key, wallet);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]): Promise<unknown> => {
          if (key === 'pay') await systemClock.sleep(ms);
          return Reflect.apply(value, wallet, args) as unknown;
        };
      },
    });
  const parts = {
    net: openNet(),
    store: shop.payerStore,
    clock,
    random: systemRandom,
    log: silentLog,
    keyring: fixtureKeyring(),
  };
  const [a, b] = [30, 60].map((ms) => new Payer({ ...parts, wallet: delayed(ms) }));
  assert(a && b);
  const link = await a.connect(shop.url);
  const before = (await shop.payerWallet.balance()).sendableMsat;
  shop.payerWallet.nextPay({ kind: 'fail', reason: 'PAYMENT_NO_ROUTE' });
  await Promise.allSettled([a.buy(link, order), b.buy(link, order)]);
  const session = await a.buy(link, order);
  assert.equal((await session.status()).callsLeft, 3);
  assert.equal(before - (await shop.payerWallet.balance()).sendableMsat, 3_000n);
  await parts.net.close();
});

test('what is no tollcall host costs nothing', async () => {
  const payer = shop.payer;
  let body = '<html>';
  const page = createServer((_, answer) => answer.end(body)).listen(0, '127.0.0.1');
  await once(page, 'listening');
  const { port } = page.address() as AddressInfo;
  await assert.rejects(payer.connect(`http://127.0.0.1:${port}`), faultOf('HOST_FOREIGN'));
  // More than a payer holds of an answer.
  body = 'x'.repeat(2 ** 24 + 1);
  await assert.rejects(payer.connect(`http://127.0.0.1:${port}`), faultOf('HOST_FOREIGN'));
  page.close();
  await assert.rejects(payer.connect('http://127.0.0.1:1'), faultOf('HOST_UNREACHABLE'));
});
