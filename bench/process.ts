/**
 * The measured process and the core that it runs on.
 * @module
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** A server in a process of its own, on one core where the machine lets us choose. */
export interface Measured {
  readonly url: string;
  /** What pays a call there, where that is always the same. */
  readonly headers: Readonly<Record<string, string>>;
  /** CPU that it has used, all threads. */
  cpuMs(): Promise<number>;
  /** It then ends by itself, and writes a profile if it was asked for one. */
  stop(): void;
}

/** The measured process has core 0, the load and everything else of the bench core 1. */
const [MEASURED_CORE, OWN_CORE] = ['0', '1'];

const pins =
  availableParallelism() > 1 && spawnSync('taskset', ['-p', String(process.pid)]).status === 0;

/** Moves the bench itself away from the measured core; says what "one core" means here. */
export function takeOwnCore(): void {
  if (pins) spawnSync('taskset', ['-a', '-p', '-c', OWN_CORE, String(process.pid)]);
  process.stdout.write(
    pins
      ? `the measured process has core ${MEASURED_CORE} alone, the load has core ${OWN_CORE}\n`
      : 'taskset is missing, or there is one core: look at the CPU figures, not at the clock\n',
  );
}

/** Runs `bench/server.ts`. */
export function startServer(mode: string, dir: string): Promise<Measured> {
  return startProcess(new URL('./server.ts', import.meta.url).pathname, mode, dir);
}

/** Runs a module that says where it listens. */
export async function startProcess(...args: readonly string[]): Promise<Measured> {
  const flags = (process.env['BENCH_NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '');
  const command = [process.execPath, ...flags, ...args];
  const [file = '', ...rest] = pins ? ['taskset', '-c', MEASURED_CORE, ...command] : command;
  const child = spawn(file, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${command.join(' ')} has ended`);
  });
  const [{ url, headers = {} }] = (await Promise.race([once(child, 'message'), ended])) as [
    { url: string; headers?: Record<string, string> },
  ];
  ended.catch(() => undefined);
  return { url, headers, cpuMs: () => askCpu(child), stop: () => child.disconnect() };
}

async function askCpu(child: ChildProcess): Promise<number> {
  const answer = once(child, 'message') as Promise<[{ cpuMs: number }]>;
  child.send('cpu');
  return (await answer)[0].cpuMs;
}
