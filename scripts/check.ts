/**
 * `npm run check`: everything that can be known about the code without running it. The steps run
 * at once, each reports its time and all of its problems; any problem makes the exit status 1.
 * @module
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { readTree } from '../test/tidy/tree.ts';
import { tidy } from '../test/tidy/tidy.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules', '.bin');

/** What a step found: nothing when `ok`. */
interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

const STEPS: Readonly<Record<string, () => Promise<Outcome>>> = {
  lint: () => command('oxlint', '--deny-warnings'),
  types: () =>
    command('tsc', '--project', ROOT, '--pretty', process.stdout.isTTY ? 'true' : 'false'),
  format: () => command('oxfmt', '--check', '--no-error-on-unmatched-pattern', ...formatted()),
  tidy: checkTidy,
};

const outcomes = await Promise.all(
  Object.entries(STEPS).map(async ([name, step]) => {
    const startedMs = performance.now();
    const outcome = await step();
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    const details = outcome.ok ? '' : `${outcome.output.trimEnd()}\n\n`;
    const verdict = outcome.ok ? 'ok    ' : 'FAILED';
    process.stdout.write(`${name.padEnd(7)}${verdict} ${seconds} s\n${details}`);
    return outcome.ok ? [] : [name];
  }),
);
const failed = outcomes.flat();
process.stdout.write(failed.length === 0 ? 'all is well\n' : `failed: ${failed.join(', ')}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** The paths that oxfmt keeps: what `npm run format` writes. */
function formatted(): string[] {
  return ['src', 'test', 'bench', 'scripts', 'bin'];
}

function command(name: string, ...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(join(BIN, name), args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (status) => resolve({ ok: status === 0, output }));
  });
}

function checkTidy(): Promise<Outcome> {
  const problems = tidy(readTree(ROOT));
  return Promise.resolve({ ok: problems.length === 0, output: problems.join('\n') });
}
