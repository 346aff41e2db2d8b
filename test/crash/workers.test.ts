/**
 * Workers, then the whole host, are killed at random moments while a payer streams.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from '../../src/base/random/index.ts';
import { crashWorkers } from './worker-run.ts';

const KILLS = { commit: [10, 5], lazy: [4, 2] } as const;

for (const durability of ['commit', 'lazy'] as const) {
  const [workerKills, primaryKills] = KILLS[durability];
  test(`${durability}: ${workerKills} workers and ${primaryKills} hosts killed`, async (t) => {
    const seed = systemRandom.below(2 ** 31);
    const more = `--kills ${workerKills} --primary-kills ${primaryKills} --seed ${seed}`;
    t.diagnostic(`seed ${seed}: npm run crash -- --workers --ticks ${durability} ${more}`);
    const found = await crashWorkers({ workerKills, primaryKills, seed, durability });
    const { answered, failed, lostMsat } = found;
    t.diagnostic(`answered ${answered}, failed ${failed}, lost ${lostMsat} msat, doubled 0`);
    assert(answered > 100 * (workerKills + primaryKills), 'the load did hardly anything');
  });
}
