/**
 * The runner behind `npm test`: finds the test files, runs them with node:test, says what was
 * skipped and why, and ends with the plain line `N passed, N failed[, N skipped]`.
 *
 * Arguments select files: those whose path contains one of them (`npm test -- src/base`).
 * @module
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { dot, spec } from 'node:test/reporters';
import { NEED_PREFIX } from '../test/need.ts';

const ROOT = join(import.meta.dirname, '..');
const PATTERNS = ['src/**/*.test.ts', 'test/**/*.test.ts'];
/** Two files at once keep a small machine responsive; more cores do not make them steadier. */
const FILES_AT_ONCE = Math.min(2, availableParallelism());
/** Ends a test file that hangs. */
const WATCHDOG = join(import.meta.dirname, 'watchdog.ts');

/** What is counted while the files run. */
interface Counted {
  passed: number;
  failed: number;
  skipped: number;
  /** Reason to the number of tests that gave it. */
  readonly reasons: Map<string, number>;
}

const files = selectFiles(process.argv.slice(2));
if (files.length === 0) {
  process.stderr.write(`no test file has ${process.argv.slice(2).join(' or ')} in its path\n`);
  process.exit(1);
}
const counted = await runFiles(files);
process.stdout.write(summary(counted));
process.exitCode = counted.failed > 0 ? 1 : 0;

function selectFiles(filters: readonly string[]): string[] {
  const wanted = filters.map((filter) => relative(ROOT, filter));
  return globSync(PATTERNS, { cwd: ROOT })
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .toSorted();
}

async function runFiles(names: readonly string[]): Promise<Counted> {
  const result: Counted = { passed: 0, failed: 0, skipped: 0, reasons: new Map() };
  const stream = run({
    files: names.map((file) => join(ROOT, file)),
    concurrency: FILES_AT_ONCE,
    execArgv: ['--import', WATCHDOG],
  });
  stream.on('test:pass', ({ skip }) => {
    if (skip === undefined || skip === false) return;
    const reason = typeof skip === 'string' ? skip : 'no reason given';
    result.reasons.set(reason, (result.reasons.get(reason) ?? 0) + 1);
  });
  stream.on('test:summary', ({ file, counts, success }) => {
    if (file !== undefined) return; // of one file; the last one is of all
    result.passed = counts.passed;
    result.skipped = counts.skipped;
    const { tests, todo, passed, skipped } = counts;
    result.failed = Math.max(tests - passed - skipped - todo, success ? 0 : 1);
  });
  await report(stream);
  return result;
}

/** On a terminal every test; elsewhere a dot each, then the failures and what those files wrote. */
async function report(stream: ReturnType<typeof run>): Promise<void> {
  const errors = new Map<string, string>();
  const failed = new Set<string>();
  stream.on('test:stderr', ({ file, message }) => {
    errors.set(file, (errors.get(file) ?? '') + message);
  });
  stream.on('test:fail', ({ file }) => failed.add(file ?? ''));
  const { isTTY } = process.stdout;
  await pipeline(stream.compose(isTTY ? new spec() : dot), process.stdout, { end: false });
  if (isTTY) return;
  for (const [file, text] of errors) {
    if (failed.has(file)) process.stdout.write(`\n${relative(ROOT, file)} wrote:\n${text}`);
  }
}

/** What was skipped for want of something, then the closing line, alone on its line. */
function summary({ passed, failed, skipped, reasons }: Counted): string {
  const lines = [...reasons]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(
      ([reason, count]) => `skipped ${count}: ${skippedBecause(reason)}
`,
    );
  const tail = skipped > 0 ? `, ${skipped} skipped` : '';
  return `
${lines.join('')}${passed} passed, ${failed} failed${tail}
`;
}

function skippedBecause(reason: string): string {
  return reason.startsWith(NEED_PREFIX) ? reason : `${reason} (not by need(): mend that test)`;
}
