/**
 * `npm run sim -- --seeds N [--seed S]`: simulates N worlds of each kind, or one of them.
 * @module
 */
import { parseArgs } from 'node:util';
import { refundingShopOf, runShop, shopOf } from './bundle/shop.ts';
import { explore } from './explore.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '100' }, seed: { type: 'string' } },
});
if (values.seed !== undefined) process.env['TOLLCALL_SIM_SEED'] = values.seed;

/** Every kind of world. */
const KINDS = { bundle: shopOf, refunds: refundingShopOf } as const;

for (const [name, optionsOf] of Object.entries(KINDS)) {
  const { seeds, events } = await explore({
    seeds: Number(values.seeds),
    scenario: (world) => runShop(world, optionsOf(world.seed)),
  });
  process.stdout.write(`${name}: ${seeds} worlds, ${events} events, every promise held\n`);
}
