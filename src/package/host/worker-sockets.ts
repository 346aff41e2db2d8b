/**
 * Where the processes of a host meet: Unix sockets in a directory that is its owner's alone.
 * @module
 */
import { mkdtempSync, rmSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_SOCKET_PATH_BYTES } from '../../door/http/index.ts';
import { MAX_WORKERS } from './limits.ts';

/** The sockets of one host. */
export interface WorkerSockets {
  readonly dir: string;
  /** The last one is gone: so is what was made for them elsewhere. */
  remove(): void;
}

/**
 * A place for the sockets: in the directory of the host; where its path is too long for a socket,
 * in a temporary directory of mode 0700.
 */
export function placeSockets(hostDir: string): WorkerSockets {
  const dir = join(hostDir, 'sockets');
  const longest = socketOf(dir, MAX_WORKERS);
  if (Buffer.byteLength(longest) <= MAX_SOCKET_PATH_BYTES) {
    return { dir, remove: () => removeSockets(dir) };
  }
  const short = mkdtempSync(join(tmpdir(), 'tollcall-'));
  return { dir: short, remove: () => removeSockets(short) };
}

/** The socket of a process: the primary is 0. */
export function socketOf(dir: string, process: number): string {
  return join(dir, `${process}.sock`);
}

/** What else somebody keeps there stays. */
function removeSockets(dir: string): void {
  for (let process = 0; process <= MAX_WORKERS; process++) {
    rmSync(socketOf(dir, process), { force: true });
  }
  try {
    rmdirSync(dir);
  } catch {
    // Not empty, or gone.
  }
}
