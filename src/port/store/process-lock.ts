/**
 * Whether a process that shares a file with others still lives: each holds the lock of a small file
 * of its own beside it. Only processes of one machine are judged by that.
 *
 * All but `close` is called within a write transaction of the shared file, so that no two processes
 * make or look at such a file at once.
 * @module
 */
import { existsSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname } from 'node:path';
import { utf8 } from '../../base/bytes/index.ts';
import { sha256Hex } from '../../base/hash/index.ts';
import { lockFile, type FileLock } from './file-lock.ts';

/** The locks of the processes that share a file. */
export class ProcessLocks {
  readonly #file: string;
  readonly #machine = sha256Hex(utf8(hostname())).slice(0, 16);
  #id: string | undefined;
  #lock: FileLock | undefined;

  /** @param file that they share, by any of its names; ':memory:' is shared with nobody */
  constructor(file: string) {
    this.#file = file === ':memory:' ? file : realpathSync(file);
  }

  /** The name of this process, for `isGone`. The first call takes its lock. @param id random */
  own(id: string): string {
    if (this.#id === undefined && this.#file !== ':memory:') {
      this.#removeOld();
      this.#lock = lockFile(this.#path(id));
    }
    this.#id ??= id;
    return `${this.#machine}-${this.#id}`;
  }

  /** True for a process of this machine that has ended; false as long as that is not certain. */
  isGone(name: string): boolean {
    const [machine, id] = name.split('-');
    if (this.#file === ':memory:' || machine !== this.#machine) return false;
    if (id === undefined || id === this.#id) return false;
    return !existsSync(this.#path(id)) || this.#wasLeft(id);
  }

  /** Lets the lock go. */
  close(): void {
    this.#lock?.close();
    if (this.#lock !== undefined) rmSync(this.#path(this.#id ?? ''), { force: true });
    this.#lock = undefined;
  }

  /** A file whose lock can be had is nobody's: it goes. */
  #wasLeft(id: string): boolean {
    try {
      lockFile(this.#path(id)).close();
    } catch {
      return false;
    }
    rmSync(this.#path(id), { force: true });
    return true;
  }

  /** What processes have left that were killed. */
  #removeOld(): void {
    const start = `${basename(this.#file)}-process-`;
    for (const name of readdirSync(dirname(this.#file))) {
      if (name.startsWith(start)) this.#wasLeft(name.slice(start.length));
    }
  }

  #path(id: string): string {
    return `${this.#file}-process-${id}`;
  }
}
