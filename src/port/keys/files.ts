/**
 * The keys port over files: `host_key.pem` (RSA-4096), `receipt_key.pem` (Ed25519), both PKCS #8
 * and mode 0600, `host_pub.pem` for payers, `host_cert.pem` if a CA has certified the key, and
 * `former/` with the keys that were replaced. What each of them is worth: docs/keys.md.
 * @module
 */
import { type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, isFault } from '../../base/fault/index.ts';
import { assertCertified } from './certificate.ts';
import {
  CERTIFICATE_FILE,
  FORMER_DIR,
  HOST_KEY_FILE,
  NEXT_HOST_KEY_FILE,
  NEXT_RECEIPT_KEY_FILE,
  RECEIPT_KEY_FILE,
  finishRotation,
  formerDir,
  formerNumbers,
  loadFormer,
  pendingRotation,
} from './former.ts';
import { generateEd25519, generateRsa, hostIdentity } from './identity.ts';
import { peerKey, type HostIdentity, type HostKeys } from './keys.ts';
import {
  assertOwnFolder,
  privatePem,
  readKeyFile,
  writeAtomically,
  writeOnce,
} from './private-files.ts';
import { checkSuccessions } from './succession.ts';

const PUBLIC_FILE = 'host_pub.pem';

/**
 * Opens the keys in a directory; makes those that are missing, and finishes a rotation that was cut
 * off.
 * @throws Fault `KEY_EXPOSED` when others can read a private key, `KEY_MALFORMED`
 */
export async function openHostKeys(dir: string): Promise<HostKeys> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  assertOwnFolder(dir);
  finishRotation(dir);
  // A host that had keys before does not become another one because its key is lost.
  if (formerNumbers(dir).length === 0) await makeMissing(join(dir, HOST_KEY_FILE), generateRsa);
  await makeMissing(join(dir, RECEIPT_KEY_FILE), generateEd25519);
  const keys = await readHostKeys(dir);
  if (keys === undefined) {
    const file = join(dir, HOST_KEY_FILE);
    throw new Fault('KEY_MALFORMED', { file, expected: 'the key that follows the former ones' });
  }
  writeAtomically(join(dir, PUBLIC_FILE), keys.publicPem, 0o644);
  return keys;
}

async function makeMissing(file: string, make: () => Promise<KeyObject>): Promise<void> {
  if (!existsSync(file)) writeOnce(file, privatePem(await make()));
}

/**
 * The keys in a directory, which makes and changes nothing; undefined when one is missing.
 * @throws Fault `KEY_EXPOSED` when others can read a private key, `KEY_MALFORMED`
 */
export async function readHostKeys(dir: string): Promise<HostKeys | undefined> {
  const layout = layoutOf(dir);
  try {
    const keys = await readAt(dir);
    if (layoutOf(dir) === layout) return keys;
  } catch (error) {
    if (layoutOf(dir) === layout) throw error;
  }
  // Another process rotated them in the meantime.
  return readHostKeys(dir);
}

function layoutOf(dir: string): string {
  return `${formerNumbers(dir).length} ${pendingRotation(dir) ?? ''}`;
}

async function readAt(dir: string): Promise<HostKeys | undefined> {
  const pending = pendingRotation(dir);
  const nextReceipt = pending && join(pending, NEXT_RECEIPT_KEY_FILE);
  const files = [
    pending === undefined ? join(dir, HOST_KEY_FILE) : join(pending, NEXT_HOST_KEY_FILE),
    nextReceipt && existsSync(nextReceipt) ? nextReceipt : join(dir, RECEIPT_KEY_FILE),
  ];
  if (!files.every((file) => existsSync(file))) return undefined;
  assertOwnFolder(dir);
  const [rsa, receipt] = files.map(readKeyFile);
  if (rsa === undefined || receipt === undefined) return undefined;
  const identity = await hostIdentity(rsa, receipt);
  const former = loadFormer(dir);
  const all = former.map(({ keys }) => keys);
  assertSuccessions(dir, identity, all);
  const certificates = pending === undefined ? readCertificates(dir, identity) : undefined;
  return {
    ...identity,
    former: all,
    ...(certificates === undefined ? {} : { certificates }),
    retire: (nowMs) => {
      for (const one of former) if (one.keys.opensUntilMs <= nowMs) one.destroy();
    },
  };
}

function assertSuccessions(dir: string, identity: HostIdentity, former: HostKeys['former']): void {
  try {
    const known = former.map(({ publicPem, succession }) => ({
      key: peerKey(publicPem),
      succession,
    }));
    checkSuccessions(peerKey(identity.publicPem), known);
  } catch (error) {
    if (!isFault(error)) throw error;
    const expected = 'former keys that lead to the current one';
    throw new Fault('KEY_MALFORMED', { dir: join(dir, FORMER_DIR), expected }, error);
  }
}

function readCertificates(dir: string, identity: HostIdentity): string | undefined {
  const file = join(dir, CERTIFICATE_FILE);
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  try {
    assertCertified(text, identity.fingerprint);
    return text;
  } catch (error) {
    if (!isFault(error)) throw error;
    throw new Fault('KEY_MALFORMED', { file, expected: 'a certificate of this key' }, error);
  }
}

/** The files of a host's keys, below its directory: what a backup needs. */
export function hostKeyFiles(dir: string): readonly string[] {
  const optional = [CERTIFICATE_FILE].filter((name) => existsSync(join(dir, name)));
  const former = formerNumbers(dir).flatMap((number) =>
    readdirSync(formerDir(dir, number)).map((name) => join(FORMER_DIR, `${number}`, name)),
  );
  return [HOST_KEY_FILE, RECEIPT_KEY_FILE, ...optional, ...former];
}
