/**
 * Rotation: a new key for a host, and what becomes of the old one.
 * @module
 */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../base/fault/index.ts';
import { unixMs, type UnixMs } from '../../base/time/index.ts';
import { openHostKeys, readHostKeys } from './files.ts';
import {
  FORMER_DIR,
  HOST_KEY_FILE,
  NEXT_HOST_KEY_FILE,
  NEXT_RECEIPT_KEY_FILE,
  RECEIPT_KEY_FILE,
  REVOKED_FILE,
  SUCCESSION_FILE,
  finishRotation,
  formerDir,
  printFormer,
} from './former.ts';
import { generateEd25519, generateRsa, hostIdentity } from './identity.ts';
import type { HostIdentity, HostKeys } from './keys.ts';
import { privatePem, readKeyFile, syncFolder, writeAtomically } from './private-files.ts';
import { acceptanceStatement, successionStatement, type Succession } from './succession.ts';

/** How to rotate. */
export interface RotateOptions {
  readonly nowMs: UnixMs;
  /** For how long set-ups for the old key are opened. */
  readonly overlapMs: number;
  /** The old key was stolen: it ends now, and nobody may follow it to the new one. */
  readonly revoke: boolean;
}

/**
 * Replaces the keys in a directory. A process that has them open goes on with the old ones until it
 * opens them again.
 * @throws Fault `CONFIG_INVALID` when there are none, or another rotation was faster, `KEY_*`
 */
export async function rotateHostKeys(dir: string, options: RotateOptions): Promise<HostKeys> {
  finishRotation(dir);
  const old = await existingKeys(dir);
  const [rsa, receipt] = await Promise.all([generateRsa(), generateEd25519()]);
  const next = await hostIdentity(rsa, receipt);
  const number = old.former.length + 1;
  const succession = await succeed(old, next, number, options);
  const part = `${formerDir(dir, number)}.${process.pid}.new`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(join(dir, FORMER_DIR), { recursive: true, mode: 0o700 });
  mkdirSync(part, { mode: 0o700 });
  const write = (name: string, text: string): void =>
    writeFileSync(join(part, name), text, { mode: 0o600, flag: 'wx', flush: true });
  const copy = (name: string): void => write(name, privatePem(readKeyFile(join(dir, name))));
  write(NEXT_HOST_KEY_FILE, privatePem(rsa));
  write(NEXT_RECEIPT_KEY_FILE, privatePem(receipt));
  copy(RECEIPT_KEY_FILE);
  if (options.revoke) write(REVOKED_FILE, '');
  else copy(HOST_KEY_FILE);
  write(SUCCESSION_FILE, printFormer(old.publicPem, old.receiptCertificate, succession));
  syncFolder(part);
  commit(dir, part, number);
  const keys = await openHostKeys(dir);
  keys.retire(options.nowMs);
  return keys;
}

/** The moment of a rotation: before it nothing has happened, after it anyone finishes it. */
function commit(dir: string, part: string, number: number): void {
  const folder = join(dir, FORMER_DIR);
  try {
    // Refused when there is one already: of two rotations at once, one happens.
    renameSync(part, formerDir(dir, number));
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    throw new Fault('CONFIG_INVALID', { dir, problem: 'another rotation was faster' }, error);
  }
  syncFolder(folder);
  for (const name of readdirSync(folder)) {
    // What was begun for this number or an earlier one, and can happen no more.
    const left = name.endsWith('.new') && Number.parseInt(name, 10) <= number;
    if (left) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

async function succeed(
  old: HostIdentity,
  next: HostIdentity,
  number: number,
  { nowMs, overlapMs, revoke }: RotateOptions,
): Promise<Succession> {
  const untilMs = unixMs(nowMs + (revoke ? 0 : overlapMs));
  const facts = { from: old.fingerprint, to: next.fingerprint, number, atMs: nowMs, untilMs };
  const signature = await old.sign(successionStatement(facts));
  const countersignature = await next.sign(acceptanceStatement(facts));
  return { ...facts, signature, countersignature };
}

/**
 * Declares a former key stolen: its overlap ends, and nobody may follow it, or an older one, any
 * more.
 * @param fingerprint its first digits are enough
 * @throws Fault `CONFIG_INVALID` when no former key, or more than one, has this fingerprint
 */
export async function revokeFormerKey(
  dir: string,
  fingerprint: string,
  nowMs: UnixMs,
): Promise<HostKeys> {
  finishRotation(dir);
  const { former } = await existingKeys(dir);
  const [found, second] = former.filter((one) => one.fingerprint.startsWith(fingerprint));
  if (found === undefined || second !== undefined) {
    const problem = found ? 'several keys begin so' : 'no former key has this fingerprint';
    const next = '"tollcall keys show DIR" lists them';
    throw new Fault('CONFIG_INVALID', { fingerprint, problem, next });
  }
  const place = formerDir(dir, found.succession.number);
  writeAtomically(join(place, REVOKED_FILE), '', 0o600);
  const keys = await existingKeys(dir);
  keys.retire(nowMs);
  return keys;
}

async function existingKeys(dir: string): Promise<HostKeys> {
  const keys = await readHostKeys(dir);
  if (keys) return keys;
  throw new Fault('CONFIG_INVALID', { dir, problem: 'no keys here' });
}
