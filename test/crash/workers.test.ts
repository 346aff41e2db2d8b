/**
 * Workers, then the shop itself, are killed at random moments while a payer streams.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from '../../src/base/random/index.ts';
import { crashWorkers } from './worker-run.ts';

const WORKER_KILLS = 10;
const PRIMARY_KILLS = 5;

const NAME = `${WORKER_KILLS} workers and ${PRIMARY_KILLS} shops killed: lost 0, doubled 0`;

test(NAME, async (t) => {
  const seed = systemRandom.below(2 ** 31);
  const kills = `--kills ${WORKER_KILLS} --primary-kills ${PRIMARY_KILLS}`;
  t.diagnostic(`seed ${seed}: npm run crash -- --workers ${kills} --seed ${seed}`);
  const options = { workerKills: WORKER_KILLS, primaryKills: PRIMARY_KILLS, seed };
  const { answered, failed } = await crashWorkers(options);
  t.diagnostic(`answered ${answered}, failed ${failed}`);
  assert(answered > 100 * (WORKER_KILLS + PRIMARY_KILLS), 'the load did hardly anything');
});
