/**
 * `npm run crash -- --kills N [--seed S] [--ticks commit|lazy|once|kept]`: kills the host N times
 * under load, by bundles or by ticks; `once` and `kept` are services with effect once, the second
 * one recovers. With `--workers [--primary-kills M]`: kills N workers of a host, then M
 * whole hosts.
 * @module
 */
import { parseArgs } from 'node:util';
import { systemRandom } from '../../src/base/random/index.ts';
import { crashRun } from './run.ts';
import { crashTicks } from './tick-run.ts';
import { crashWorkers } from './worker-run.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string' },
    ticks: { type: 'string' },
    workers: { type: 'boolean', default: false },
    'primary-kills': { type: 'string', default: '5' },
  },
});
const seed = values.seed === undefined ? systemRandom.below(2 ** 31) : Number(values.seed);
const kills = Number(values.kills);
process.stdout.write(`seed ${seed}, ${kills} kills\n`);
if (values.workers) {
  const primaryKills = Number(values['primary-kills']);
  const durability = values.ticks === 'lazy' ? 'lazy' : 'commit';
  const found = await crashWorkers({ workerKills: kills, primaryKills, seed, durability });
  const { answered, failed, lostMsat } = found;
  process.stdout.write(
    `answered ${answered}, failed ${failed}: lost ${lostMsat} msat, doubled 0\n`,
  );
} else if (values.ticks === undefined) {
  const { answered, failed, cut, sheet } = await crashRun({ kills, seed });
  process.stdout.write(
    `answered ${answered}, failed ${failed}, cut ${cut}; received ${sheet.receivedMsat} msat, ` +
      `served ${sheet.servedMsat}, credit ${sheet.creditMsat}: lost 0, doubled 0\n`,
  );
} else {
  const { ticks } = values;
  const durability = ticks === 'lazy' ? 'lazy' : 'commit';
  const service = ticks === 'once' || ticks === 'kept' ? (`work-${ticks}` as const) : 'work-none';
  const report = await crashTicks({ kills, seed, durability, service });
  const { answered, failed, cut, servedMsat, lostMsat, worstMsat } = report;
  process.stdout.write(
    `${ticks}: answered ${answered}, failed ${failed}, cut ${cut}; served ${servedMsat} msat, ` +
      `lost ${lostMsat} msat, ${worstMsat} msat in the worst kill; doubled 0\n`,
  );
}
