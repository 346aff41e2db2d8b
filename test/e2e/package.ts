/**
 * The two packages, made from the sources and installed as people install them.
 * @module
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..', '..');
/** No script of a package runs, and nothing is asked that need not be. */
const INSTALL = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];

/** What an npm that runs this test has said about itself: it is not for the npm in a project. */
const FROM_NPM = /^npm_(package|lifecycle|config_\w*prefix)/;

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The packages, in a folder of their own. */
export class Packages {
  readonly dir = mkdtempSync(join(tmpdir(), 'tollcall-package-'));

  /** Makes both. */
  async make(): Promise<void> {
    const maker = new Project(this.dir);
    await maker.done('node', join(ROOT, 'scripts', 'build.ts'), '--to', this.dir);
    await maker.npm('pack', '--ignore-scripts', './tollcall', './regtest');
  }

  /** An empty project with the files of both packages beside its package.json. */
  project(name: string): Project {
    const project = new Project(join(this.dir, name));
    project.write('package.json', '{}');
    for (const file of globSync('*.tgz', { cwd: this.dir })) {
      cpSync(join(this.dir, file), join(project.dir, file));
    }
    return project;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A folder in which somebody works with one version of Node. */
export class Project {
  readonly dir: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(dir: string, node = process.execPath) {
    this.dir = dir;
    mkdirSync(dir, { recursive: true });
    const env = Object.entries(process.env).filter(([name]) => !FROM_NPM.test(name));
    const PATH = `${dirname(node)}${delimiter}${process.env['PATH']}`;
    this.#env = { ...Object.fromEntries(env), PATH };
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.dir, name), text);
  }

  /** Runs a command to its end. */
  async run(command: string, ...args: readonly string[]): Promise<Ended> {
    const child = this.#start(command, args);
    let [stdout, stderr] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, stdout, stderr };
  }

  /** The same; it must succeed. */
  async done(command: string, ...args: readonly string[]): Promise<Ended> {
    const ended = await this.run(command, ...args);
    assert.equal(ended.status, 0, `${command} ${args.join(' ')}\n${ended.stdout}${ended.stderr}`);
    return ended;
  }

  npm(...args: readonly string[]): Promise<Ended> {
    return this.done('npm', '--loglevel=error', ...args);
  }

  install(...what: readonly string[]): Promise<Ended> {
    return this.npm('install', ...INSTALL, ...what);
  }

  /** The installed command line. */
  tollcall(...args: readonly string[]): Promise<Ended> {
    return this.run('npx', '--loglevel=error', '--no-install', 'tollcall', ...args);
  }

  /** Starts a program; gives it and the first line that it prints, empty when it prints none. */
  async begin(file: string): Promise<{ child: ChildProcess; line: string }> {
    const child = this.#start('node', [file]);
    child.stderr?.pipe(process.stderr);
    assert(child.stdout !== null);
    const lines = createInterface({ input: child.stdout });
    const line = new Promise<string>((resolve) => {
      lines.once('line', resolve).once('close', () => resolve(''));
    });
    return { child, line: await line };
  }

  #start(command: string, args: readonly string[]): ChildProcess {
    return spawn(command, args, {
      cwd: this.dir,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

/**
 * Another version of Node, from the registry; undefined where it cannot be had.
 * @param dir is filled
 */
export async function fetchNode(dir: string, version: string): Promise<string | undefined> {
  const project = new Project(dir);
  project.write('package.json', '{}');
  // Its install script fetches the binary for this machine.
  const args = ['install', ...INSTALL, '--ignore-scripts=false', `node@${version}`];
  const { status } = await project.run('npm', '--loglevel=error', ...args);
  const node = join(dir, 'node_modules', 'node', 'bin', 'node');
  return status === 0 && existsSync(node) ? node : undefined;
}

/** The programs of the README, by the name in their first line. */
export function readmePrograms(): ReadonlyMap<string, string> {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const found = text.matchAll(/^```js\n\/\/ (\w+)\.mjs\n([\s\S]*?)^```$/gm);
  return new Map([...found].map(([, name = '', program = '']) => [name, program]));
}
