/**
 * Keys that change while things are sold under them: rotation, theft, certificates, pins.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { z } from 'zod';
import { utf8 } from '../../src/base/bytes/index.ts';
import { jsonObject, parseJson, type Json } from '../../src/base/json/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, unixMs, type Clock } from '../../src/base/time/index.ts';
import { openBooks } from '../../src/books/index.ts';
import { openHttpDoor } from '../../src/door/http/index.ts';
import { openHost, service } from '../../src/host/index.ts';
import { Payer, type Trust } from '../../src/payer/index.ts';
import type { HostKeys, PayerKeyring } from '../../src/port/keys/index.ts';
import { openNet } from '../../src/port/net/index.ts';
import { openHostStore, openPayerStore } from '../../src/port/store/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { certificate } from '../fixtures/certificates.ts';
import {
  fixtureHostKeys,
  fixtureKeyring,
  fixtureRotatedKeys,
  privateKey,
} from '../fixtures/keys.ts';

const root = mkdtempSync(join(tmpdir(), 'tollcall-rotating-'));
after(() => rmSync(root, { recursive: true }));
const NOW = systemClock.now();
const NO_WAIT = { refundAfterMs: 0 };
const HOUR_MS = 3600 * 1000;
const OPEN = { atMs: NOW, untilMs: unixMs(NOW + HOUR_MS) };
const ORDER = { service: 'echo', calls: 4, maxTotalMsat: msat(4000) };

const old = await fixtureHostKeys(0);
const next = await fixtureHostKeys(1);
const rotated = await fixtureRotatedKeys(OPEN);
const ended = await fixtureRotatedKeys({ atMs: NOW, untilMs: unixMs(NOW) });
const revoked = await fixtureRotatedKeys(OPEN, true);

/** A host that is opened again and again, on one port and with one store; and its payer. */
class Market {
  readonly #dir = mkdtempSync(join(root, 'market-'));
  readonly #network = openFakeNetwork({ clock: systemClock, random: systemRandom });
  readonly #net = openNet();
  readonly #seller = this.#network.wallet('host');
  readonly #buyer = this.#network.wallet('payer');
  readonly store = openPayerStore({ file: ':memory:' });
  #close = async (): Promise<void> => undefined;
  #port = 0;
  url = '';

