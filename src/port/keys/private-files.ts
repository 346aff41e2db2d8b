/**
 * Files with private keys: for their owner alone, written whole or not at all.
 * @module
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../../base/fault/index.ts';

/**
 * Checks that nobody else can put another key in the place of one in this directory.
 * @throws Fault `KEY_EXPOSED`
 */
export function assertOwnFolder(dir: string): void {
  const { mode, uid } = statSync(dir);
  const sticky = (mode & 0o1000) !== 0;
  if ((mode & 0o022) !== 0 && !sticky) {
    const next = `chmod go-w ${dir}`;
    throw new Fault('KEY_EXPOSED', { dir, problem: 'others can write to the directory', next });
  }
  if (uid !== process.getuid?.() && uid !== 0) {
    throw new Fault('KEY_EXPOSED', { dir, problem: 'the directory belongs to someone else' });
  }
}

/**
 * A private key that its owner alone can read. A symbolic link is followed: the file that it leads
 * to has to be private, and it is that very file that is read.
 * @throws Fault `KEY_EXPOSED`, `KEY_MALFORMED`
 */
export function readKeyFile(file: string): KeyObject {
  const handle = openSync(file, 'r');
  try {
    const { mode, uid } = fstatSync(handle);
    if ((mode & 0o077) !== 0) throw new Fault('KEY_EXPOSED', { file });
    if (uid !== process.getuid?.()) {
      const next = 'make it your own with chown; if others have read it, make a new one';
      throw new Fault('KEY_EXPOSED', { file, problem: 'it belongs to someone else', next });
    }
    return parsePrivateKey(readFileSync(handle, 'utf8'));
  } finally {
    closeSync(handle);
  }
}

/** A private key from its text. @throws Fault `KEY_MALFORMED` */
export function parsePrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Fault('KEY_MALFORMED', { expected: 'PKCS #8 in PEM' });
  }
}

/** A private key as text: PKCS #8 in PEM. */
export function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Writes a private key unless there is one: of two processes that make it, both use the first. */
export function writeOnce(file: string, text: string): void {
  const temporary = writeBeside(file, text, 0o600);
  try {
    linkSync(temporary, file);
  } catch (error) {
    if (!existsSync(file)) throw error;
  } finally {
    unlinkSync(temporary);
  }
  syncFolder(dirname(file));
}

/** Replaces a file by a new one. */
export function writeAtomically(file: string, text: string, mode: number): void {
  renameSync(writeBeside(file, text, mode), file);
  syncFolder(dirname(file));
}

/** Gives a file another name, durably; one that somebody else has moved already is left. */
export function moveFile(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (existsSync(from)) throw error;
  }
  syncFolder(dirname(to));
  syncFolder(dirname(from));
}

/**
 * A new file beside `file`, on the disk; nobody else has it open or can read it before its time.
 */
function writeBeside(file: string, text: string, mode: number): string {
  const temporary = `${file}.${process.pid}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, text, { mode, flag: 'wx', flush: true });
  chmodSync(temporary, mode);
  return temporary;
}

/** After this a new name survives a loss of power: a host that lost its key is another host. */
export function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r');
  fsyncSync(folder);
  closeSync(folder);
}
