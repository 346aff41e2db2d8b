/**
 * Kills the host while a payer streams, again and again, and audits its lanes each time.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault } from '../../src/base/fault/index.ts';
import { jsonObject } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { seededRandom, type Random } from '../../src/base/random/index.ts';
import { systemClock, type Clock } from '../../src/base/time/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import type { PayerStream } from '../../src/payer/index.ts';
import { openHostStore } from '../../src/port/store/index.ts';
import { EFFECTS, LAZY_MSAT, PRICE_MSAT, readEffects } from './host-process.ts';
import { again, openWorld } from './run.ts';
import { Victim, freePort } from './victim.ts';

/** What a run found. */
export interface TickCrashReport {
  /** Calls that were answered, each charged once. */
  readonly answered: number;
  readonly failed: number;
  /** Calls with effect once that a kill has cut: nobody knows, not charged. */
  readonly cut: number;
  readonly servedMsat: bigint;
  /** What a lazy host has forgotten, in all kills and in the worst one. */
  readonly lostMsat: bigint;
  readonly worstMsat: bigint;
}

const CALLERS = 48;
const UNITS = 400_000;
/** The host serves for this long, then it is killed; its start-up counts. */
const LEAST_BURST_MS = 50;
const BURST_MS = 250;

/** A payer that does not wait long for a host that is down, so that most of the time it calls. */
const HASTY: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs(),
  timer: (ms, fire) => systemClock.timer(ms, fire),
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 50), signal),
};

interface Tally {
  answered: number;
  failed: number;
  cut: number;
  /** Of the answers of this life of the host, those that were charged by it. */
  charged: number;
  over: boolean;
  /** By all lives before. */
  servedMsat: bigint;
  worstMsat: bigint;
}

/** Runs until the host was killed `kills` times, then lets everything end and checks the totals. */
export async function crashTicks(options: {
  kills: number;
  seed: number;
  durability: 'commit' | 'lazy';
  /** One of those that the host sells. */
  service?: 'work-none' | 'work-once' | 'work-kept';
}): Promise<TickCrashReport> {
  const { kills, seed, durability, service = 'work-none' } = options;
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-tick-crash-'));
  const random = seededRandom(seed);
  const port = await freePort();
  const victim = new Victim(dir, port, durability);
  const world = await openWorld(dir, port, HASTY);
  try {
    await victim.start();
    const link = await again(() => world.payer.connect(world.url));
    const maxTotalMsat = msat(PRICE_MSAT * BigInt(UNITS));
    const order = { service, units: UNITS, lanes: 4, maxTotalMsat };
    const stream = await world.payer.stream(link, order);
    const tally: Tally = {
      answered: 0,
      charged: 0,
      failed: 0,
      cut: 0,
      over: false,
      servedMsat: 0n,
      worstMsat: 0n,
    };
    const load = Promise.all(Array.from({ length: CALLERS }, () => caller(stream, tally, random)));
    // A defect in the load must not go on being killed in silence.
    load.catch(() => (tally.over = true));
    for (let i = 0; i < kills && !tally.over; i++) {
      await systemClock.sleep(LEAST_BURST_MS + random.below(BURST_MS));
      await victim.kill();
      // What has arrived is looked at before it is counted.
      await systemClock.sleep(20);
      await audit(dir, tally, durability === 'lazy' ? LAZY_MSAT : 0n);
      await victim.start();
    }
    tally.over = true;
    await load;
    const { unitsLeft } = stream;
    await stream.close();
    await victim.kill();
    const servedMsat = await audit(dir, tally, durability === 'lazy' ? LAZY_MSAT : 0n);
    const paid = BigInt(tally.answered) * PRICE_MSAT;
    const lostMsat = paid - servedMsat;
    assert(lostMsat >= 0n, 'no call was charged twice');
    if (durability === 'commit') assert.equal(lostMsat, 0n, 'served = answered x price');
    const { answered, failed, cut, worstMsat } = tally;
    assert.equal(unitsLeft, UNITS - answered, 'what was not answered was not spent');
    checkEffects(dir, service === 'work-kept' ? answered : 0);
    return { answered, failed, cut, servedMsat, lostMsat, worstMsat };
  } finally {
    await victim.close();
    await world.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Each effect took place once under its number, and all of them were paid for. */
function checkEffects(dir: string, answered: number): void {
  const effects = readEffects(join(dir, EFFECTS));
  const numbers = effects.map((line) => line.slice(0, line.lastIndexOf(' ')));
  assert.equal(new Set(numbers).size, numbers.length, 'an effect took place twice');
  assert.equal(effects.length, answered, 'each effect was answered');
}

/** The lanes as the dead host left them. Gives what they have spent. */
async function audit(dir: string, tally: Tally, mostMsat: bigint): Promise<bigint> {
  // What was acknowledged by now; the host is dead, and nothing more can be. A repeat of an answer
  // was charged in an earlier life, whose charges are in the books already.
  const chargedMsat = BigInt(tally.charged) * PRICE_MSAT;
  tally.charged = 0;
  const store = await openHostStore({ file: join(dir, 'host', 'books.db'), thread: false });
  try {
    assert.deepEqual(await store.audit(), []);
    const sheet = await store.sheet();
    assert(isBalanced(sheet), 'conservation');
    const missingMsat =
      mostMsat === 0n
        ? BigInt(tally.answered) * PRICE_MSAT - sheet.servedMsat
        : chargedMsat - (sheet.servedMsat - tally.servedMsat);
    assert(missingMsat <= mostMsat, `a kill lost ${missingMsat} msat of what was acknowledged`);
    if (missingMsat > tally.worstMsat) tally.worstMsat = missingMsat;
    tally.servedMsat = sheet.servedMsat;
    return sheet.servedMsat;
  } finally {
    await store.close();
  }
}

async function caller(stream: PayerStream, tally: Tally, random: Random): Promise<void> {
  while (!tally.over) {
    const value = random.below(1000);
    try {
      const { result, balance } = await stream.call({ value });
      assert.equal(jsonObject(result)['value'], value * 2);
      tally.answered++;
      if (balance.chargedMsat > 0n) tally.charged++;
    } catch (error) {
      if (!isFault(error)) throw error;
      if (error.code === 'CALL_OUTCOME_UNKNOWN') tally.cut++;
      else if (['SERVICE_FAILED', 'CALL_FAILED'].includes(error.code)) tally.failed++;
      else throw error;
    }
  }
}
