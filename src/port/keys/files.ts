/**
 * The keys port over files: `host_key.pem` (RSA-4096), `receipt_key.pem` (Ed25519), both PKCS #8
 * and mode 0600, and `host_pub.pem` for payers.
 * @module
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  sign as signWith,
  type KeyObject,
  webcrypto,
} from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Fault } from '../../base/fault/index.ts';
import { receiptKeyStatement } from '../../pay/bundle/index.ts';
import { MAX_RUNNING_UNWRAPS, MAX_WAITING_UNWRAPS } from './limits.ts';
import {
  assertRsa4096,
  fingerprintOf,
  RSA_BITS,
  type HostKeys,
  type PayerKeyring,
  type PayerKeys,
} from './keys.ts';

const generate = promisify(generateKeyPair);
const HOST_KEY_FILE = 'host_key.pem';
const RECEIPT_KEY_FILE = 'receipt_key.pem';
const PUBLIC_FILE = 'host_pub.pem';

/**
 * Opens the keys in a directory; makes those that are missing.
 * @throws Fault `KEY_EXPOSED` when others can read a private key, `KEY_MALFORMED`
 */
export async function openHostKeys(dir: string): Promise<HostKeys> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const rsa = await privateKey(join(dir, HOST_KEY_FILE), generateRsa);
  const receipt = await privateKey(join(dir, RECEIPT_KEY_FILE), generateEd25519);
  const keys = await hostKeys(rsa, receipt);
  writeAtomically(join(dir, PUBLIC_FILE), keys.publicPem, 0o644);
  return keys;
}

/** The private keys of a host, below its directory: what a backup needs. */
export const HOST_KEY_FILES: readonly string[] = [HOST_KEY_FILE, RECEIPT_KEY_FILE];

/**
 * The keys in a directory, which makes and changes nothing; undefined when one is missing.
 * @throws Fault `KEY_EXPOSED` when others can read a private key, `KEY_MALFORMED`
 */
export async function readHostKeys(dir: string): Promise<HostKeys | undefined> {
  const files = HOST_KEY_FILES.map((name) => join(dir, name));
  if (!files.every((file) => existsSync(file))) return undefined;
  const [rsa, receipt] = files.map(guardedKey);
  return rsa && receipt && hostKeys(rsa, receipt);
}

/** Keys made of private keys at hand. @throws Fault `KEY_MALFORMED` */
export async function hostKeys(rsa: KeyObject, receipt: KeyObject): Promise<HostKeys> {
  assertRsa4096(rsa);
  if (receipt.asymmetricKeyType !== 'ed25519')
    throw new Fault('KEY_MALFORMED', { expected: 'Ed25519' });
  const publicKey = createPublicKey(rsa);
  const receiptKey = rawEd25519(createPublicKey(receipt));
  return {
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    fingerprint: fingerprintOf(publicKey),
    unwrap: unwrapper(rsa),
    sign: (statement) => signRsa(statement, rsa),
    receiptKey,
    receiptCertificate: await signRsa(receiptKeyStatement(receiptKey), rsa),
    signReceipt: (message) => Uint8Array.from(signWith(null, message, receipt)),
  };
}

/** Keys of payers, made and used by Node's crypto. */
export const payerKeyring: PayerKeyring = {
  make: async () => payerKeys(await generateRsa()),
  read: (privatePem) => payerKeys(assertRsa4096(readPrivate(privatePem))),
};

function payerKeys(key: KeyObject): PayerKeys {
  return {
    publicDer: Uint8Array.from(createPublicKey(key).export({ type: 'spki', format: 'der' })),
    privatePem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    unwrap: unwrapper(key),
  };
}

/** RSA decryption in Node's thread pool, a few at once, a bounded number waiting. */
function unwrapper(key: KeyObject): (wrapped: Uint8Array) => Promise<Uint8Array> {
  const { subtle } = webcrypto;
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const imported = subtle.importKey('pkcs8', Uint8Array.from(der), OAEP, false, ['decrypt']);
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (wrapped) => {
    if (running < MAX_RUNNING_UNWRAPS) running++;
    else if (waiting.length >= MAX_WAITING_UNWRAPS) throw new Fault('SETUP_BUSY');
    else await new Promise<void>((resume) => waiting.push(resume));
    try {
      const opened = await subtle.decrypt(OAEP, await imported, Uint8Array.from(wrapped));
      return new Uint8Array(opened);
    } catch {
      throw new Fault('SETUP_DECRYPT');
    } finally {
      // The place goes to the next in line directly: a newcomer cannot slip in between.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

const OAEP = { name: 'RSA-OAEP', hash: 'SHA-256' };

function signRsa(statement: Uint8Array, key: KeyObject): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    signWith('sha256', statement, key, (error, signature) => {
      if (error) reject(error);
      else resolve(Uint8Array.from(signature));
    });
  });
}

async function generateRsa(): Promise<KeyObject> {
  const pair = await generate('rsa', { modulusLength: RSA_BITS, publicExponent: 65537 });
  return pair.privateKey;
}

async function generateEd25519(): Promise<KeyObject> {
  return (await generate('ed25519')).privateKey;
}

async function privateKey(file: string, make: () => Promise<KeyObject>): Promise<KeyObject> {
  if (!existsSync(file)) {
    const key = await make();
    writeOnce(file, key.export({ type: 'pkcs8', format: 'pem' }).toString());
  }
  return guardedKey(file);
}

/** A private key that its owner alone can read. */
function guardedKey(file: string): KeyObject {
  if ((statSync(file).mode & 0o077) !== 0) throw new Fault('KEY_EXPOSED', { file });
  return readPrivate(readFileSync(file, 'utf8'));
}

function readPrivate(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Fault('KEY_MALFORMED', { expected: 'PKCS #8 in PEM' });
  }
}

/** Writes a private key unless there is one: of two processes that make it, both use the first. */
function writeOnce(file: string, text: string): void {
  const temporary = writeBeside(file, text, 0o600);
  try {
    linkSync(temporary, file);
  } catch (error) {
    if (!existsSync(file)) throw error;
  } finally {
    unlinkSync(temporary);
  }
  syncFolder(file);
}

function writeAtomically(file: string, text: string, mode: number): void {
  renameSync(writeBeside(file, text, mode), file);
  syncFolder(file);
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
function syncFolder(file: string): void {
  const folder = openSync(dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** The last 32 bytes of an Ed25519 SPKI are the key (RFC 8410). */
function rawEd25519(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ type: 'spki', format: 'der' }).subarray(-32));
}
