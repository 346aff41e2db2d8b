/**
 * Paying by hand: a person pays with another wallet, and the host says when it is there. Never
 * twice, and never by our own wallet.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isFault } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { Payer, type Bill, type ByHand } from '../../src/payer/index.ts';
import { openNet, type Net } from '../../src/port/net/index.ts';
import { openPayerStore, type PayerStore } from '../../src/port/store/index.ts';
import type { Wallet } from '../../src/port/wallet/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import { openShop, type TestShop } from './shop.ts';

/** A wallet that must not be asked. */
const NO_WALLET = new Proxy({} as Wallet, {
  get: (_, name) => () => {
    throw new Error(`the wallet was asked: ${String(name)}`);
  },
});
const ORDER = { service: 'echo', calls: 2, maxTotalMsat: msat(2000) };

let shop: TestShop;
let net: Net;
let store: PayerStore;
let payer: Payer;
before(async () => {
  shop = await openShop();
  net = openNet();
  store = await openPayerStore({ file: ':memory:' });
  payer = new Payer({
    net,
    store,
    wallet: NO_WALLET,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    keyring: fixtureKeyring(),
  });
});
after(async () => {
  await net.close();
  await store.close();
  await shop.close();
});

/** The person's phone. */
function pay({ invoice }: Bill): Promise<unknown> {
  return shop.payerWallet.pay({ invoice, maxFeeMsat: msat(5000), timeoutMs: 10_000 });
}

/** A person who looks at invoices and goes away. */
function passerBy(bills: Bill[]): ByHand {
  const abort = new AbortController();
  const show = (bill: Bill): void => {
    bills.push(bill);
    abort.abort();
  };
  return { show, signal: abort.signal };
}

test('a person pays, the host says so, and the calls are there', async () => {
  const link = await payer.connect(shop.url);
  const bills: Bill[] = [];
  const show = (bill: Bill): void => {
    bills.push(bill);
    void pay(bill);
  };
  const session = await payer.buy(link, { ...ORDER, byHand: { show } });
  const { result } = await session.call({ text: 'hello' });
  assert.deepEqual(result, { text: 'hello' });
  const [bill] = bills;
  assert.deepEqual(
    [bills.length, bill?.service, bill?.calls, bill?.totalMsat],
    [1, 'echo', 2, msat(2000)],
  );
});

test('who stops waiting gets the same invoice again; what was paid meanwhile counts', async () => {
  const link = await payer.connect(shop.url);
  const bills: Bill[] = [];
  const purchaseId = '11'.repeat(16);
  const buy = (): Promise<unknown> =>
    payer.buy(link, { ...ORDER, purchaseId, byHand: passerBy(bills) });
  for (let i = 0; i < 2; i++) await assert.rejects(buy(), unknownPayment);
  // Nobody shows it: it is looked up, once.
  assert.deepEqual(await payer.resume(link), []);
  assert.equal(bills[0]?.invoice, bills[1]?.invoice);
  const before = shop.payerWallet;
  assert.ok(bills[0]);
  await pay(bills[0]);
  const [session] = await payer.resume(link);
  assert.deepEqual((await session?.call({ text: 'paid' }))?.result, { text: 'paid' });
  // Paying the same invoice once more is no second payment.
  const { sendableMsat } = await before.balance();
  await pay(bills[0]);
  assert.equal((await before.balance()).sendableMsat, sendableMsat);
});

test('a purchase whose calls are all used is still paid for those who wait for it', async () => {
  const link = await payer.connect(shop.url);
  const purchaseId = '22'.repeat(16);
  const show = (bill: Bill): void => void pay(bill);
  const order = { ...ORDER, purchaseId, byHand: { show } };
  const [first, second] = await Promise.all([payer.buy(link, order), payer.buy(link, order)]);
  for (const text of ['a', 'b']) await first.call({ text });
  assert.equal((await second.status()).paid, true);
  assert.equal(first.session, second.session);
});

test('a price above the limit shows no invoice', async () => {
  const link = await payer.connect(shop.url);
  const bills: Bill[] = [];
  const order = { ...ORDER, maxTotalMsat: msat(1999), byHand: passerBy(bills) };
  await assert.rejects(payer.buy(link, order), (error) => {
    return isFault(error) && error.code === 'PAYMENT_PRICE';
  });
  assert.deepEqual(bills, []);
});

function unknownPayment(error: unknown): boolean {
  return isFault(error) && error.code === 'PAYMENT_UNKNOWN' && 'purchase' in error.facts;
}
