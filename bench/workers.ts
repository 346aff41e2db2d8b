/**
 * Calls paid with ticks, durable before their answer: a host with two workers against the same host
 * alone, by the CPU of all its processes.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interleave, perCpuSecond, ratio, type Row, type Size } from './harness.ts';
import { Load } from './load.ts';
import { startProcess, type Measured } from './process.ts';
import { contender, openShopper } from './shopper.ts';

const CONNECTIONS = 64;

/** Measures and gives the rows. */
export async function benchWorkers(size: Size): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-bench-'));
  const servers: Measured[] = [];
  const closing: (() => unknown)[] = [];
  const start = async (workers: number): Promise<Measured> => {
    const server = await startProcess(
      new URL('./shop.ts', import.meta.url).pathname,
      `${workers}`,
      dir,
    );
    servers.push(server);
    return server;
  };
  try {
    const [alone, two] = [await start(0), await start(2)];
    const add = async (name: string, server: Measured, lanes: number) => {
      const shopper = await openShopper(dir, server.url);
      closing.push(() => shopper.close());
      const load = await Load.open(
        server.url,
        await shopper.ticks('work', size, lanes),
        CONNECTIONS,
      );
      closing.push(() => load.close());
      return contender(name, server, load);
    };
    const found = await interleave(
      [
        await add('alone, a lane for each connection', alone, CONNECTIONS),
        await add('two workers, a lane for each connection', two, CONNECTIONS),
        await add('alone, 8 connections for each lane', alone, CONNECTIONS / 8),
        await add('two workers, 8 connections for each lane', two, CONNECTIONS / 8),
      ],
      size,
    );
    const row = (how: string, aim: number): Row => ({
      name: `two workers, ${how}, calls per host CPU-second`,
      against: 'the same host alone',
      value: ratio(found, [`two workers, ${how}`, `alone, ${how}`], perCpuSecond),
      aim,
      better: 'higher',
    });
    return [row('a lane for each connection', 0.95), row('8 connections for each lane', 0.95)];
  } finally {
    for (const close of closing) await close();
    for (const server of servers) server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
