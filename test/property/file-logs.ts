/**
 * Logs of workers as they are: files, beside a store in a file.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkerLog } from '../../src/books/index.ts';
import {
  openHostStore,
  openWorkerLog,
  type HostStore,
  type WorkerLogFile,
} from '../../src/port/store/index.ts';
import type { Beginning, WorkerLogs } from './model-logs.ts';

/** Logs in files. */
export class FileLogs implements WorkerLogs {
  disk: HostStore;
  readonly #dir: string;
  readonly #open = new Map<number, WorkerLogFile>();

  private constructor(dir: string, disk: HostStore) {
    this.#dir = dir;
    this.disk = disk;
  }

  static async make(): Promise<FileLogs> {
    const dir = mkdtempSync(join(tmpdir(), 'tollcall-workers-'));
    return new FileLogs(dir, await openIn(dir));
  }

  store(): Pick<HostStore, 'openLaneLog' | 'foldLanes' | 'closeLaneLog'> {
    return this.disk;
  }

  async open({ worker, place, gate, primary }: Beginning): Promise<WorkerLog> {
    const log = await openWorkerLog(place, { fold: (fold) => primary.fold(fold) });
    this.#open.set(worker, log);
    return {
      // With extra it is the primary that writes.
      commitLanes: (images, extra) =>
        extra === undefined
          ? gate.pass(() => log.commitLanes(images))
          : log.commitLanes(images, extra),
      flush: (lanes) => log.flush(lanes),
      close: () => log.close(),
    };
  }

  async ended(worker: number): Promise<void> {
    await this.#open.get(worker)?.close();
    this.#open.delete(worker);
  }

  async restart(): Promise<void> {
    for (const worker of this.#open.keys()) await this.ended(worker);
    await this.disk.close();
    this.disk = await openIn(this.#dir);
  }

  async close(): Promise<void> {
    for (const worker of this.#open.keys()) await this.ended(worker);
    await this.disk.close();
    rmSync(this.#dir, { recursive: true });
  }
}

function openIn(dir: string): Promise<HostStore> {
  return openHostStore({ file: join(dir, 'host.db'), thread: false, spendLogBytes: 65_536 });
}