  /** Opens the host, or starts it again with other keys. */
  async open(keys: HostKeys): Promise<void> {
    await this.#close();
    const parts = { clock: systemClock, random: systemRandom, log: silentLog };
    const store = await openHostStore({ file: join(this.#dir, 'books.db'), thread: false });
    const books = await openBooks({ ...parts, store, limits: NO_WAIT, onBroken: () => undefined });
    const text = z.strictObject({ text: z.string() });
    const price = { kind: 'each', priceMsat: msat(1000) } as const;
    const echo = { description: 'For tests.', input: text, output: text, price };
    const services = [service('echo', { ...echo, handler: (input) => input })];
    const host = await openHost({ ...parts, keys, wallet: this.#seller, books, services });
    const at = { address: '127.0.0.1', port: this.#port };
    const door = await openHttpDoor(host, at, silentLog);
    this.#port = door.port;
    this.url = door.url;
    this.#close = async () => {
      await door.close();
      await host.close();
    };
  }

  /** A process of the payer; all of them share a store and a wallet. */
  async payer(
    clock: Clock = systemClock,
    keyring: PayerKeyring = fixtureKeyring(),
  ): Promise<Payer> {
    this.#buyer.fund(msat(1_000_000n));
    const [net, wallet, store] = [this.#net, this.#buyer, await this.store];
    return new Payer({ net, store, wallet, clock, random: systemRandom, log: silentLog, keyring });
  }

  async leave(): Promise<void> {
    await this.#net.close();
    await this.#close();
    await (await this.store).close();
    this.#network.close();
  }
}

async function market(t: { after: (leave: () => Promise<void>) => void }): Promise<Market> {
  const made = new Market();
  t.after(() => made.leave());
  await made.open(old);
  return made;
}

const hello: Json = { text: 'hello' };
const CHANGED = { code: 'HOST_KEY_CHANGED' };

test('after a rotation old sessions go on, and a payer with the old pin buys anew', async (t) => {
  const shop = await market(t);
  const before = await shop.payer();
  const oldLink = await before.connect(shop.url);
  const running = await before.buy(oldLink, ORDER);
  await running.call(hello);

  await shop.open(rotated);
  const payer = await shop.payer();
  const link = await payer.connect(shop.url);
  assert.equal(link.key.fingerprint, next.fingerprint);
  const pins = await (await shop.store).pins();
  assert.deepEqual(
    pins.map(({ fingerprint }) => fingerprint),
    [next.fingerprint],
  );

  const [session] = await payer.sessions(link);
  assert.ok(session);
  assert.deepEqual((await session.call(hello)).result, hello);
  assert.equal((await session.receipt()).facts.host, old.fingerprint);
  const bought = await payer.buy(link, ORDER);
  await bought.call(hello);
  assert.equal((await bought.receipt()).facts.host, next.fingerprint);

  // A process that has been running all the time notices nothing.
  await running.call(hello);
  assert.equal((await running.receipt()).facts.host, old.fingerprint);
  const more = await before.buy(oldLink, ORDER);
  await more.call(hello);
  assert.equal((await more.receipt()).facts.host, old.fingerprint);
});

test('after the overlap sessions go on, and orders for the old key are refused', async (t) => {
  const shop = await market(t);
  const before = await shop.payer();
  const oldLink = await before.connect(shop.url);
  const running = await before.buy(oldLink, ORDER);
  await shop.open(ended);
  await running.call(hello);
  assert.equal((await running.receipt()).facts.host, old.fingerprint);
  await assert.rejects(before.buy(oldLink, ORDER), { code: 'SETUP_HOST_KEY' });
  const link = await before.connect(shop.url);
  const [session] = await before.sessions(link);
  assert.deepEqual((await session?.call(hello))?.result, hello);
  assert.ok((await session?.refund())?.amountMsat);
});

test('a set-up that was cut off is finished under its key, or ordered anew', async (t) => {
  const shop = await market(t);
  const id = '11'.repeat(16);
  const cut = await shop.payer();
  const oldLink = await cut.connect(shop.url);
  const deaf = { ...oldLink, ask: () => Promise.reject(new Error('the process ends here')) };
  await assert.rejects(cut.buy(deaf, { ...ORDER, purchaseId: id }));
  await shop.open(rotated);
  const payer = await shop.payer();
  const session = await payer.buy(await payer.connect(shop.url), { ...ORDER, purchaseId: id });
  await session.call(hello);
  assert.equal((await session.receipt()).facts.host, old.fingerprint);

  const other = '22'.repeat(16);
  await assert.rejects(payer.buy(deaf, { ...ORDER, purchaseId: other }));
  const late = await shop.payer({ ...systemClock, now: () => OPEN.untilMs });
  const again = { ...ORDER, purchaseId: other };
  await assert.rejects(late.buy(await late.connect(shop.url), again), { code: 'SETUP_HOST_KEY' });
});

test('a session that was written down without its key goes on after a rotation', async (t) => {
  const shop = await market(t);
  const before = await shop.payer();
  await before.buy(await before.connect(shop.url), ORDER);
  const store = await shop.store;
  const [purchase] = await store.purchases({ host: shop.url, states: ['paid'] });
  assert.ok(purchase);
  const written = { ...jsonObject(parseJson(purchase.record)) };
  assert.equal(written['host'], old.fingerprint);
  delete written['host'];
  const { id, version } = purchase;
  await store.updatePurchase({ id, version, record: utf8(JSON.stringify(written)) });
  await shop.open(ended);
  const payer = await shop.payer();
  const [session] = await payer.sessions(await payer.connect(shop.url));
  assert.ok(session);
  assert.deepEqual((await session.call(hello)).result, hello);
  assert.equal((await session.receipt()).facts.host, next.fingerprint);
});

test('a key that was told leads on as well as one that was pinned', async (t) => {
  const shop = await market(t);
  await shop.open(rotated);
  const payer = await shop.payer();
  for (const trust of [{ fingerprint: old.fingerprint }, { hostKeyPem: old.publicPem }]) {
    assert.equal((await payer.connect(shop.url, trust)).key.fingerprint, next.fingerprint);
  }
  const both: Trust = { fingerprint: old.fingerprint, hostKeyPem: next.publicPem };
  await payer.connect(shop.url, both);
  await assert.rejects(payer.connect(shop.url, { fingerprint: '00'.repeat(32) }), CHANGED);
});

test('a revoked key leads nowhere, and what was sold under it stays good', async (t) => {
  const shop = await market(t);
  const payer = await shop.payer();
  const running = await payer.buy(await payer.connect(shop.url), ORDER);
  await shop.open(revoked);
  await assert.rejects(payer.connect(shop.url), (error: { code: string; facts: object }) => {
    assert.equal(error.code, 'HOST_KEY_CHANGED');
    assert.deepEqual(Object.keys(error.facts), ['host', 'expected', 'shown', 'revoked']);
    return true;
  });
  await assert.rejects(payer.connect(shop.url, { fingerprint: old.fingerprint }), CHANGED);
  await running.call(hello);
  const link = await payer.connect(shop.url, { fingerprint: next.fingerprint });
  const [session] = await payer.sessions(link);
  assert.ok(session);
  await session.call(hello);
  // The old key proves nothing any more.
  assert.equal((await session.receipt()).facts.host, next.fingerprint);
});

test('a payer never goes back to a key that it has left', async (t) => {
  const shop = await market(t);
  const payer = await shop.payer();
  await payer.connect(shop.url);
  await shop.open(rotated);
  await payer.connect(shop.url);
  await shop.open(old);
  await assert.rejects(payer.connect(shop.url), CHANGED);
});

test('without a succession another key is refused, with a false one as well', async (t) => {
  const shop = await market(t);
  const payer = await shop.payer();
  await payer.connect(shop.url);
  await shop.open(next);
  await assert.rejects(payer.connect(shop.url), CHANGED);
  const [former] = rotated.former;
  assert.ok(former);
  const { succession } = former;
  const lies = [
    { ...succession, signature: succession.countersignature },
    { ...succession, countersignature: succession.signature },
    { ...succession, number: 2 },
    { ...succession, untilMs: unixMs(succession.untilMs + 1) },
  ];
  for (const lie of lies) {
    await shop.open({ ...rotated, former: [{ ...former, succession: lie }] });
    await assert.rejects(payer.connect(shop.url), { code: 'HOST_SIGNATURE' });
  }
});

test('two hosts see two payers', async (t) => {
  const shops = [await market(t), await market(t)] as const;
  let made = 0;
  const keyring = fixtureKeyring();
  const make = (): ReturnType<typeof keyring.make> => (made++, keyring.make());
  const payer = await shops[0].payer(systemClock, { ...keyring, make });
  for (const url of [shops[0].url, shops[1].url, shops[0].url]) {
    await payer.buy(await payer.connect(url), ORDER).catch(() => undefined);
  }
  assert.equal(made, 2);
});

test('a CA vouches for a host', async (t) => {
  const ca = certificate({ name: 'ca', ca: true });
  const other = certificate({ name: 'ca', ca: true });
  const key = privateKey('host-0');
  const { pem } = certificate({ name: 'h', issuer: ca, key, dns: ['quotes.example'] });
  const shop = await market(t);
  const payer = await shop.payer();
  const trust = { caPem: ca.pem, name: 'quotes.example' };
  const refused = { code: 'HOST_CERTIFICATE' };
  await assert.rejects(payer.connect(shop.url, trust), refused);
  await shop.open({ ...old, certificates: pem });
  assert.equal((await payer.connect(shop.url, trust)).key.fingerprint, old.fingerprint);
  await assert.rejects(payer.connect(shop.url, { caPem: ca.pem }), refused);
  await assert.rejects(payer.connect(shop.url, { ...trust, caPem: other.pem }), refused);
  const both = { ...trust, fingerprint: next.fingerprint };
  await assert.rejects(payer.connect(shop.url, both), CHANGED);
  assert.deepEqual(await (await shop.store).pins(), []);
});
