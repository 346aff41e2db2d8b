/**
 * The host is killed at random moments while a payer streams; answers leave before their commit.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from '../../src/base/random/index.ts';
import { crashTicks } from './tick-run.ts';

const KILLS = 15;

test(`${KILLS} kills under ticks, lazy: no kill loses more than the bound`, async (t) => {
  const seed = systemRandom.below(2 ** 31);
  t.diagnostic(`seed ${seed}: npm run crash -- --ticks lazy --kills ${KILLS} --seed ${seed}`);
  const report = await crashTicks({ kills: KILLS, seed, durability: 'lazy' });
  const { answered, failed, lostMsat, worstMsat } = report;
  t.diagnostic(`answered ${answered}, failed ${failed}, lost ${lostMsat}, worst ${worstMsat} msat`);
  assert(answered > KILLS, 'the load did hardly anything');
});
