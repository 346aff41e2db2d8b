/**
 * What a test may need that not every machine has: servers, a browser, spec vectors.
 *
 * A test that needs one says so: `test('...', { skip: need('vectors') }, ...)`. Where it is missing
 * the test is skipped and `npm test` says why. With `TOLLCALL_TEST_ALL=1` a missing thing fails.
 * @module
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where each command is looked for beyond the PATH; `npm test` installs none of them. */
const COMMANDS = {
  postgres: { command: 'postgres', alsoIn: '/usr/lib/postgresql/*/bin' },
  nats: { command: 'nats-server', alsoIn: '/usr/sbin' },
  chromium: { command: 'chromium', alsoIn: '/usr/bin' },
  electrum: { command: 'electrum', alsoIn: '/usr/bin' },
} as const;

/** A thing that a test may need. */
export type Need = keyof typeof COMMANDS | 'vectors' | 'python';

/** Starts every reason that `need` gives, so that the runner can tell these skips from others. */
export const NEED_PREFIX = 'needs ';

/** False when it is there, else why the test is skipped. @throws when nothing may be skipped */
export function need(name: Need): string | false {
  const missing = missingOf(name);
  return missing !== false && unmet(missing);
}

/**
 * Why a test is skipped whose need was looked for in vain.
 * @throws when nothing may be skipped
 */
export function unmet(what: string): string {
  const reason = `${NEED_PREFIX}${what}`;
  if (process.env['TOLLCALL_TEST_ALL'] === '1') {
    throw new Error(`TOLLCALL_TEST_ALL is set and this test ${reason}`);
  }
  return reason;
}

/** The path of a needed command. @throws when it is missing: ask `need` first */
export function commandPath(name: keyof typeof COMMANDS): string {
  const { command, alsoIn } = COMMANDS[name];
  const newestFirst = globSync(alsoIn).toSorted().toReversed();
  const dirs = [...(process.env['PATH'] ?? '').split(delimiter), ...newestFirst];
  const path = dirs.map((dir) => join(dir, command)).find((file) => existsSync(file));
  if (path === undefined) throw new Error(`${command} is not installed`);
  return path;
}

/** A Python that has the package `cryptography`. @throws when there is none: ask `need` first */
export function pythonPath(): string {
  const path = findPython();
  if (path === undefined) throw new Error('no python3 has the package cryptography');
  return path;
}

/** How the rows of a vector file are found and how many there must be. */
export interface VectorShape {
  /** The number of rows in the published file: a changed file must not go unnoticed. */
  readonly count: number;
  /** The key of the list inside the file, keys joined by dots; absent: the file itself. */
  readonly at?: string;
}

/**
 * The rows of a published vector file (JSON, or CSV with a header), given by its path below the
 * vector folder: `vectors<Row>('bip327/nonce_gen_vectors.json', { at: 'test_cases', count: 4 })`.
 */
export function vectors<Row>(path: string, shape: VectorShape): readonly Row[] {
  let found: unknown = vectorFile(path);
  for (const key of shape.at?.split('.') ?? []) found = (found as Record<string, unknown>)[key];
  assert(Array.isArray(found), `${path}: no list at '${shape.at ?? ''}'`);
  assert.equal(found.length, shape.count, `${path}: another number of vectors than expected`);
  return found as readonly Row[];
}

/** A whole vector file, for those that are not a list. */
export function vectorFile(path: string): unknown {
  const folder = vectorFolder();
  assert(folder !== undefined, 'ask need("vectors") first');
  const text = readFileSync(join(folder, path), 'utf8');
  return path.endsWith('.csv') ? parseCsv(text) : JSON.parse(text);
}

function vectorFolder(): string | undefined {
  const beside = join(import.meta.dirname, '..', '..', 'shared', 'vectors');
  const folder = process.env['TOLLCALL_VECTORS'] ?? beside;
  return existsSync(folder) ? folder : undefined;
}

function missingOf(name: Need): string | false {
  if (name === 'vectors') return vectorsMissing();
  if (name !== 'python') return commandMissing(name);
  return findPython() === undefined && 'python3-cryptography: run scripts/services.sh python';
}

/** Debian's own first: an environment on the PATH may have a Python without it. */
function findPython(): string | undefined {
  const dirs = ['/usr/bin', ...(process.env['PATH'] ?? '').split(delimiter)];
  return dirs
    .map((dir) => join(dir, 'python3'))
    .filter((file) => existsSync(file))
    .find((file) => spawnSync(file, ['-c', 'import cryptography']).status === 0);
}

function vectorsMissing(): string | false {
  return vectorFolder() === undefined
    ? 'the spec vectors: set TOLLCALL_VECTORS to their folder'
    : false;
}

function commandMissing(name: keyof typeof COMMANDS): string | false {
  try {
    commandPath(name);
    return false;
  } catch {
    return `${COMMANDS[name].command}: run scripts/services.sh ${name}`;
  }
}

/** Comma-separated values without quoting, as the BIP files are; the last column takes the rest. */
function parseCsv(text: string): Record<string, string>[] {
  const [header = '', ...lines] = text.split(/\r?\n/).filter((line) => line !== '');
  const names = header.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    const last = cells.splice(names.length - 1).join(',');
    return Object.fromEntries(names.map((name, i) => [name, cells[i] ?? last]));
  });
}
