/**
 * What a paid call costs the payer: a stream over real HTTP, all of the calling process.
 * @module
 */
import { msat } from '../src/base/money/index.ts';
import { silentLog } from '../src/base/log/index.ts';
import { systemRandom } from '../src/base/random/index.ts';
import { systemClock } from '../src/base/time/index.ts';
import { Payer, type PayerStream } from '../src/payer/index.ts';
import { openNet } from '../src/port/net/index.ts';
import { openPayerStore } from '../src/port/store/index.ts';
import { openFakeNetwork } from '../src/port/wallet/index.ts';
import { fixtureKeyring } from '../test/fixtures/keys.ts';
import { join } from 'node:path';
import { WARM_UP_TURNS, median, type Row, type Size } from './harness.ts';
import { startServer } from './process.ts';

const IN_FLIGHT = 64;
const LANES = 8;

/** Measures and gives the row. */
export async function benchPayer(dir: string, { turns, count }: Size): Promise<Row[]> {
  const server = await startServer('memory', dir);
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  const store = await openPayerStore({ file: join(dir, 'buyer.db') });
  const wallet = network.wallet('buyer');
  wallet.fund(msat(10_000_000_000_000n));
  const net = openNet();
  try {
    const payer = new Payer({ net, store, wallet, clock, random, log, keyring: fixtureKeyring() });
    const units = (turns + WARM_UP_TURNS) * count * 2;
    const maxTotalMsat = msat(1000n * BigInt(units));
    const request = { service: 'work', units, maxTotalMsat, lanes: LANES };
    const stream = await payer.stream(await payer.connect(server.url), request);
    const microseconds: number[] = [];
    for (let turn = 0; turn < turns + WARM_UP_TURNS; turn++) {
      const before = process.cpuUsage();
      await callMany(stream, count);
      const { user, system } = process.cpuUsage(before);
      if (turn >= WARM_UP_TURNS) microseconds.push((user + system) / count);
    }
    await stream.close();
    const against = `the process that calls, HTTP, ${IN_FLIGHT} in flight`;
    const name = 'microseconds of CPU of a call, payer';
    return [{ name, against, value: median(microseconds), aim: 30, better: 'lower' }];
  } finally {
    await net.close();
    await store.close();
    server.stop();
  }
}

async function callMany(stream: PayerStream, count: number): Promise<void> {
  let left = count;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await stream.call({ value: 1 });
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
}
