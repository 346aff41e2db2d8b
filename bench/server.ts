/**
 * The measured process: one door, one service, with payment or without.
 * @module
 */
import { join } from 'node:path';
import { z } from 'zod';
import { utf8 } from '../src/base/bytes/index.ts';
import { parseJson } from '../src/base/json/index.ts';
import { silentLog } from '../src/base/log/index.ts';
import { msat } from '../src/base/money/index.ts';
import { systemRandom } from '../src/base/random/index.ts';
import { systemClock } from '../src/base/time/index.ts';
import { openBooks } from '../src/books/index.ts';
import { openHttpDoor } from '../src/door/http/index.ts';
import { openHost, service, type Host } from '../src/host/index.ts';
import { readImage } from '../src/pay/tick/index.ts';
import { openHostStore, type HostStore } from '../src/port/store/index.ts';
import { openFakeNetwork } from '../src/port/wallet/index.ts';
import { fixtureHostKeys } from '../test/fixtures/keys.ts';

const value = z.strictObject({ value: z.number().int() });
const options = {
  description: 'Adds one.',
  input: value,
  output: value,
  price: { kind: 'each', priceMsat: msat(1000) },
  handler: ({ value: x }: z.infer<typeof value>) => ({ value: x + 1 }),
} as const;
const work = service('work', options);
const workOnce = service('work-once', { ...options, effect: 'once' });

const [mode = '', dir = ''] = process.argv.slice(2);
const host = mode === 'unpaid' ? unpaid() : await paid();
/** All of the load comes from one address, and waits while others have their turn. */
const limits = { connectionsPerAddress: 10_000, keepAliveMs: 600_000 };
const door = await openHttpDoor(host, { address: '127.0.0.1', port: 0, limits }, silentLog);
process.send?.({ url: door.url });
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuMs: (user + system) / 1000 });
});
process.on('disconnect', () => process.exit(0));

async function paid(): Promise<Host> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  const file = await openHostStore({ file: join(dir, `${mode}.db`), thread: true });
  const limits = { maxPrepaidMsat: msat(10n ** 15n), maxLiabilityMsat: msat(10n ** 16n) };
  const books = await openBooks({
    store: mode === 'memory' ? inMemory(file) : file,
    clock,
    log,
    limits,
  });
  const keys = await fixtureHostKeys();
  const wallet = network.wallet(`host-${mode}`);
  return openHost({ keys, wallet, books, services: [work, workOnce], clock, random, log });
}

/** What lanes spend is not written: what is left is the tick, the MAC and the table. */
function inMemory(store: HostStore): HostStore {
  return { ...store, commitLanes: async (images) => new Uint8Array(countImages(images)) };
}

function countImages(images: Uint8Array): number {
  let count = 0;
  for (
    let image = readImage(images, 0);
    image !== undefined;
    image = readImage(images, image.end)
  ) {
    count++;
  }
  return count;
}

/** The same door, schema and handler with payment off. */
function unpaid(): Pick<Host, 'handle'> {
  const context = { session: '', n: 0n, signal: new AbortController().signal };
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  return {
    handle: async ({ body }) => {
      let accepted = work.steps.accept(parseJson(body));
      if (accepted instanceof Promise) accepted = await accepted;
      let result = work.steps.run(accepted, context);
      if (result instanceof Promise) result = await result;
      return { status: 200, headers, body: utf8(JSON.stringify(result)) };
    },
  };
}
