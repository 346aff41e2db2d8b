/**
 * Crowds that behave badly against the real host, with an honest payer among them.
 * @module
 */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { Payer, type PayerSession } from '../../src/payer/index.ts';
import { openNet } from '../../src/port/net/index.ts';
import { openPayerStore } from '../../src/port/store/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import { Crowd, HOLDING, HURRYING, type Manner } from './crowd.ts';

/** What a crowd did to the host. */
export interface LoadReport {
  readonly manner: string;
  /** Connections that stood at once, at most; made; and ended by the host. */
  readonly connections: number;
  readonly made: number;
  readonly ended: number;
  /** Of the honest payer: calls answered, and their times. */
  readonly calls: number;
  readonly medianMs: number;
  readonly slowestMs: number;
  /** Of the host's process, at most. */
  readonly rssMiB: number;
}

/** What to run. */
export interface LoadOptions {
  /** Connections of a crowd that holds on, and of one that hurries. */
  readonly holding: number;
  readonly hurrying: number;
  readonly seconds: number;
  /** How often all crowds come. */
  readonly rounds: number;
}

const CALLS = 20_000;

/** Runs one crowd after the other. Every honest call must be answered, and charged once. */
export async function loadRun(
  options: LoadOptions,
  each: (report: LoadReport) => void = () => undefined,
): Promise<LoadReport[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-load-'));
  const host = fork(join(import.meta.dirname, 'host-process.ts'), [dir]);
  const closers = [async () => endHost(host)];
  try {
    const [{ port }] = (await once(host, 'message')) as [{ port: number }];
    const honest = await openHonest(dir, port);
    const { session } = honest;
    closers.push(() => honest.close());
    const reports: LoadReport[] = [];
    const run = async (manner: Manner | undefined, size: number): Promise<void> => {
      const report = await onePhase(host, session, { manner, size, port, ...options });
      reports.push(report);
      each(report);
    };
    await run(undefined, 0);
    for (let round = 0; round < options.rounds; round++) {
      for (const manner of HOLDING) await run(manner, options.holding);
      await run(HURRYING, options.hurrying);
    }
    await run(undefined, 0);
    const { chargedMsat } = await session.status();
    const calls = reports.reduce((sum, report) => sum + report.calls, 0);
    assert.equal(chargedMsat, BigInt(calls) * 1000n, 'charged once for each answer');
    return reports;
  } finally {
    for (const close of closers.toReversed()) await close();
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Phase {
  readonly manner: Manner | undefined;
  readonly size: number;
  readonly port: number;
  readonly seconds: number;
}

async function onePhase(
  host: ChildProcess,
  session: PayerSession,
  { manner, size, port, seconds }: Phase,
): Promise<LoadReport> {
  const crowd = manner && new Crowd(port, manner, size);
  const times: number[] = [];
  let [rss, connections] = [0, 0];
  const endMs = systemClock.monotonicMs() + seconds * 1000;
  while (systemClock.monotonicMs() < endMs) {
    const startMs = systemClock.monotonicMs();
    await session.call({ text: 'honest' });
    times.push(systemClock.monotonicMs() - startMs);
    const seen = await look(host);
    rss = Math.max(rss, seen.rss);
    connections = Math.max(connections, seen.connections);
    await systemClock.sleep(20);
  }
  await crowd?.end();
  times.sort((a, b) => a - b);
  return {
    manner: manner?.name ?? 'nobody else',
    connections,
    made: crowd?.made ?? 0,
    ended: crowd?.ended ?? 0,
    calls: times.length,
    medianMs: times[Math.floor(times.length / 2)] ?? 0,
    slowestMs: times.at(-1) ?? 0,
    rssMiB: Math.round(rss / 2 ** 20),
  };
}

async function look(host: ChildProcess): Promise<{ rss: number; connections: number }> {
  const answer = once(host, 'message') as Promise<[{ rss: number; connections: number }]>;
  host.send('look');
  return (await answer)[0];
}

async function endHost(host: ChildProcess): Promise<void> {
  if (host.exitCode !== null) throw new Error(`the host ended with ${host.exitCode}`);
  const ended = once(host, 'exit');
  host.kill('SIGKILL');
  await ended;
}

async function openHonest(
  dir: string,
  port: number,
): Promise<{ session: PayerSession; close(): Promise<void> }> {
  const [clock, random] = [systemClock, systemRandom];
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  const wallet = network.wallet('payer');
  const total = msat(CALLS * 1000);
  wallet.fund(msat(total * 2n));
  const store = await openPayerStore({ file: join(dir, 'payer', 'payer.db') });
  const net = openNet();
  const parts = { net, store, wallet, clock, random, log: silentLog, keyring: fixtureKeyring() };
  const payer = new Payer(parts);
  const link = await payer.connect(`http://127.0.0.1:${port}`);
  const session = await payer.buy(link, { service: 'echo', calls: CALLS, maxTotalMsat: total });
  const close = async (): Promise<void> => {
    await net.close();
    await store.close();
    network.close();
  };
  return { session, close };
}
