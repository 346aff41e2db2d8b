/**
 * A backup of a host: a directory with its store, its keys and a manifest, verified after it was
 * written. Kept on disk: the manifest's version rises with its form.
 * @module
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { Fault, isFault } from '../base/fault/index.ts';
import { formatTime, systemClock } from '../base/time/index.ts';
import { isBalanced, type Sheet } from '../pay/ledger/index.ts';
import { hostKeyFiles, openHostKeys, readHostKeys } from '../port/keys/index.ts';
import { openHostStore, syncPath } from '../port/store/index.ts';
import { openAdmin } from './books.ts';
import { shownPath } from './places.ts';
import { booksFile } from '../package/host/index.ts';

const manifestSchema = z.strictObject({
  version: z.literal(1),
  made_at: z.iso.datetime(),
  host_key_fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  /** SHA-256 of the store, hex. */
  books_sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** What a backup says about itself. */
export type Manifest = z.infer<typeof manifestSchema>;

/** A backup that was checked. */
export interface CheckedBackup {
  readonly manifest: Manifest;
  readonly sheet: Sheet;
  /** Made of a host that ran. */
  readonly running?: boolean;
}

/**
 * Writes a backup of the host in `dir` into the new directory `target`: all of it, or nothing.
 * @throws Fault `CONFIG_INVALID` when there is no host or `target` exists, `STORE_CORRUPT` when the
 * copy does not pass the audit
 */
export async function makeBackup(dir: string, target: string): Promise<CheckedBackup> {
  const full = resolve(target);
  assertFree(full);
  const keys = await readHostKeys(dir);
  if (keys === undefined) {
    const next = 'name the directory of a host; "tollcall dev" makes one';
    throw new Fault('CONFIG_INVALID', { dir: shownPath(dir), problem: 'no host keys here', next });
  }
  return inPart(full, async (part) => {
    const admin = await openAdmin(dir);
    const { running } = admin;
    try {
      await admin.backup(booksFile(part));
    } finally {
      await admin.close();
    }
    for (const name of hostKeyFiles(dir)) copyPrivate(join(dir, name), join(part, name));
    // Else the copy could have the new key without the old one, or be of two times.
    for (const one of [await readHostKeys(part), await readHostKeys(dir)]) {
      if (one?.fingerprint === keys.fingerprint) continue;
      const next = 'make the backup again';
      throw new Fault('CONFIG_INVALID', { dir, problem: 'its keys were rotated meanwhile', next });
    }
    const sheet = await auditedSheet(booksFile(part));
    const manifest: Manifest = {
      version: 1,
      made_at: formatTime(systemClock.now()),
      host_key_fingerprint: keys.fingerprint,
      books_sha256: await sha256OfFile(booksFile(part)),
    };
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    writeFileSync(join(part, MANIFEST), text, { mode: 0o600, flush: true });
    return { manifest, sheet, running };
  });
}

/**
 * Puts a backup back as a host's new directory: all of it, or nothing. The backup stays as it is.
 * @throws Fault `CONFIG_INVALID` when `dir` holds something or `from` is no backup, `STORE_CORRUPT`
 */
export async function restoreBackup(from: string, dir: string): Promise<CheckedBackup> {
  const manifest = readManifest(from);
  const full = resolve(dir);
  assertFree(full);
  if ((await sha256OfFile(booksFile(from))) !== manifest.books_sha256) {
    throw new Fault('STORE_CORRUPT', {
      file: booksFile(from),
      problem: 'changed since it was made',
    });
  }
  return inPart(full, async (part) => {
    for (const name of hostKeyFiles(from)) copyPrivate(join(from, name), join(part, name));
    copyPrivate(booksFile(from), booksFile(part));
    const keys = await openHostKeys(part);
    if (keys.fingerprint !== manifest.host_key_fingerprint) {
      throw new Fault('CONFIG_INVALID', { backup: from, problem: 'the keys are of another host' });
    }
    return { manifest, sheet: await auditedSheet(booksFile(part)) };
  });
}

const MANIFEST = 'backup.json';

/** Runs `fill` on a directory beside the target, which takes the target's name at the end. */
async function inPart<T>(target: string, fill: (part: string) => Promise<T>): Promise<T> {
  const part = `${target}.part`;
  try {
    rmSync(part, { recursive: true, force: true });
    mkdirSync(dirname(part), { recursive: true, mode: 0o700 });
    // Fails when somebody else was faster: what is in it has to be ours alone.
    mkdirSync(part, { mode: 0o700 });
    const result = await fill(part);
    for (const name of readdirSync(part, { recursive: true, encoding: 'utf8' }))
      syncPath(join(part, name));
    syncPath(part);
    renameSync(part, target);
    syncPath(dirname(target));
    return result;
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    if (isFault(error)) throw error;
    throw new Fault('STORE_READONLY', { dir: target }, error);
  }
}

/** Opens a copy as a host would, and checks every rule. @throws Fault `STORE_CORRUPT` */
async function auditedSheet(file: string): Promise<Sheet> {
  const store = await openHostStore({ file, thread: false });
  try {
    const problems = await store.audit();
    const sheet = await store.sheet();
    if (problems.length > 0 || !isBalanced(sheet)) {
      throw new Fault('STORE_CORRUPT', { problems: problems.slice(0, 3) });
    }
    return sheet;
  } finally {
    await store.close();
  }
}

function assertFree(target: string): void {
  if (!existsSync(target)) return;
  let names: string[];
  try {
    names = readdirSync(target);
  } catch {
    names = [target];
  }
  if (names.length === 0) return;
  const next = 'name a new directory; nothing is ever overwritten';
  throw new Fault('CONFIG_INVALID', { dir: shownPath(target), problem: 'not empty', next });
}

function readManifest(from: string): Manifest {
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(join(from, MANIFEST), 'utf8')));
  } catch (error) {
    throw new Fault('CONFIG_INVALID', { backup: shownPath(from), problem: 'not a backup' }, error);
  }
}

function copyPrivate(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  copyFileSync(from, to);
  chmodSync(to, 0o600);
}

async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    throw new Fault('CONFIG_INVALID', { file, problem: 'cannot be read' }, error);
  }
  return hash.digest('hex');
}
