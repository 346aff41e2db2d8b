/**
 * A bundle call, charged durably before its answer, against the same door, schema and handler with
 * payment off.
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
import { Load, sameLane, type Lane } from './load.ts';
import { startServer, type Measured } from './process.ts';
import { contender, openShopper, request } from './shopper.ts';

const IN_FLIGHT = 64;

/** Measures and gives the rows. */
export async function benchBundle(size: Size): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-bench-'));
  const servers: Measured[] = [];
  const closing: (() => unknown)[] = [];
  try {
    const [paid, unpaid] = [await startServer('paid', dir), await startServer('unpaid', dir)];
    servers.push(paid, unpaid);
    const shopper = await openShopper(dir, paid.url);
    closing.push(() => shopper.close());
    const add = async (name: string, server: Measured, lanes: Lane[]): Promise<Contender> => {
      const load = await Load.open(server.url, lanes, IN_FLIGHT);
      closing.push(() => load.close());
      return contender(name, server, load);
    };
    const found = await interleave(
      [
        await add('unpaid', unpaid, [sameLane(request('work'))]),
        await add('paid', paid, await shopper.bundles('work', size)),
        await add('paid, effect once', paid, await shopper.bundles('work-once', size)),
      ],
      size,
    );
    const against = 'unpaid, same door and handler, 64 in flight, one core';
    const row = (name: string, value: number, aim: number): Row => {
      return { name, against, value, aim, better: 'higher' };
    };
    const [none, effect] = [['paid', 'unpaid'] as const, ['paid, effect once', 'unpaid'] as const];
    return [
      row('bundle call, calls per second', ratio(found, none, perSecond), 0.85),
      row('bundle call, calls per host CPU-second', ratio(found, none, perCpuSecond), 0.85),
      row('bundle call with effect once, calls per second', ratio(found, effect, perSecond), 0.5),
    ];
  } finally {
    for (const close of closing) await close();
    for (const server of servers) server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
