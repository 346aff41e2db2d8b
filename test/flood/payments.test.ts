/**
 * Payers who have not paid make a host look for their payment: that costs its wallet little,
 * however many they are. Nor can a wallet that repeats itself keep a host busy.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, unixMs } from '../../src/base/time/index.ts';
import { openBooks } from '../../src/books/index.ts';
import { openHost, service, type Host, type HostRequest } from '../../src/host/index.ts';
import { PAYMENTS_PER_READ } from '../../src/host/limits.ts';
import { CallCodes, requestHashHex } from '../../src/pay/bundle/index.ts';
import { openHostStore } from '../../src/port/store/index.ts';
import { openFakeNetwork, type Received, type Wallet } from '../../src/port/wallet/index.ts';
import { printCall, toAuthorization } from '../../src/wire/toll/index.ts';
import { fixtureHostKeys } from '../fixtures/keys.ts';
import { settled, termsOf } from '../property/world.ts';
import { withMethods } from '../sim/bundle/wallets.ts';

const FLOOD = 500;

test(`${FLOOD} calls at once that nobody paid for: two reads of the wallet`, async () => {
  let [reads, atOnce, most] = [0, 0, 0];
  let open = (): void => undefined;
  const held = new Promise<void>((resolve) => (open = resolve));
  let hold = false;
  const { host, ask } = await openShop((wallet) => ({
    receivedAfter: async (cursor, limit) => {
      reads++;
      most = Math.max(most, ++atOnce);
      if (hold) await held;
      atOnce--;
      return wallet.receivedAfter(cursor, limit);
    },
  }));
  [reads, hold] = [0, true];
  const answers = Promise.all(Array.from({ length: FLOOD }, (_, n) => host.handle(ask(n % 64))));
  await settled();
  open();
  assert.deepEqual(
    (await answers).map(({ status }) => status),
    Array<number>(FLOOD).fill(402),
  );
  await host.close();
  assert.deepEqual([reads, most], [2, 1]);
});

test('calls one after the other: one read each, and none for a wrong code', async () => {
  let reads = 0;
  const { host, ask } = await openShop((wallet) => ({
    receivedAfter: async (cursor, limit) => {
      reads++;
      return wallet.receivedAfter(cursor, limit);
    },
  }));
  reads = 0;
  for (let n = 0; n < 50; n++) assert.equal((await host.handle(ask(n))).status, 402);
  assert(reads <= 50);
  reads = 0;
  for (let n = 0; n < 50; n++) assert.equal((await host.handle(ask(n, 1))).status, 401);
  assert.equal(reads, 0);
  await host.close();
});

test('a wallet that lists the same payments without end is left until the next poll', async () => {
  let reads = 0;
  const payment: Received = {
    cursor: 1n,
    paymentHash: '77'.repeat(32),
    receivedMsat: msat(5),
    paidAtMs: unixMs(1),
  };
  const { host, ask } = await openShop(() => ({
    receivedAfter: async (_, limit) => {
      reads++;
      assert(limit >= PAYMENTS_PER_READ);
      return Array.from({ length: limit }, () => payment);
    },
  }));
  reads = 0;
  assert.equal((await host.handle(ask(0))).status, 402);
  assert.equal(reads, 1);
  await host.close();
});

interface Shop {
  readonly host: Host;
  /** A call in a session that is not paid; with a salt that was not signed its code is wrong. */
  readonly ask: (n: number, saltByte?: number) => HostRequest;
}

async function openShop(methods: (wallet: Wallet) => Partial<Wallet>): Promise<Shop> {
  const parts = { clock: systemClock, random: systemRandom, log: silentLog };
  const store = await openHostStore({ file: ':memory:', thread: false });
  const books = await openBooks({ store, ...parts });
  const now = systemClock.now();
  const expiresAtMs = unixMs(now + 86_400_000);
  const terms = { ...termsOf(2), payByMs: expiresAtMs, expiresAtMs };
  await books.open(terms);
  const keys = await fixtureHostKeys();
  const own = openFakeNetwork(parts).wallet('host');
  const wallet = withMethods<Wallet>(own, methods(own));
  const any = z.strictObject({});
  const quotes = service('quotes', {
    description: 'Nothing.',
    input: any,
    output: any,
    price: { kind: 'each', priceMsat: msat(20) },
    handler: () => ({}),
  });
  const host = await openHost({ keys, wallet, books, services: [quotes], ...parts });
  const codes = new CallCodes(terms.codeKey, keys.fingerprint, terms.session);
  const hash = requestHashHex('quotes', {});
  const ask = (n: number, saltByte = 0): HostRequest => {
    const fields = { session: terms.session, n: BigInt(n), done: 0n, salt: new Uint8Array(16) };
    const code = codes.code(fields, hash);
    const salt = new Uint8Array(16).fill(saltByte);
    const headers: Record<string, string> = {
      authorization: toAuthorization(printCall({ ...fields, salt, code })),
      'content-type': 'application/json',
    };
    return {
      method: 'POST',
      path: '/call/quotes',
      header: (name) => headers[name],
      body: new Uint8Array(Buffer.from('{}')),
      address: '127.0.0.1',
    };
  };
  return { host, ask };
}
