/**
 * A crash at every await point: of the host and of a payer, in place of each event of their life,
 * the answers of store and wallet included.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../world.ts';
import { runShop } from './shop.ts';

const SMALL = { payers: 1, bundles: 1, callsPerBundle: 4, callsAtOnce: 2 };
/** A life has more events than this; fewer would mean that it is not the life that was meant. */
const LEAST_EVENTS = 30;

for (const node of ['host', 'payer-0']) {
  for (const kind of ['careful', 'refunds'] as const) {
    test(`${kind}: a crash of ${node} in place of each of its events`, async (t) => {
      let event = 0;
      for (let crashed = true; crashed;) {
        const world = new World({ seed: 5 });
        const options = { ...SMALL, [kind]: true, crashAt: { node, event: ++event } };
        try {
          crashed = (await world.run(runShop(world, options))).get(node) === 1;
        } catch (error) {
          throw new Error(`event ${event}`, { cause: error });
        }
      }
      t.diagnostic(`${event - 1} events`);
      assert(event > LEAST_EVENTS);
    });
  }
}
