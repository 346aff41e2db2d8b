/**
 * `npm run bench -- [--only NAME] [--smoke] [--json FILE]`: every figure is a ratio against
 * something in the same run.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchBooks } from './books.ts';
import { benchBundle } from './bundle.ts';
import { benchCodes } from './codes.ts';
import type { Row } from './harness.ts';
import { takeOwnCore } from './process.ts';
import { benchStore } from './store.ts';
import { benchTicks } from './ticks.ts';

const BENCHES = {
  ticks: benchTicks,
  bundle: benchBundle,
  books: benchBooks,
  codes: benchCodes,
  store: benchStore,
} as const;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    smoke: { type: 'boolean', default: false },
    json: { type: 'string' },
    turns: { type: 'string', default: '9' },
  },
});
const size = values.smoke
  ? { turns: 1, count: 500 }
  : { turns: Number(values.turns), count: 16_000 };
const rows: Row[] = [];
takeOwnCore();
for (const [name, bench] of Object.entries(BENCHES)) {
  if (values.only !== undefined && values.only !== name) continue;
  process.stdout.write(`${name}\n`);
  rows.push(...(await bench(size)));
}
for (const { name, against, value, aim, better } of rows) {
  const met = better === 'higher' ? value >= aim : value <= aim;
  const sign = better === 'higher' ? '>=' : '<=';
  process.stdout.write(
    `${name}: ${value.toFixed(2)} of ${against} (aim ${sign} ${aim}${met ? '' : ', missed'})\n`,
  );
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows }, null, 2)}\n`);
process.exit(0);
