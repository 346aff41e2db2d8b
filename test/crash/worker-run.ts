/**
 * Kills the workers of a shop, and the shop, while a payer streams; audits the books each time.
 * @module
 */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault } from '../../src/base/fault/index.ts';
import { jsonObject } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { seededRandom, type Random } from '../../src/base/random/index.ts';
import { systemClock, type Clock } from '../../src/base/time/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import { openShopStore } from '../../src/package/host/index.ts';
import type { PayerStream } from '../../src/payer/index.ts';
import { again, openWorld } from './run.ts';
import { PRICE_MSAT } from './shop-services.ts';
import { LAZY_MSAT, WORKERS, type ShopReport } from './shop-process.ts';
import { freePort } from './victim.ts';

/** What a run found. */
export interface WorkerCrashReport {
  readonly answered: number;
  readonly failed: number;
  readonly lostMsat: bigint;
}

const CALLERS = 48;
const LANES = 8;
const UNITS = 400_000;
/** Calls that are answered between two kills, and the time that follows, at random. */
const LEAST_CALLS = 200;
const BURST_MS = 300;

/** A payer that does not wait long for a host that is down, so that most of the time it calls. */
const HASTY: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 50), signal),
};

interface Tally {
  answered: number;
  failed: number;
  over: boolean;
  mayLoseMsat: bigint;
}

/**
 * Runs until all kills are done, then lets everything end and checks the totals. A lazy host may
 * forget its bound when all of it is killed, and a worker its share.
 */
export async function crashWorkers(options: {
  readonly workerKills: number;
  readonly primaryKills: number;
  readonly seed: number;
  readonly durability?: 'commit' | 'lazy';
}): Promise<WorkerCrashReport> {
  const { workerKills, primaryKills, seed, durability = 'commit' } = options;
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-worker-crash-'));
  const random = seededRandom(seed);
  const port = await freePort();
  const shop = new ShopProcess(dir, port, durability);
  const world = await openWorld(dir, port, HASTY);
  // Of a host that runs, as much may not be written yet.
  const mayLoseMsat = durability === 'lazy' ? LAZY_MSAT : 0n;
  const tally: Tally = { answered: 0, failed: 0, over: false, mayLoseMsat };
  try {
    await shop.start();
    const link = await again(() => world.payer.connect(world.url));
    const maxTotalMsat = msat(PRICE_MSAT * BigInt(UNITS));
    const order = { service: 'work', units: UNITS, lanes: LANES, maxTotalMsat };
    const stream = await world.payer.stream(link, order);
    const load = Promise.all(Array.from({ length: CALLERS }, () => caller(stream, tally, random)));
    // A defect in the load must not go on being killed in silence.
    load.catch(() => (tally.over = true));
    for (let i = 0; i < workerKills && !tally.over; i++) {
      await burst(tally, random);
      // In turn: each has served a while.
      await shop.killWorker(i % WORKERS);
      tally.mayLoseMsat += mayLoseMsat / BigInt(WORKERS);
      await check(tally, () => shop.report());
    }
    for (let i = 0; i < primaryKills && !tally.over; i++) {
      await burst(tally, random);
      await shop.kill();
      tally.mayLoseMsat += mayLoseMsat;
      await check(tally, () => audit(dir));
      await shop.start();
    }
    tally.over = true;
    await load;
    await stream.close();
    const { servedMsat } = await check(tally, () => shop.report());
    const { answered, failed } = tally;
    const lostMsat = BigInt(answered) * PRICE_MSAT - servedMsat;
    assert(lostMsat >= 0n, 'no call was charged twice');
    assert(lostMsat <= tally.mayLoseMsat, 'served = answered x price, but for what it may forget');
    return { answered, failed, lostMsat };
  } finally {
    await shop.kill();
    await world.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Lets calls be answered, and ends at some moment. */
async function burst(tally: Tally, random: Random): Promise<void> {
  const until = tally.answered + LEAST_CALLS;
  while (tally.answered < until && !tally.over) await systemClock.sleep(5);
  await systemClock.sleep(random.below(BURST_MS));
}

/** All that was acknowledged before the question is in the books. */
async function check(
  tally: Tally,
  look: () => Promise<Omit<ShopReport, 'pids'>>,
): Promise<Omit<ShopReport, 'pids'>> {
  const acknowledged = BigInt(tally.answered) * PRICE_MSAT - tally.mayLoseMsat;
  const found = await look();
  assert.deepEqual(found.problems, []);
  assert(found.balanced, 'conservation');
  assert(found.servedMsat >= acknowledged, 'an acknowledged charge was lost');
  return found;
}

/** The books as a dead shop has left them, with the logs of its workers. */
async function audit(dir: string): Promise<Omit<ShopReport, 'pids'>> {
  const store = await openShopStore(join(dir, 'host'));
  try {
    const sheet = await store.sheet();
    const problems = await store.audit();
    return { problems, balanced: isBalanced(sheet), servedMsat: sheet.servedMsat };
  } finally {
    await store.close();
  }
}

/** A shop in a process of its own. */
class ShopProcess {
  readonly #dir: string;
  readonly #port: number;
  readonly #durability: string;
  #child: ChildProcess | undefined;

  constructor(dir: string, port: number, durability: string) {
    this.#dir = dir;
    this.#port = port;
    this.#durability = durability;
  }

  async start(): Promise<void> {
    const file = new URL('./shop-process.ts', import.meta.url);
    this.#child = fork(file, [this.#dir, String(this.#port), this.#durability], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: { ...process.env, NODE_COMPILE_CACHE: join(this.#dir, 'code') },
    });
    await this.#said();
  }

  async report(): Promise<ShopReport> {
    this.#child?.send('report');
    return this.#said();
  }

  /** SIGKILL for the worker in this place; the shop goes on. */
  async killWorker(place: number): Promise<void> {
    const { pids } = await this.report();
    const pid = pids[place % pids.length];
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }

  /** SIGKILL; its workers end by themselves. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async #said(): Promise<ShopReport> {
    const child = this.#child ?? assert.fail('no shop runs');
    const over = new AbortController();
    const { signal } = over;
    const ended = once(child, 'exit', { signal }).then(([code]) =>
      assert.fail(`the shop ended by itself (${String(code)})`),
    );
    ended.catch(() => undefined);
    try {
      const said = once(child, 'message', { signal }) as Promise<[ShopReport]>;
      return (await Promise.race([said, ended]))[0];
    } finally {
      over.abort();
    }
  }
}

async function caller(stream: PayerStream, tally: Tally, random: Random): Promise<void> {
  while (!tally.over) {
    const value = random.below(1000);
    try {
      const { result } = await stream.call({ value });
      assert.equal(jsonObject(result)['value'], value * 2);
      tally.answered++;
    } catch (error) {
      const failed = isFault(error) && ['SERVICE_FAILED', 'CALL_FAILED'].includes(error.code);
      if (!failed) throw error;
      tally.failed++;
    }
  }
}
