/**
 * A folder in which a reader of the documents works: the command `tollcall` is on the PATH, the
 * packages are installed (from the sources), and each page has a folder and a home of its own.
 * @module
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Home, end, type Ended } from '../e2e/cli.ts';
import { ROOT } from './page.ts';

const PACKAGES = {
  tollcall: { './host': './src/package/host/index.ts', './payer': './src/package/payer/index.ts' },
  '@tollcall/regtest': { '.': './src/package/regtest/index.ts' },
};

/** What fragments in the pages may use without saying where it comes from. */
const GLOBALS = `
import type { Link, OpenPayer, PayerSession } from 'tollcall/payer';
declare global {
  const payer: OpenPayer;
  const link: Link;
  const session: PayerSession;
  const hostKeyPem: string;
  const msat: typeof import('tollcall/payer').msat;
}
`;

const COMPILER = {
  allowJs: true,
  checkJs: true,
  noEmit: true,
  strict: true,
  target: 'es2024',
  lib: ['es2024', 'esnext.disposable', 'esnext.iterator'],
  module: 'nodenext',
  moduleDetection: 'force',
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  types: ['node'],
  typeRoots: [join(ROOT, 'node_modules', '@types')],
};

/** The folder. */
export class Workshop {
  readonly home = new Home();
  readonly #env: NodeJS.ProcessEnv;
  readonly #running: ChildProcess[] = [];

  constructor() {
    const bin = this.home.at('bin');
    mkdirSync(bin);
    const launcher = join(ROOT, 'bin', 'tollcall.mjs');
    const script = `#!/bin/sh\nexec '${process.execPath}' '${launcher}' "$@"\n`;
    writeFileSync(join(bin, 'tollcall'), script, { mode: 0o755 });
    const { PATH, ...rest } = this.home.env();
    const path = [bin, dirname(process.execPath), PATH].join(delimiter);
    this.#env = { ...rest, PATH: path };
    for (const [name, exported] of Object.entries(PACKAGES)) this.#install(name, exported);
    writeFileSync(this.home.at('package.json'), '{"type": "module"}');
    writeFileSync(this.home.at('globals.d.ts'), GLOBALS);
    const project = { compilerOptions: COMPILER, include: ['*.d.ts', 'pages'] };
    writeFileSync(this.home.at('tsconfig.json'), JSON.stringify(project));
  }

  /** A package whose files are the sources. */
  #install(name: string, exported: Readonly<Record<string, string>>): void {
    const folder = this.home.at('node_modules', name);
    mkdirSync(folder, { recursive: true });
    symlinkSync(join(ROOT, 'src'), join(folder, 'src'));
    const manifest = { name, type: 'module', exports: exported };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  }

  /** The folder of a page. */
  folder(page: string): string {
    const folder = this.home.at('pages', page.replaceAll('/', '-').replace('.md', ''));
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Types a command. `home` is where its `~` leads. */
  async run(line: string, cwd: string, home = this.home.dir): Promise<Ended> {
    const env = { ...this.#env, HOME: home };
    const child = spawn('sh', ['-c', line], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, stdout, stderr };
  }

  /** Types a command that stays, on any free port; what it shows until it waits for Ctrl-C. */
  async begin(line: string, cwd: string, home: string): Promise<string> {
    const env = { ...this.#env, HOME: home };
    const child = spawn('sh', ['-c', `exec ${line} --port 0`], { cwd, env });
    this.#running.push(child);
    child.stderr.pipe(process.stderr);
    let shown = '';
    for await (const text of createInterface({ input: child.stdout })) {
      shown += `${text}\n`;
      if (text.includes('Ctrl-C')) break;
    }
    return shown;
  }

  /** Has the compiler look at everything that was written. */
  compile(): Promise<Ended> {
    const compiler = join(ROOT, 'node_modules', '.bin', 'tsc');
    return this.run(`'${compiler}' --project . --pretty false`, this.home.dir);
  }

  async leave(): Promise<void> {
    for (const child of this.#running) await end(child, 'SIGINT');
    await this.home.leave();
  }
}
