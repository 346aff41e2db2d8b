/**
 * `npm run load -- [--connections N] [--hurrying N] [--seconds S] [--rounds N]`: crowds that behave
 * badly, one after the other.
 * @module
 */
import { parseArgs } from 'node:util';
import { loadRun } from './run.ts';

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '9900' },
    hurrying: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '1' },
  },
});
await loadRun(
  {
    holding: Number(values.connections),
    hurrying: Number(values.hurrying),
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
  },
  (report) => {
    const { manner, connections, made, ended, calls, medianMs, slowestMs, rssMiB } = report;
    process.stdout.write(
      `${manner}: ${connections} connections at once, ${made} made, ${ended} ended; ` +
        `honest calls ${calls}, median ${medianMs.toFixed(1)} ms, ` +
        `slowest ${slowestMs.toFixed(0)} ms; host ${rssMiB} MiB\n`,
    );
  },
);
