/**
 * `npm run crash -- --kills N [--seed S]`: kills the host N times under load.
 * @module
 */
import { parseArgs } from 'node:util';
import { systemRandom } from '../../src/base/random/index.ts';
import { crashRun } from './run.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '50' }, seed: { type: 'string' } },
});
const seed = values.seed === undefined ? systemRandom.below(2 ** 31) : Number(values.seed);
process.stdout.write(`seed ${seed}, ${values.kills} kills\n`);
const { answered, failed, cut, sheet } = await crashRun({ kills: Number(values.kills), seed });
process.stdout.write(
  `answered ${answered}, failed ${failed}, cut ${cut}; received ${sheet.receivedMsat} msat, ` +
    `served ${sheet.servedMsat}, credit ${sheet.creditMsat}: lost 0, doubled 0\n`,
);
