/**
 * The measured shop: `bench/shop.ts COUNT DIR`, with so many workers or, for 0, with none. Its CPU
 * is that of all its processes.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { msat } from '../src/base/money/index.ts';
import { systemRandom } from '../src/base/random/index.ts';
import { systemClock } from '../src/base/time/index.ts';
import { openShop } from '../src/package/host/index.ts';
import { openFakeNetwork } from '../src/port/wallet/index.ts';
import { services } from './shop-services.ts';

const [count = '0', dir = ''] = process.argv.slice(2);
const name = `shop-${count}`;
const network = openFakeNetwork({
  file: join(dir, 'network.db'),
  clock: systemClock,
  random: systemRandom,
});
const shop = await openShop({
  dir: join(dir, name),
  wallet: network.wallet(name),
  services,
  port: 0,
  admin: false,
  limits: {
    // All of the load comes from one address, and waits while others have their turn.
    door: { connectionsPerAddress: 10_000, keepAliveMs: 600_000 },
    books: { maxPrepaidMsat: msat(10n ** 15n), maxLiabilityMsat: msat(10n ** 16n) },
  },
  ...(count !== '0' && {
    workers: { count: Number(count), services: new URL('./shop-services.ts', import.meta.url) },
  }),
});
process.send?.({ url: shop.url });
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  const workers = shop.workerPids().map(cpuMsOf);
  process.send?.({ cpuMs: (user + system) / 1000 + workers.reduce((sum, ms) => sum + ms, 0) });
});
process.on('disconnect', () => process.exit(0));

/** The kernel counts in hundredths of a second: 1 % of a turn. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
