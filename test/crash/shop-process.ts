/**
 * A shop with workers as processes of their own, to be killed. Only the Lightning network is the
 * fake one, in a file that outlives it.
 * @module
 */
import { join } from 'node:path';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import {
  openShop,
  openShopStore,
  type HostStoreFile,
  type Shop,
} from '../../src/package/host/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { PRICE_MSAT, services } from './shop-services.ts';

/** What it says when it is asked. */
export interface ShopReport {
  readonly pids: readonly number[];
  readonly problems: readonly string[];
  readonly balanced: boolean;
  readonly servedMsat: bigint;
}

/** How many workers it has. */
export const WORKERS = 2;
/** What a lazy one may lose when all of it is killed. */
export const LAZY_MSAT = msat(40n * PRICE_MSAT);

if (import.meta.main) await main();

async function main(): Promise<void> {
  const [dir = '', port = '0', durability] = process.argv.slice(2);
  // Nothing is left behind when the test itself dies.
  process.on('disconnect', () => process.exit(0));
  const network = openFakeNetwork({
    file: join(dir, 'network.db'),
    clock: systemClock,
    random: systemRandom,
  });
  const store = await openShopStore(join(dir, 'host'));
  const lazy = { durability: { kind: 'lazy', maxMs: 100, maxMsat: LAZY_MSAT } } as const;
  const shop = await openShop({
    dir: join(dir, 'host'),
    wallet: network.wallet('host'),
    services,
    store,
    port: Number(port),
    admin: false,
    limits: { books: durability === 'lazy' ? lazy : {} },
    workers: {
      count: WORKERS,
      services: new URL('./shop-services.ts', import.meta.url),
      logLevel: 'error',
    },
    onBroken: () => process.exit(1),
  });
  process.on('message', (message) => {
    if (message !== 'report') return;
    void report(shop, store).then((found) => process.send?.(found));
  });
  process.send?.(await report(shop, store));
}

/** The books as they are now, with all that workers have written by now. */
async function report(shop: Shop, store: HostStoreFile): Promise<ShopReport> {
  const sheet = await shop.books.sheet();
  const problems = await store.audit();
  const { servedMsat } = sheet;
  return { pids: shop.workerPids(), problems, balanced: isBalanced(sheet), servedMsat };
}
