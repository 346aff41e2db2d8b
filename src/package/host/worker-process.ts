/**
 * Starts the process of a worker. Where the system does not share a port among processes,
 * `node:cluster` does; its settings belong to the whole program and are put back after each start.
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../base/fault/index.ts';
import { moduleBeside } from '../../base/module/index.ts';

/**
 * Starts one.
 * @param preload modules that it loads first
 * @throws Fault `CONFIG_INVALID` in a process that is a worker of a cluster itself
 */
export function startWorkerProcess(preload: readonly string[]): ChildProcess {
  if (!cluster.isPrimary) {
    const problem = 'a worker of a cluster cannot have workers of its own';
    throw new Fault('CONFIG_INVALID', { problems: [`workers: ${problem}`] });
  }
  // The first call gives what is not set its default.
  cluster.setupPrimary();
  const before = { ...cluster.settings };
  const { execArgv = process.execArgv } = before;
  cluster.setupPrimary({
    exec: fileURLToPath(moduleBeside(import.meta.url, './worker-main')),
    execArgv: [...execArgv, ...preload.flatMap((module) => ['--import', module])],
    args: [],
    // Byte strings and bigints cross.
    serialization: 'advanced',
    silent: false,
  });
  try {
    const worker = cluster.fork();
    // Of its process: `endOf` looks at that.
    worker.on('error', () => undefined);
    return worker.process;
  } finally {
    cluster.setupPrimary({ ...before, serialization: before.serialization ?? 'json' });
  }
}

/** Resolves when a process has ended, or could not be started. */
export function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.on('error', () => {
      if (child.pid === undefined) resolve();
    });
  });
}
