/**
 * Copies of a host's file while it is in use.
 * @module
 */
import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { HostStore } from './host-store.ts';
import type { SqliteDatabase } from './sqlite-file.ts';

/** A host's store that can be copied while it is open. */
export interface HostStoreFile extends HostStore {
  /**
   * Writes everything that is committed into a new file, mode 0600, and waits until it is on the
   * disk. Commits wait meanwhile. The copy is as secret as the original: it holds the keys of
   * codes.
   * @throws Fault `STORE_READONLY` when the file exists or cannot be made, `STORE_FULL`
   */
  backup(file: string): Promise<void>;
}

/** Copies the database into `file`, which must not exist. */
export function writeSnapshot(db: SqliteDatabase, file: string): void {
  // SQLite writes into an empty file as well; made first, it never stands open to others.
  closeSync(openSync(file, 'wx', 0o600));
  try {
    db.run('VACUUM INTO ?', file);
    disown(file);
    syncPath(file);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/** A copy is a store of its own: the original's logs must never be read into it. */
function disown(file: string): void {
  const copy = new DatabaseSync(file);
  try {
    copy.exec('UPDATE spend_log SET database_id = randomblob(16), is_open = 0');
    copy.exec('DELETE FROM worker_log');
  } finally {
    copy.close();
  }
}

/** Waits until a file, or the names in a folder, are on the disk. */
export function syncPath(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
