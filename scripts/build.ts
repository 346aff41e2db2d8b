/**
 * `npm run build`: makes the two packages out of the sources.
 *
 * - tollcall: `dist/`, everything but what needs bcoin or LDK;
 * - @tollcall/regtest: `regtest/dist/`, the rest, and `regtest/node_modules/`: bcoin and what it
 *   needs, bundled, since the versions that a consumer's npm would choose have to be compiled.
 *
 * `--to DIR` makes the folders DIR/tollcall and DIR/regtest instead, each ready for `npm pack`.
 * @module
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, posix, relative, sep } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
const MAIN = join(ROOT, 'package.json');
const REGTEST = join(ROOT, 'regtest', 'package.json');
/** The folders of src that @tollcall/regtest is made of. */
const REGTEST_FOLDERS = ['package/regtest', 'port/chain/regtest', 'port/wallet/ldk'];
/** For the compiler, or for readers of the source; all other files of src are assets. */
const NO_ASSET = /\.ts$|^README\.md$/;
/** A relative import, as the compiler prints it. */
const SPECIFIER = /((?:\bfrom|\bimport) ?\(?)'(\.[^']+)'/g;

/** What is read of a package.json. */
interface Manifest {
  readonly version: string;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly bundleDependencies?: readonly string[];
}

const { to } = parseArgs({ options: { to: { type: 'string' } } }).values;
checkVersions();
if (to === undefined) {
  build(ROOT, dirname(REGTEST));
} else {
  build(stage(MAIN, join(to, 'tollcall')), stage(REGTEST, join(to, 'regtest')));
}

/** What is told twice must be the same. */
function checkVersions(): void {
  const [main, regtest] = [readManifest(MAIN), readManifest(REGTEST)];
  assert.equal(regtest.version, main.version, 'regtest/package.json: another version');
  assert.deepEqual(regtest.peerDependencies, { tollcall: main.version }, 'regtest/package.json');
  const pins = { ...main.devDependencies, ...main.dependencies };
  for (const [name, version] of Object.entries(regtest.dependencies ?? {})) {
    assert.equal(version, pins[name], `regtest/package.json: another version of ${name}`);
  }
}

/** Copies what a package consists of, besides what is built. */
function stage(manifestFile: string, folder: string): string {
  const { files = [] } = readManifest(manifestFile);
  for (const name of ['package.json', 'README.md', 'LICENSE', ...files]) {
    const from = [dirname(manifestFile), ROOT].map((dir) => join(dir, name)).find(existsSync);
    if (from !== undefined && name !== 'dist') {
      cpSync(from, join(folder, name), { recursive: true });
    }
  }
  return folder;
}

function build(main: string, regtest: string): void {
  const made = join(main, `.build-${process.pid}.tmp`);
  const [dist, apart] = [join(made, 'dist'), join(made, 'regtest')];
  try {
    compile(dist);
    for (const file of files(join(ROOT, 'src'))) {
      if (!NO_ASSET.test(basename(file))) copyAsset(file, dist);
    }
    // Nobody imports the command line.
    for (const file of files(join(dist, 'cli'))) {
      if (file.endsWith('.d.ts')) rmSync(join(dist, 'cli', file));
    }
    for (const file of files(dist).filter(isRegtest)) move(join(dist, file), join(apart, file));
    for (const file of files(apart)) connect(apart, file);
    replace(dist, join(main, 'dist'));
    replace(apart, join(regtest, 'dist'));
    bundle(regtest);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function compile(outDir: string): void {
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  const project = join(ROOT, 'tsconfig.build.json');
  const run = spawnSync(tsc, ['--project', project, '--outDir', outDir], { encoding: 'utf8' });
  if (run.status === 0) return;
  process.stderr.write(`${run.stdout}${run.stderr}`);
  process.exit(1);
}

function copyAsset(file: string, dist: string): void {
  assert(!existsSync(join(dist, file)), `src/${file} and what is built of a module have one name`);
  cpSync(join(ROOT, 'src', file), join(dist, file));
}

function isRegtest(file: string): boolean {
  return REGTEST_FOLDERS.some((folder) => file.startsWith(`${folder}/`));
}

/** Lets a file of @tollcall/regtest import from the package tollcall what is not in its own. */
function connect(folder: string, file: string): void {
  if (!/\.(js|d\.ts)$/.test(file)) return;
  const text = readFileSync(join(folder, file), 'utf8');
  const connected = text.replaceAll(SPECIFIER, (whole, before: string, specifier: string) => {
    const target = posix.join(posix.dirname(file), specifier).replace(/\.ts$/, '.js');
    return isRegtest(target) ? whole : `${before}'tollcall/internal/${target}'`;
  });
  writeFileSync(join(folder, file), connected);
}

/** Copies the bundled packages and all that they need, from this repository's installation. */
function bundle(regtest: string): void {
  rmSync(join(regtest, 'node_modules'), { recursive: true, force: true });
  const { bundleDependencies = [] } = readManifest(REGTEST);
  const folders = new Set<string>();
  for (const name of bundleDependencies) collect(installed(ROOT, name), folders);
  for (const folder of folders) {
    const target = join(regtest, relative(ROOT, folder));
    const filter = (path: string): boolean =>
      path === folder || !['node_modules', 'binding.gyp'].includes(basename(path));
    cpSync(folder, target, { recursive: true, filter });
    const manifest = readManifest(join(folder, 'package.json'));
    // Nothing is compiled, and nothing is looked up: each takes what lies beside it.
    const plain = { ...manifest, scripts: {}, gypfile: false, dependencies: pinned(folder) };
    writeFileSync(join(target, 'package.json'), `${JSON.stringify(plain, null, 2)}\n`);
  }
}

function collect(folder: string, found: Set<string>): void {
  if (found.has(folder)) return;
  found.add(folder);
  for (const name of Object.keys(pinned(folder))) collect(installed(folder, name), found);
}

/** The dependencies of an installed package, with the versions that it has here. */
function pinned(folder: string): Record<string, string> {
  const { dependencies = {} } = readManifest(join(folder, 'package.json'));
  const names = Object.keys(dependencies);
  return Object.fromEntries(
    names.map((name) => [
      name,
      readManifest(join(installed(folder, name), 'package.json')).version,
    ]),
  );
}

/** Where a package finds another one, as Node looks for it. */
function installed(from: string, name: string): string {
  const folder = join(from, 'node_modules', name);
  if (existsSync(folder)) return folder;
  assert(from.startsWith(ROOT) && from !== ROOT, `${name} is not installed`);
  return installed(dirname(from), name);
}

/** The files below a folder, as paths with `/`. */
function files(folder: string): string[] {
  return globSync('**', { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'));
}

function move(from: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  renameSync(from, target);
}

function replace(from: string, target: string): void {
  rmSync(target, { recursive: true, force: true });
  move(from, target);
}

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(file, 'utf8')) as Manifest;
}
