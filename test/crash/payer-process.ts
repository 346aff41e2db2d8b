/**
 * A payer as a process of its own, to be killed in the middle of its stream: real store, real HTTP.
 * The next one goes on with its lanes at once.
 * @module
 */
import { join } from 'node:path';
import { isFault } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { Payer } from '../../src/payer/index.ts';
import { openNet } from '../../src/port/net/index.ts';
import { openPayerStore } from '../../src/port/store/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';

const [dir = '', url = '', units = '0', unitMsat = '0'] = process.argv.slice(2);
const CALLERS = 32;
/** It ended by itself; the next one looks whether anything is left. */
const USED_UP = 3;

// Nothing is left behind when the test itself dies.
process.on('disconnect', () => process.exit(0));
const wallet = openFakeNetwork({
  file: join(dir, 'network.db'),
  clock: systemClock,
  random: systemRandom,
}).wallet('payer');
const store = await openPayerStore({ file: join(dir, 'payer', 'payer.db') });
const payer = new Payer({
  net: openNet(),
  store,
  wallet,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  keyring: fixtureKeyring(),
});
const link = await payer.connect(url);
const order = {
  service: 'work',
  units: Number(units),
  lanes: 2,
  maxTotalMsat: msat(BigInt(units) * BigInt(unitMsat)),
  purchaseId: 'ab'.repeat(16),
};
const stream = await payer.stream(link, order).catch((error: unknown) => {
  // Nothing is left: the end.
  if (isFault(error) && error.code === 'LANE_EXHAUSTED') process.exit(0);
  throw error;
});
process.send?.('streams');
await Promise.all(Array.from({ length: CALLERS }, use));
await stream.close();
process.exit(USED_UP);

async function use(): Promise<void> {
  for (;;) {
    try {
      await stream.call({ value: systemRandom.below(1_000_000) });
    } catch (error) {
      if (!isFault(error)) throw error;
      if (error.code === 'LANE_EXHAUSTED') return;
      if (error.code !== 'SERVICE_FAILED') throw error;
    }
  }
}
