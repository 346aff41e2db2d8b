/**
 * Calls paid with ticks, durable before their answer: a host with two workers against the same host
 * with one, by the CPU of all its processes.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interleave, perCpuSecond, ratio, type Contender, type Row, type Size } from './harness.ts';
import { Load } from './load.ts';
import { startProcess, type Measured } from './process.ts';
import { contender, openShopper } from './shopper.ts';

const IN_FLIGHT = 256;
/** How many connections use one lane. */
const LOADS = [1, 8];

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
    const hosts = [await start(1), await start(2)];
    const contenders: Contender[] = [];
    for (const each of LOADS) {
      for (const [i, server] of hosts.entries()) {
        const shopper = await openShopper(dir, server.url);
        closing.push(() => shopper.close());
        // One worker may have more of the connections, and be the slower one.
        const more = { ...size, count: (each === 1 ? 4 : 2) * size.count };
        const lanes = await shopper.ticks('work', more, IN_FLIGHT / each);
        const load = await Load.open(server.url, lanes, IN_FLIGHT);
        closing.push(() => load.close());
        contenders.push(contender(`${i + 1} of ${nameOf(each)}`, server, load));
      }
    }
    const found = await interleave(contenders, size);
    return LOADS.map((each) => ({
      name: `two workers, ${nameOf(each)}, calls per host CPU-second`,
      against: `one worker, ${IN_FLIGHT} in flight, one core`,
      value: ratio(found, [`2 of ${nameOf(each)}`, `1 of ${nameOf(each)}`], perCpuSecond),
      aim: 0.95,
      better: 'higher',
    }));
  } finally {
    for (const close of closing) await close();
    for (const server of servers) server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function nameOf(each: number): string {
  return each === 1 ? 'a lane for each connection' : `${each} connections for each lane`;
}
