/**
 * A call paid with a tick, over HTTP, against the same door, schema and handler with payment off.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  interleave,
  perCpuSecond,
  perSecond,
  ratio,
  type Contender,
  type Row,
  type Size,
} from './harness.ts';
import { benchPayer } from './payer.ts';
import { benchPeers } from './peers.ts';
import { benchRestart } from './store.ts';
import { Load, sameLane, type Lane } from './load.ts';
import { startServer, type Measured } from './process.ts';
import { contender, openShopper, request } from './shopper.ts';
import { benchVerify } from './verify.ts';
import { benchWorkers } from './workers.ts';

/** Measures and gives the rows. */
export async function benchTicks(size: Size): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-bench-'));
  try {
    const rows = [...benchVerify(), ...(await benchHttp(size))];
    rows.push(...(await benchPayer(dir, size)), ...(await benchRestart(dir, size)));
    rows.push(...(await benchWorkers(size)));
    // A smoke run fetches nothing.
    return size.turns > 1 ? [...rows, ...(await benchPeers(dir, size))] : rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function benchHttp(size: Size): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-bench-'));
  const servers: Measured[] = [];
  const closing: (() => unknown)[] = [];
  const start = async (mode: string): Promise<Measured> => {
    const server = await startServer(mode, dir);
    servers.push(server);
    return server;
  };
  try {
    const [unpaid, paid, memory] = [
      await start('unpaid'),
      await start('paid'),
      await start('memory'),
    ];
    const add = async (
      name: string,
      server: Measured,
      { inFlight, lanes }: { inFlight: number; lanes: Lane[] },
    ): Promise<Contender> => {
      const load = await Load.open(server.url, lanes, inFlight);
      closing.push(() => load.close());
      return contender(name, server, load);
    };
    const lanes = async (server: Measured, count: number): Promise<Lane[]> => {
      const shopper = await openShopper(dir, server.url);
      closing.push(() => shopper.close());
      return shopper.ticks('work', size, count);
    };
    const same = (): Lane[] => [sameLane(request('work'))];
    const found = await interleave(
      [
        await add('unpaid, 64', unpaid, { inFlight: 64, lanes: same() }),
        await add('memory, 64', memory, { inFlight: 64, lanes: await lanes(memory, 8) }),
        await add('commit, 64', paid, { inFlight: 64, lanes: await lanes(paid, 8) }),
        await add('unpaid, 256', unpaid, { inFlight: 256, lanes: same() }),
        await add('commit, 256', paid, { inFlight: 256, lanes: await lanes(paid, 32) }),
      ],
      size,
    );
    const rows = (name: string, pair: readonly [string, string], aim: number): Row[] => {
      const against = `${pair[1]} in flight, same door and handler, one core`;
      const row = (what: string, value: number): Row => {
        return { name: `${name}, ${what}`, against, value, aim, better: 'higher' };
      };
      return [
        row('calls per second', ratio(found, pair, perSecond)),
        row('calls per host CPU-second', ratio(found, pair, perCpuSecond)),
      ];
    };
    return [
      ...rows('tick and MAC in memory', ['memory, 64', 'unpaid, 64'], 0.93),
      ...rows('tick, durable before its answer', ['commit, 64', 'unpaid, 64'], 0.85),
      ...rows('tick, durable before its answer', ['commit, 256', 'unpaid, 256'], 0.9),
    ];
  } finally {
    for (const close of closing) await close();
    for (const server of servers) server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
