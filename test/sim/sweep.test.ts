/**
 * The hourly sweep of a host, on virtual time: real books over a real store.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { Fault } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { unixMs } from '../../src/base/time/index.ts';
import { openBooks } from '../../src/books/index.ts';
import { openHost, service } from '../../src/host/index.ts';
import { SWEEP_MS } from '../../src/host/limits.ts';
import { openHostStore } from '../../src/port/store/index.ts';
import { openFakeNetwork, type Wallet } from '../../src/port/wallet/index.ts';
import { syncHostKeys } from '../fixtures/keys.ts';
import { termsOf } from '../property/world.ts';
import { withMethods } from './bundle/wallets.ts';
import { World } from './world.ts';

const DAY_MS = 24 * 3_600_000;
const KEEP_DAYS = 2;

/**
 * What has expired after so many times the pause between two sweeps: from 0.5 on a session is owed
 * nothing. From then on the wallet does not answer for a while.
 */
async function expiredAfter(sweeps: readonly number[], walletDown = 0): Promise<bigint[]> {
  const world = new World({ seed: 1 });
  const store = await openHostStore({ file: ':memory:', thread: false });
  const startMs = world.clock.now();
  const expiresAtMs = unixMs(startMs - KEEP_DAYS * DAY_MS + SWEEP_MS / 2);
  const terms = { ...termsOf(0), expiresAtMs };
  const node = world.node('host', async (life) => {
    const parts = { clock: life, random: life.random, log: silentLog };
    const books = await openBooks({ store, ...parts });
    await books.open(terms);
    const { paymentHash } = terms;
    const paidAtMs = unixMs(1);
    await books.received({ paymentHash, receivedMsat: msat(10_001), paidAtMs, cursor: 0n });
    const network = openFakeNetwork(parts);
    const own = network.wallet('host');
    const receivedAfter: Wallet['receivedAfter'] = async (cursor, limit) => {
      const passed = (life.now() - startMs) / SWEEP_MS;
      const down = passed > 0.5 && passed < walletDown;
      if (down) throw new Fault('WALLET_STOPPED');
      return own.receivedAfter(cursor, limit);
    };
    const wallet = withMethods(own, { receivedAfter });
    const creditKeepDays = KEEP_DAYS;
    await openHost({
      keys: syncHostKeys(),
      wallet,
      books,
      services: [echo()],
      creditKeepDays,
      ...parts,
    });
  });
  const seen: bigint[] = [];
  await world.run(
    (async () => {
      node.start();
      for (const sweep of sweeps) {
        await world.clock.sleep(startMs + sweep * SWEEP_MS - world.clock.now());
        seen.push((await store.sheet()).expiredMsat);
      }
      node.crash();
    })(),
  );
  assert.deepEqual(await store.audit(), []);
  await store.close();
  return seen;
}

test('credit is swept once its day has passed, by the next sweep', async () => {
  assert.deepEqual(await expiredAfter([0.1, 0.6, 0.9, 1.1, 2.1]), [0n, 0n, 0n, 10_001n, 10_001n]);
});

test('a sweep that fails is followed by the next one', async () => {
  const seen = await expiredAfter([0.9, 1.1, 1.9, 2.1], 1.2);
  assert.deepEqual(seen, [0n, 0n, 0n, 10_001n]);
});

function echo(): ReturnType<typeof service> {
  const any = z.strictObject({});
  const price = { kind: 'each', priceMsat: msat(1) } as const;
  const handler = (): Record<string, never> => ({});
  return service('quotes', { description: 'Nothing.', input: any, output: any, price, handler });
}
