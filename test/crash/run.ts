/**
 * Kills the host while a payer buys and calls, again and again, and audits its books each time.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault } from '../../src/base/fault/index.ts';
import { jsonObject } from '../../src/base/json/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { seededRandom, systemRandom, type Random } from '../../src/base/random/index.ts';
import { systemClock, type Clock } from '../../src/base/time/index.ts';
import { isBalanced, type Sheet } from '../../src/pay/ledger/index.ts';
import { Payer, type PayerSession } from '../../src/payer/index.ts';
import { openNet } from '../../src/port/net/index.ts';
import { openHostStore, openPayerStore } from '../../src/port/store/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import { PRICE_MSAT } from './host-process.ts';
import { Victim, freePort } from './victim.ts';

/** What a run found. */
export interface CrashReport {
  readonly seed: number;
  readonly kills: number;
  /** Calls that were answered, each exactly once charged. */
  readonly answered: number;
  /** Calls that failed and were not charged. */
  readonly failed: number;
  /** Calls of effect once that a crash cut: not charged, not run again. */
  readonly cut: number;
  readonly sheet: Sheet;
}

const CALLERS = 12;
/** The host serves for this long, then it is killed; its start-up counts. */
const LEAST_BURST_MS = 20;
const BURST_MS = 180;
const MAX_WAITS = 300;
const CALLS_PER_BUNDLE = 200;
const PAYER_FUNDS_MSAT = msat(10_000_000_000n);

/** Runs until the host was killed `kills` times, then lets everything end and checks the totals. */
export async function crashRun(options: { kills: number; seed: number }): Promise<CrashReport> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-crash-'));
  const random = seededRandom(options.seed);
  const port = await freePort();
  const victim = new Victim(dir, port);
  const world = await openWorld(dir, port);
  try {
    await victim.start();
    const tally: Tally = { answered: 0, failed: 0, cut: 0, over: false };
    const load = runLoad(world, tally, random);
    // A defect in the load must not go on being killed in silence.
    load.catch(() => (tally.over = true));
    for (let i = 0; i < options.kills && !tally.over; i++) {
      const before = ended(tally);
      await systemClock.sleep(LEAST_BURST_MS + random.below(BURST_MS));
      // Every other host has done something before it dies, however slow the machine is.
      for (let wait = 0; wait < MAX_WAITS && i % 2 === 0 && ended(tally) === before; wait++) {
        await systemClock.sleep(10);
      }
      await victim.kill();
      await audit(dir, tally);
      await victim.start();
    }
    tally.over = true;
    await load;
    await victim.kill();
    const sheet = await audit(dir, tally);
    assert.equal(
      sheet.servedMsat,
      BigInt(tally.answered) * PRICE_MSAT,
      'served = answered x price',
    );
    assert.equal(sheet.reservedMsat, 0n, 'nothing stays reserved');
    const { answered, failed, cut } = tally;
    return { seed: options.seed, kills: options.kills, answered, failed, cut, sheet };
  } finally {
    await victim.close();
    await world.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function ended({ answered, failed, cut }: Tally): number {
  return answered + failed + cut;
}

interface Tally {
  answered: number;
  failed: number;
  cut: number;
  over: boolean;
}

/** The books as the dead host left them: every invariant holds, nothing acknowledged is missing. */
async function audit(dir: string, tally: Tally): Promise<Sheet> {
  const acknowledged = BigInt(tally.answered) * PRICE_MSAT;
  const store = await openHostStore({ file: join(dir, 'host', 'books.db'), thread: false });
  try {
    assert.deepEqual(await store.audit(), []);
    const sheet = await store.sheet();
    assert(isBalanced(sheet), 'conservation');
    assert(sheet.servedMsat >= acknowledged, 'an acknowledged charge was lost');
    return sheet;
  } finally {
    await store.close();
  }
}

/** What a run works with. */
export interface World {
  readonly payer: Payer;
  readonly url: string;
  close(): Promise<void>;
}

/** A payer with money, and where its host is. */
export async function openWorld(
  dir: string,
  port: number,
  clock: Clock = systemClock,
): Promise<World> {
  const random = systemRandom;
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  const wallet = network.wallet('payer');
  wallet.fund(PAYER_FUNDS_MSAT);
  const store = await openPayerStore({ file: join(dir, 'payer', 'payer.db') });
  const net = openNet();
  const payer = new Payer({
    net,
    store,
    wallet,
    clock,
    random,
    log: silentLog,
    keyring: fixtureKeyring(),
  });
  return {
    payer,
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      await net.close();
      await store.close();
      network.close();
    },
  };
}

/** Callers that buy a bundle, use it up, and buy the next, until the run is over. */
async function runLoad({ payer, url }: World, tally: Tally, random: Random): Promise<void> {
  const link = await again(() => payer.connect(url));
  const caller = async (id: number): Promise<void> => {
    const name = id % 3 === 0 ? 'work-once' : 'work-none';
    const maxTotalMsat = msat(PRICE_MSAT * BigInt(CALLS_PER_BUNDLE));
    for (let bundle = 0; !tally.over; bundle++) {
      const purchaseId = `${id}f${bundle}`.padStart(32, '0');
      const order = { service: name, calls: CALLS_PER_BUNDLE, maxTotalMsat, purchaseId };
      const session = await again(() => payer.buy(link, order));
      for (let i = 0; i < CALLS_PER_BUNDLE && !tally.over; i++) {
        await callOnce(session, `${purchaseId}-${i}`, { value: random.below(1000), tally });
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
}

async function callOnce(
  session: PayerSession,
  callId: string,
  { value, tally }: { value: number; tally: Tally },
): Promise<void> {
  try {
    const { result } = await again(() => session.call({ value }, { callId }));
    assert.equal(jsonObject(result)['value'], value * 2);
    tally.answered++;
  } catch (error) {
    if (!isFault(error)) throw error;
    if (error.code === 'SERVICE_FAILED' || error.code === 'CALL_FAILED') tally.failed++;
    else if (error.code === 'CALL_OUTCOME_UNKNOWN') tally.cut++;
    else throw error;
  }
}

/** A payer does not give up while the host is down: the same id is asked again. */
export async function again<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const passing = isFault(error) && error.row.retry === 'same';
      if (!passing || error.code === 'SERVICE_FAILED') throw error;
    }
  }
}
