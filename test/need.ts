/**
 * What a test may need that not every machine has: servers, a browser, spec vectors.
 *
 * A test that needs one says so: `test('...', { skip: need('vectors') }, ...)`. Where it is missing
 * the test is skipped and `npm test` says why. With `TOLLCALL_TEST_ALL=1` a missing thing fails.
 * @module
 */
import assert from 'node:assert/strict';
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
export type Need = keyof typeof COMMANDS | 'vectors';

/** Starts every reason that `need` gives, so that the runner can tell these skips from others. */
export const NEED_PREFIX = 'needs ';

/** False when it is there, else why the test is skipped. @throws when nothing may be skipped */
export function need(name: Need): string | false {
  const reason = name === 'vectors' ? vectorsMissing() : commandMissing(name);
  if (reason !== false && process.env['TOLLCALL_TEST_ALL'] === '1') {
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

function vectorsMissing(): string | false {
  return vectorFolder() === undefined
    ? `${NEED_PREFIX}the spec vectors: set TOLLCALL_VECTORS to their folder`
    : false;
}

function commandMissing(name: keyof typeof COMMANDS): string | false {
  try {
    commandPath(name);
    return false;
  } catch {
    return `${NEED_PREFIX}${COMMANDS[name].command}: run scripts/services.sh ${name}`;
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
