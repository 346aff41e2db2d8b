/**
 * The real host as a process of its own, to be killed: real store in its writer thread, real HTTP
 * door, real books. Only the Lightning network is the fake one, in a file that outlives it.
 * @module
 */
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { openLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { openBooks } from '../../src/books/index.ts';
import { openHttpDoor } from '../../src/door/http/index.ts';
import { openHost, service, type Service } from '../../src/host/index.ts';
import type { Effect } from '../../src/pay/ledger/index.ts';
import { openHostStore } from '../../src/port/store/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { fixtureHostKeys } from '../fixtures/keys.ts';

/** What one call costs here. */
export const PRICE_MSAT = msat(700);
/** In the directory of a host: what `work-kept` has done, a line for each effect. */
export const EFFECTS = 'effects';
/** What a lazy host may lose in one crash. */
export const LAZY_MSAT = msat(20n * PRICE_MSAT);

if (import.meta.main) await main();

/** How often the handler was begun under each number of a session. */
const runs = new Map<string, number>();

/** Loads itself, then waits for the word: its forerunner still has the store. */
async function main(): Promise<void> {
  const [dir = '', port = '0', durability] = process.argv.slice(2);
  mkdirSync(dir, { recursive: true });
  // Nothing is left behind when the test itself dies.
  process.on('disconnect', () => process.exit(0));
  const [clock, random, log] = [systemClock, systemRandom, openLog('error')];
  const keys = await fixtureHostKeys();
  const begin = once(process, 'message');
  process.send?.('loaded');
  await begin;
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  const store = await openHostStore({ file: join(dir, 'host', 'books.db'), thread: true });
  const lazy = { durability: { kind: 'lazy', maxMs: 100, maxMsat: LAZY_MSAT } } as const;
  const limits = durability === 'lazy' ? lazy : {};
  const books = await openBooks({ store, clock, log, limits, onBroken: () => process.exit(1) });
  const host = await openHost({
    keys,
    wallet: network.wallet('host'),
    books,
    services: [work('none'), work('once'), kept(join(dir, EFFECTS))],
    clock,
    random,
    log,
  });
  const door = await openHttpDoor(host, { address: '127.0.0.1', port: Number(port) }, log);
  process.on('message', () => process.send?.([...runs]));
  process.send?.({ port: door.port });
}

/** Doubles a number after a moment; refuses every fifth one. */
function work(effect: Effect): Service {
  const value = z.strictObject({ value: z.number().int() });
  return service(`work-${effect}`, {
    description: 'Doubles a number.',
    input: value,
    output: value,
    price: { kind: 'each', priceMsat: PRICE_MSAT },
    effect,
    handler: async ({ value: x }, { session, n, signal }) => {
      const number = `${session} ${n}`;
      runs.set(number, (runs.get(number) ?? 0) + 1);
      await systemClock.sleep(systemRandom.below(4), signal);
      if (x % 5 === 4) throw new Error('every fifth one fails');
      return { value: x * 2 };
    },
  });
}

/** The same with an effect that outlives the process: it knows what became of most calls. */
function kept(file: string): Service {
  const value = z.strictObject({ value: z.number().int() });
  return service('work-kept', {
    description: 'Doubles a number, and writes it down.',
    input: value,
    output: value,
    price: { kind: 'each', priceMsat: PRICE_MSAT },
    effect: 'once',
    handler: async ({ value: x }, { session, n, signal }) => {
      if (x % 5 === 4) throw new Error('every fifth one fails');
      await systemClock.sleep(systemRandom.below(4), signal);
      appendFileSync(file, `${session} ${n} ${x * 2}\n`);
      await systemClock.sleep(systemRandom.below(4), signal);
      return { value: x * 2 };
    },
    recover: async ({ session, n }) => {
      const done = readEffects(file).find((line) => line.startsWith(`${session} ${n} `));
      if (done !== undefined) return { done: { value: Number(done.split(' ')[2]) } };
      return n % 3n === 0n ? 'unknown' : 'not-done';
    },
  });
}

/** What was done, a line for each effect: lane, number and result. */
export function readEffects(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}
