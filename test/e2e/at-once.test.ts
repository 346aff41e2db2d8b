/**
 * Two at once: processes of one payer, set-ups under a cap, a refund and calls, and a host that
 * names a session that another host has sold.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { z } from 'zod';
import { isFault } from '../../src/base/fault/index.ts';
import type { Json } from '../../src/base/json/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom, type Random } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { openBooks } from '../../src/books/index.ts';
import { openHttpDoor } from '../../src/door/http/index.ts';
import { openHost, service } from '../../src/host/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import { Payer, type PayerSession } from '../../src/payer/index.ts';
import { openNet } from '../../src/port/net/index.ts';
import { openHostStore, openPayerStore } from '../../src/port/store/index.ts';
import { openFakeNetwork, type FakeNetwork, type FakeWallet } from '../../src/port/wallet/index.ts';
import { fixtureHostKeys, fixtureKeyring } from '../fixtures/keys.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

const [clock, random, log] = [systemClock, systemRandom, silentLog];

/** A payer like one of another process: it shares the file of its store, and the wallet. */
async function openPayer(t: TestContext, file: string, wallet: FakeWallet): Promise<Payer> {
  const store = await openPayerStore({ file });
  const net = openNet();
  t.after(async () => {
    await net.close();
    await store.close();
  });
  return new Payer({ net, store, wallet, clock, random, log, keyring: fixtureKeyring() });
}

function profile(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-at-once-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, 'payer.db');
}

async function bought(payer: Payer, { url }: TestShop, calls: number): Promise<PayerSession> {
  const link = await payer.connect(url);
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(calls));
  return payer.buy(link, { service: 'echo', calls, maxTotalMsat });
}

function codeOf(result: PromiseSettledResult<unknown>): string {
  if (result.status === 'fulfilled') return 'ok';
  return isFault(result.reason) ? result.reason.code : String(result.reason);
}

test('two processes refund one session at once: it is paid once', async (t) => {
  const shop = await openShop({ limits: { refundAfterMs: 0 } });
  t.after(() => shop.close());
  const file = profile(t);
  const one = await openPayer(t, file, shop.payerWallet);
  const two = await openPayer(t, file, shop.payerWallet);
  const session = await bought(one, shop, 10);
  const again = (await two.sessions(await two.connect(shop.url)))[0];
  assert.ok(again);
  const before = (await shop.payerWallet.balance()).sendableMsat;
  const options = { deadlineMs: 2_000 };
  const results = await Promise.allSettled([session.refund(options), again.refund(options)]);
  const codes = results.map(codeOf);
  assert.equal(codes.filter((code) => code === 'ok').length, 1, codes.join());
  const status = await session.status();
  const gained = (await shop.payerWallet.balance()).sendableMsat - before;
  assert.equal(gained + status.creditMsat, 10_000n, 'what came back and what is left');
  const sheet = await shop.books.sheet();
  assert.deepEqual([sheet.refundedMsat, sheet.refundingMsat], [gained, 0n]);
  assert.equal(isBalanced(sheet), true);
});

test('two processes with one refund id have one refund', async (t) => {
  const shop = await openShop({ limits: { refundAfterMs: 0 } });
  t.after(() => shop.close());
  const file = profile(t);
  const one = await openPayer(t, file, shop.payerWallet);
  const two = await openPayer(t, file, shop.payerWallet);
  const session = await bought(one, shop, 10);
  const again = (await two.sessions(await two.connect(shop.url)))[0];
  assert.ok(again);
  const asked = { refundId: 'r', amountMsat: msat(3_000) };
  const results = await Promise.all([session.refund(asked), again.refund(asked)]);
  assert.deepEqual(results[0], results[1]);
  assert.equal((await shop.books.sheet()).refundedMsat, 3_000n);
});

