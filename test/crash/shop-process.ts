/**
 * A shop with workers as processes of their own, to be killed. Only the Lightning network is the
 * fake one, in a file that outlives it.
 * @module
 */
import { join } from 'node:path';
import { openLog } from '../../src/base/log/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import { openShop, openShopStore } from '../../src/package/host/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { services } from './shop-services.ts';

/** What it says when it is asked. */
export interface ShopReport {
  readonly pids: readonly number[];
  readonly problems: readonly string[];
  readonly balanced: boolean;
  readonly servedMsat: bigint;
}

const [dir = '', port = '0'] = process.argv.slice(2);
// Nothing is left behind when the test itself dies.
process.on('disconnect', () => process.exit(0));
const network = openFakeNetwork({
  file: join(dir, 'network.db'),
  clock: systemClock,
  random: systemRandom,
});
const store = await openShopStore(join(dir, 'host'));
const shop = await openShop({
  dir: join(dir, 'host'),
  wallet: network.wallet('host'),
  services,
  store,
  port: Number(port),
  admin: false,
  workers: {
    count: 2,
    services: new URL('./shop-services.ts', import.meta.url),
    logLevel: 'error',
  },
  onBroken: () => process.exit(1),
  log: openLog('silent'),
});
process.on('message', (message) => {
  if (message !== 'report') return;
  void report().then((found) => process.send?.(found));
});
process.send?.(await report());

/** The books as they are now, with all that workers have written by now. */
async function report(): Promise<ShopReport> {
  const sheet = await shop.books.sheet();
  const problems = await store.audit();
  const { servedMsat } = sheet;
  return { pids: shop.workerPids(), problems, balanced: isBalanced(sheet), servedMsat };
}
