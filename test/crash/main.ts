/**
 * `npm run crash -- --kills N [--seed S] [--ticks commit|lazy]`: kills the host N times under load,
 * by bundles or by ticks.
 * @module
 */
import { parseArgs } from 'node:util';
import { systemRandom } from '../../src/base/random/index.ts';
import { crashRun } from './run.ts';
import { crashTicks } from './tick-run.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string' },
    ticks: { type: 'string' },
  },
});
const seed = values.seed === undefined ? systemRandom.below(2 ** 31) : Number(values.seed);
const kills = Number(values.kills);
process.stdout.write(`seed ${seed}, ${kills} kills\n`);
if (values.ticks === undefined) {
  const { answered, failed, cut, sheet } = await crashRun({ kills, seed });
  process.stdout.write(
    `answered ${answered}, failed ${failed}, cut ${cut}; received ${sheet.receivedMsat} msat, ` +
      `served ${sheet.servedMsat}, credit ${sheet.creditMsat}: lost 0, doubled 0\n`,
  );
} else {
  const durability = values.ticks === 'lazy' ? 'lazy' : 'commit';
  const report = await crashTicks({ kills, seed, durability });
  const { answered, failed, servedMsat, lostMsat, worstMsat } = report;
  process.stdout.write(
    `${durability}: answered ${answered}, failed ${failed}; served ${servedMsat} msat, ` +
      `lost ${lostMsat} msat, ${worstMsat} msat in the worst kill; doubled 0\n`,
  );
}
