/**
 * What a call with effect once costs whose host has died while it ran.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { utf8 } from '../base/bytes/index.ts';
import { msat } from '../base/money/index.ts';
import { recoverer } from './recover.ts';
import { service, type Service } from './service.ts';

const OPTIONS = {
  description: 'Once.',
  input: z.string(),
  output: z.string(),
  price: { kind: 'each', priceMsat: msat(5) },
  effect: 'once',
  handler: (text: string) => text,
  recover: async () => ({ done: 'twelve chars' }),
} as const;
const CALL = { session: '01'.repeat(16), n: 0n };

function recovered(sold: Service): ReturnType<ReturnType<typeof recoverer>> {
  return recoverer(new Map([[sold.name, sold]]))({ service: sold.name, ...CALL });
}

test('an answer that has a price is charged by its bytes, without those of the input', async () => {
  const rates = { perCall: 1, perInputByte: 5, perOutputByte: 2, maximumUnits: 100 };
  const ticks = { kind: 'units', unitMsat: msat(1), ...rates } as const;
  const done = utf8('"twelve chars"');
  assert.deepEqual(await recovered(service('a', { ...OPTIONS, ticks })), { done, units: 29 });
  const most = { ...ticks, maximumUnits: 20 };
  const capped = await recovered(service('a', { ...OPTIONS, ticks: most }));
  assert.deepEqual(capped, { done, units: 20 });
  assert.deepEqual(await recovered(service('a', OPTIONS)), { done }, 'what was reserved');
});