test('calls and a refund share the credit, whoever is first', async (t) => {
  const shop = await openShop({ limits: { refundAfterMs: 0 } });
  t.after(() => shop.close());
  const session = await bought(shop.payer, shop, 20);
  const call = async (): Promise<unknown> => session.call({ text: 'a' });
  const calls = Array.from({ length: 10 }, call);
  const refund = session.refund({ deadlineMs: 2_000 });
  const more = Array.from({ length: 10 }, call);
  const ended = await Promise.allSettled([...calls, refund, ...more]);
  const served = ended.filter((one, i) => i !== 10 && one.status === 'fulfilled').length;
  const sheet = await shop.books.sheet();
  assert.equal(sheet.servedMsat, PRICE_MSAT * BigInt(served));
  const all = sheet.servedMsat + sheet.refundedMsat + sheet.creditMsat;
  assert.equal(all, 20_000n);
  assert.deepEqual([sheet.reservedMsat, sheet.refundingMsat, isBalanced(sheet)], [0n, 0n, true]);
});

for (const cap of ['maxPrepaidMsat', 'maxLiabilityMsat'] as const) {
  test(`many orders at once stay below ${cap}`, async (t) => {
    const shop = await openShop({ limits: { [cap]: msat(5_000) } });
    t.after(() => shop.close());
    const orders = Array.from({ length: 20 }, () => bought(shop.payer, shop, 1));
    const codes = (await Promise.allSettled(orders)).map(codeOf);
    const sold = codes.filter((code) => code === 'ok').length;
    assert.ok(sold >= 1 && sold <= 5, `${sold} sold`);
    assert.equal((await shop.books.sheet()).creditMsat, PRICE_MSAT * BigInt(sold));
    const refused = new Set(codes.filter((code) => code !== 'ok'));
    assert.deepEqual(
      [...refused],
      [cap === 'maxPrepaidMsat' ? 'SETUP_PREPAID' : 'SETUP_LIABILITY'],
    );
  });
}

/** A host that gives every session the same id. */
async function openLiar(t: TestContext, network: FakeNetwork, name: string): Promise<string> {
  const fixed: Random = {
    ...systemRandom,
    bytes: (length) => (length === 16 ? new Uint8Array(16).fill(7) : systemRandom.bytes(length)),
  };
  const wallet = network.wallet(name);
  const store = await openHostStore({ file: ':memory:', thread: false });
  const books = await openBooks({ store, clock, log });
  const price = { kind: 'each', priceMsat: PRICE_MSAT } as const;
  const common = { description: 'For tests.', input: z.any(), output: z.any(), price };
  const services = [service('echo', { ...common, handler: (input: Json) => input })];
  const keys = await fixtureHostKeys();
  const host = await openHost({ keys, wallet, books, services, clock, random: fixed, log });
  const door = await openHttpDoor(host, { address: '127.0.0.1', port: 0 }, log);
  t.after(async () => {
    await door.close();
    await host.close();
  });
  return door.url;
}

test('a host that names the session of another host is not paid', async (t) => {
  const network = openFakeNetwork({ clock, random });
  t.after(() => network.close());
  const wallet = network.wallet('payer');
  wallet.fund(msat(1_000_000n));
  const payer = await openPayer(t, profile(t), wallet);
  const order = { service: 'echo', calls: 1, maxTotalMsat: PRICE_MSAT };
  const honest = await payer.connect(await openLiar(t, network, 'one'));
  const session = await payer.buy(honest, order);
  const { sendableMsat } = await wallet.balance();
  const liar = await payer.connect(await openLiar(t, network, 'two'));
  const refused = await payer.buy(liar, order).catch((error: unknown) => error);
  assert.ok(isFault(refused));
  assert.deepEqual([refused.code, refused.facts['where']], ['HOST_TERMS', 'session']);
  assert.equal((await wallet.balance()).sendableMsat, sendableMsat);
  assert.deepEqual((await session.call({ text: 'mine' })).result, { text: 'mine' });
});
