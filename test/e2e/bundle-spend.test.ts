/**
 * Caps on what a profile spends: durable, and over all of its processes.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, unixMs } from '../../src/base/time/index.ts';
import { Payer, type PayerSession, type SpendLimit } from '../../src/payer/index.ts';
import { openNet } from '../../src/port/net/index.ts';
import { openPayerStore, type PayerStore } from '../../src/port/store/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import { openShop, type TestShop } from './shop.ts';

let shop: TestShop;
const net = openNet();
before(async () => {
  shop = await openShop();
});
after(async () => {
  await net.close();
  await shop.close();
});

let laterMs = 0;

function payerOf(store: PayerStore, spendLimits: readonly SpendLimit[]): Payer {
  const clock = { ...systemClock, now: () => unixMs(systemClock.now() + laterMs) };
  const parts = { net, store, wallet: shop.payerWallet, clock, random: systemRandom };
  return new Payer({ ...parts, log: silentLog, keyring: fixtureKeyring(), spendLimits });
}

async function buy(payer: Payer, calls: number): Promise<PayerSession> {
  const link = await payer.connect(shop.url);
  return payer.buy(link, { service: 'echo', calls, maxTotalMsat: msat(1_000_000) });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

test('a cap holds over purchases and top-ups; what is refused is not paid', async () => {
  const store = await openPayerStore({ file: ':memory:' });
  const payer = payerOf(store, [{ limitMsat: msat(5_000) }]);
  const session = await buy(payer, 3);
  const before = (await shop.payerWallet.balance()).sendableMsat;
  await assert.rejects(buy(payer, 3), faultOf('PAYMENT_SPENT'));
  const large = { calls: 3, maxTotalMsat: msat(3_000) };
  await assert.rejects(session.topUp(large), faultOf('PAYMENT_SPENT'));
  assert.equal((await shop.payerWallet.balance()).sendableMsat, before);
  await session.topUp({ calls: 2, maxTotalMsat: msat(2_000) });
  await assert.rejects(buy(payer, 1), faultOf('PAYMENT_SPENT'));
  await store.close();
});

test('two processes that pay at once do not exceed it together', async () => {
  const store = await openPayerStore({ file: ':memory:' });
  const limits = [{ limitMsat: msat(4_000) }];
  const payers = Array.from({ length: 6 }, () => payerOf(store, limits));
  const before = (await shop.payerWallet.balance()).sendableMsat;
  const outcomes = await Promise.allSettled(payers.map((payer) => buy(payer, 1)));
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 4);
  assert.equal(before - (await shop.payerWallet.balance()).sendableMsat, 4_000n);
  await store.close();
});

test('a window slides; a payment that failed does not count', async () => {
  const store = await openPayerStore({ file: ':memory:' });
  const payer = payerOf(store, [{ limitMsat: msat(2_000), windowMs: 86_400_000, perHost: true }]);
  laterMs = -86_400_001;
  shop.payerWallet.nextPay({ kind: 'fail', reason: 'PAYMENT_NO_ROUTE' });
  await assert.rejects(buy(payer, 2), faultOf('PAYMENT_NO_ROUTE'));
  await buy(payer, 2);
  await assert.rejects(buy(payer, 1), faultOf('PAYMENT_SPENT'));
  laterMs = 0;
  await assert.rejects(buy(payer, 3), faultOf('PAYMENT_SPENT'));
  await buy(payer, 2);
  await store.close();
});

test('the balance is what all sessions have left', async () => {
  const store = await openPayerStore({ file: ':memory:' });
  const payer = payerOf(store, []);
  const one = await buy(payer, 2);
  await buy(payer, 3);
  await one.call({ text: 'x' });
  const link = await payer.connect(shop.url);
  const balance = await payer.balance(link);
  assert.deepEqual(balance, { sessions: 2, callsLeft: 4, creditMsat: 4_000n });
  await store.close();
});
