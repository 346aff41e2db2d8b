/**
 * What the shop sells that is killed: a module of its own, for its workers load it too.
 * @module
 */
import { z } from 'zod';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { service } from '../../src/host/index.ts';

/** What one call costs here. */
export const PRICE_MSAT = msat(700);

const value = z.strictObject({ value: z.number().int() });

/** Doubles a number after a moment; refuses every fifth one. */
/** What is sold. */
export const services = [
  service('work', {
    description: 'Doubles a number.',
    input: value,
    output: value,
    price: { kind: 'each', priceMsat: PRICE_MSAT },
    handler: async ({ value: x }, { signal }) => {
      await systemClock.sleep(systemRandom.below(4), signal);
      if (x % 5 === 4) throw new Error('every fifth one fails');
      return { value: x * 2 };
    },
  }),
];
