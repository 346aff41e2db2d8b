/**
 * What the measured shop sells: a module of its own, for its workers load it too.
 * @module
 */
import { z } from 'zod';
import { msat } from '../src/base/money/index.ts';
import { service } from '../src/host/index.ts';

const value = z.strictObject({ value: z.number().int() });

/** What is sold. */
export const services = [
  service('work', {
    description: 'Adds one.',
    input: value,
    output: value,
    price: { kind: 'each', priceMsat: msat(1000) },
    handler: ({ value: x }) => ({ value: x + 1 }),
  }),
];
