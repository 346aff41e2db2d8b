/**
 * A lock on a small file, held for as long as a process lives: the system lets it go when the
 * process ends, however it ends.
 *
 * It holds between processes of one machine: file systems that machines share may keep locks to
 * themselves.
 * @module
 */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../../base/fault/index.ts';
import { storeFault } from './sqlite-file.ts';

/** A lock that is held. */
export interface FileLock {
  /** Lets it go. */
  close(): void;
}

/** Takes the lock of a file, which is made when it is missing. @throws Error of SQLite */
export function lockFile(path: string): FileLock {
  makeEmpty(path);
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    // Without a journal in memory it would leave another file behind.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Takes the lock of a worker's log. @throws Fault `STORE_OWNED`, `STORE_READONLY` */
export function lockLog(file: string): FileLock {
  try {
    return lockFile(lockPathOf(file));
  } catch (error) {
    const { code } = storeFault(error, 'STORE_OWNED');
    throw new Fault(code, { file, reason: 'the log of a worker that runs' }, error);
  }
}

/** Where the lock of a worker's log is. */
export function lockPathOf(file: string): string {
  return `${file}-lock`;
}

/** Never opens a file that is there: a process that closes one lets go of all its locks on it. */
function makeEmpty(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw error;
  }
}
