/**
 * The host is killed at random moments while a payer streams calls with effect once.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from '../../src/base/random/index.ts';
import { crashTicks } from './tick-run.ts';

const KILLS = 15;

for (const kind of ['once', 'kept'] as const) {
  test(`${KILLS} kills under ticks, work-${kind}: no effect lost, doubled or unpaid`, async (t) => {
    const seed = systemRandom.below(2 ** 31);
    t.diagnostic(`seed ${seed}: npm run crash -- --ticks ${kind} --kills ${KILLS} --seed ${seed}`);
    const load = { kills: KILLS, seed, durability: 'commit', service: `work-${kind}` } as const;
    const { answered, failed, cut } = await crashTicks(load);
    t.diagnostic(`answered ${answered}, failed ${failed}, cut ${cut}`);
    assert(answered > KILLS, 'the load did hardly anything');
    assert(cut > 0, 'no kill has cut a call that nobody knows of');
  });
}
