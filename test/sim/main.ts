/**
 * `npm run sim -- --seeds N [--seed S] [--world NAME]`: simulates N worlds of each kind, or of one
 * kind, or one of them.
 * @module
 */
import { parseArgs } from 'node:util';
import { WORLDS } from './bundle/worlds.ts';
import { explore } from './explore.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    seed: { type: 'string' },
    world: { type: 'string' },
  },
});
if (values.seed !== undefined) process.env['TOLLCALL_SIM_SEED'] = values.seed;
const chosen = Object.entries(WORLDS).filter(([name]) => name === (values.world ?? name));
if (chosen.length === 0) {
  process.stderr.write(`no such world; there are ${Object.keys(WORLDS).join(', ')}\n`);
  process.exitCode = 2;
}

for (const [name, scenario] of chosen) {
  const { seeds, events } = await explore({ seeds: Number(values.seeds), scenario });
  process.stdout.write(`${name}: ${seeds} worlds, ${events} events, every promise held\n`);
}
