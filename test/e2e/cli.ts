/**
 * Runs the command line as a person or a program does: processes, pipes, a pseudo-terminal.
 * @module
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'bin', 'tollcall.mjs');

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A home directory of its own, in which nothing is yet. */
export class Home {
  readonly dir = mkdtempSync(join(tmpdir(), 'tollcall-cli-'));
  readonly #running = new Set<ChildProcess>();

  /** A path below it. */
  at(...names: readonly string[]): string {
    return join(this.dir, ...names);
  }

  /** Runs a command to its end. */
  run(...args: readonly string[]): Ended {
    const options = { env: this.env(), encoding: 'utf8' } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, ...args], options);
    return { status, stdout, stderr };
  }

  /** The same, while this process goes on: it may be the one that is asked. */
  async runBeside(...args: readonly string[]): Promise<Ended> {
    const child = spawn(process.execPath, [LAUNCHER, ...args], { env: this.env() });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, stdout, stderr };
  }

  /** Runs a command with --json; what it printed. */
  json(...args: readonly string[]): Record<string, unknown> {
    return JSON.parse(this.run(...args, '--json').stdout) as Record<string, unknown>;
  }

  /** Runs a command on a terminal of so many columns; what the terminal got. */
  onTerminal(columns: number, ...args: readonly string[]): string {
    return this.onTerminalWith({}, columns, ...args);
  }

  /** The same with more in its environment. */
  onTerminalWith(more: NodeJS.ProcessEnv, columns: number, ...args: readonly string[]): string {
    const words = [process.execPath, LAUNCHER, ...args].map((word) => `'${word}'`);
    const command = `stty cols ${columns}; ${words.join(' ')}`;
    const env = { ...this.env(), TERM: 'xterm-256color', ...more };
    const run = spawnSync('script', ['-qec', command, '/dev/null'], { env, encoding: 'utf8' });
    return run.stdout;
  }

  /** Starts `tollcall dev` and waits until it is ready. */
  async dev(...args: readonly string[]): Promise<Dev> {
    return this.#open('dev', '--port', '0', ...args);
  }

  /** Starts `tollcall serve` and waits until it is ready. */
  async serve(file: string): Promise<Dev> {
    return this.#open('serve', file);
  }

  async #open(...args: readonly string[]): Promise<Dev> {
    const child = spawn(process.execPath, [LAUNCHER, ...args, '--json'], {
      env: this.env(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    const lines = createInterface({ input: child.stdout });
    const ready = once(lines, 'line') as Promise<[string]>;
    const gone = once(child, 'exit').then(() => assert.fail('it ended before it was ready'));
    const [line] = await Promise.race([ready, gone]);
    const said = JSON.parse(line) as Record<string, string>;
    return { ready: said, address: (said['url'] ?? '').replace('http://', ''), child, lines };
  }

  /** Starts a command without waiting for it. */
  start(...args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [LAUNCHER, ...args], {
      env: this.env(),
      stdio: 'ignore',
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    return child;
  }

  /** Ends what still runs and removes the directory. */
  async leave(): Promise<void> {
    const ends = [...this.#running].map((child) => end(child, 'SIGTERM'));
    await Promise.all(ends);
    rmSync(this.dir, { recursive: true, force: true });
  }

  env(): NodeJS.ProcessEnv {
    const { PATH, TMPDIR } = process.env;
    // Many short processes: the second one does not compile everything again.
    const NODE_COMPILE_CACHE = this.at('.compiled');
    return {
      PATH,
      ...(TMPDIR === undefined ? {} : { TMPDIR }),
      HOME: this.dir,
      NODE_COMPILE_CACHE,
    };
  }
}

/** A `tollcall dev` or `tollcall serve` that is ready. */
export interface Dev {
  readonly ready: Readonly<Record<string, string>>;
  /** 127.0.0.1:port */
  readonly address: string;
  readonly child: ChildProcess;
  /** What it prints besides: what a service says. */
  readonly lines: Interface;
}

/** Sends a signal and waits for the end; the exit status, or the signal that ended it. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | string> {
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  child.kill(signal);
  const [status, by] = await ended;
  return status ?? by ?? '';
}
