/**
 * The other half of the kills: two hosts are killed side by side.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from '../../src/base/random/index.ts';
import { crashRun } from './run.ts';

const KILLS = 150;

test(`${KILLS} kills of the host under load: acknowledged lost 0, doubled 0`, async (t) => {
  const seed = systemRandom.below(2 ** 31);
  t.diagnostic(`seed ${seed}: npm run crash -- --kills ${KILLS} --seed ${seed}`);
  const report = await crashRun({ kills: KILLS, seed });
  t.diagnostic(`answered ${report.answered}, failed ${report.failed}, cut ${report.cut}`);
  assert(report.answered > KILLS / 4, 'the load did hardly anything');
});
