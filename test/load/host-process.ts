/**
 * The real host as a process of its own, to be put under load: it says how much memory it has when
 * it is asked. Only the Lightning network is the fake one, in a file.
 * @module
 */
import { join } from 'node:path';
import { z } from 'zod';
import { openLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { service } from '../../src/host/index.ts';
import { openShop } from '../../src/package/host/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';

const [dir = ''] = process.argv.slice(2);
const text = z.strictObject({ text: z.string().max(1000) });
const echo = service('echo', {
  // Long, so that an answer that nobody takes is worth keeping.
  description: 'Says it again. '.repeat(60),
  input: text,
  output: text,
  price: { kind: 'each', priceMsat: msat(1000) },
  handler: (input) => input,
});
const network = openFakeNetwork({
  file: join(dir, 'network.db'),
  clock: systemClock,
  random: systemRandom,
});
const shop = await openShop({
  dir: join(dir, 'host'),
  wallet: network.wallet('host'),
  services: [echo],
  port: 0,
  admin: false,
  metrics: { address: '127.0.0.1', port: 0 },
  onBroken: () => process.exit(1),
  log: openLog('error'),
});
process.on('message', () => {
  process.send?.({ rss: process.memoryUsage.rss(), connections: shop.door.connections() });
});
// Nothing is left behind when the test itself dies.
process.on('disconnect', () => process.exit(0));
process.send?.({ port: shop.door.port });
