/**
 * The thread that writes a host's file. Runs by itself; import nothing from it.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { asFault } from '../../base/fault/index.ts';
import type { HostStoreOptions } from './host-store.ts';
import { openHostCore, type HostCore } from './sqlite-host.ts';
import type { WorkerReply, WorkerRequest } from './sqlite-thread.ts';

function reply(message: WorkerReply): void {
  parentPort?.postMessage(message);
}

function attempt(id: number, work: () => unknown): void {
  try {
    reply({ id, ok: true, value: work() });
  } catch (error) {
    const { code, facts, cause } = asFault(error, 'STORE_FAILED');
    reply({ id, ok: false, code, facts, reason: cause instanceof Error ? cause.message : '' });
  }
}

function serve(core: HostCore): void {
  parentPort?.on('message', ({ id, method, args }: WorkerRequest) => {
    const call = core[method] as (...args: readonly unknown[]) => unknown;
    attempt(id, () => call.apply(core, args as unknown[]));
    if (method === 'close') parentPort?.close();
  });
}

attempt(0, () => serve(openHostCore(workerData as HostStoreOptions)));
