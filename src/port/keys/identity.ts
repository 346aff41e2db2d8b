/**
 * Identities over private keys at hand: what they decrypt and sign, by Node's crypto.
 * @module
 */
import {
  createPublicKey,
  generateKeyPair,
  sign as signWith,
  type KeyObject,
  webcrypto,
} from 'node:crypto';
import { promisify } from 'node:util';
import { Fault } from '../../base/fault/index.ts';
import { receiptKeyStatement } from '../../pay/bundle/index.ts';
import { MAX_RUNNING_UNWRAPS, MAX_WAITING_UNWRAPS } from './limits.ts';
import {
  assertRsa4096,
  fingerprintOf,
  RSA_BITS,
  type HostIdentity,
  type HostKeys,
  type PayerKeyring,
  type PayerKeys,
} from './keys.ts';
import { parsePrivateKey, privatePem } from './private-files.ts';

const generate = promisify(generateKeyPair);

/** Keys made of private keys at hand, without a past. @throws Fault `KEY_MALFORMED` */
export async function hostKeys(rsa: KeyObject, receipt: KeyObject): Promise<HostKeys> {
  const identity = await hostIdentity(rsa, receipt);
  return { ...identity, former: [], retire: () => undefined };
}

/** An identity made of private keys at hand. @throws Fault `KEY_MALFORMED` */
export async function hostIdentity(rsa: KeyObject, receipt: KeyObject): Promise<HostIdentity> {
  assertRsa4096(rsa);
  const publicKey = createPublicKey(rsa);
  const signer = receiptSigner(receipt);
  return {
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    fingerprint: fingerprintOf(publicKey),
    ...rsaOperations(rsa),
    ...signer,
    receiptCertificate: await signRsa(receiptKeyStatement(signer.receiptKey), rsa),
  };
}

/** What a receipt key does. @throws Fault `KEY_MALFORMED` */
export function receiptSigner(
  receipt: KeyObject,
): Pick<HostIdentity, 'receiptKey' | 'signReceipt'> {
  if (receipt.asymmetricKeyType !== 'ed25519')
    throw new Fault('KEY_MALFORMED', { expected: 'Ed25519' });
  return {
    receiptKey: rawEd25519(createPublicKey(receipt)),
    signReceipt: (message) => Uint8Array.from(signWith(null, message, receipt)),
  };
}

/** What an RSA key does. */
export function rsaOperations(rsa: KeyObject): Pick<HostIdentity, 'unwrap' | 'sign'> {
  return { unwrap: unwrapper(rsa), sign: (statement) => signRsa(statement, rsa) };
}

/** Keys of payers, made and used by Node's crypto. */
export const payerKeyring: PayerKeyring = {
  make: async () => payerKeys(await generateRsa()),
  read: (pem) => payerKeys(assertRsa4096(parsePrivateKey(pem))),
};

function payerKeys(key: KeyObject): PayerKeys {
  return {
    publicDer: Uint8Array.from(createPublicKey(key).export({ type: 'spki', format: 'der' })),
    privatePem: privatePem(key),
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

/** RSASSA-PKCS1-v1_5 with SHA-256, off the caller's thread. */
export function signRsa(statement: Uint8Array, key: KeyObject): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    signWith('sha256', statement, key, (error, signature) => {
      if (error) reject(error);
      else resolve(Uint8Array.from(signature));
    });
  });
}

/** A new RSA-4096 key. */
export async function generateRsa(): Promise<KeyObject> {
  const pair = await generate('rsa', { modulusLength: RSA_BITS, publicExponent: 65537 });
  return pair.privateKey;
}

/** A new Ed25519 key. */
export async function generateEd25519(): Promise<KeyObject> {
  return (await generate('ed25519')).privateKey;
}

/** The last 32 bytes of an Ed25519 SPKI are the key (RFC 8410). */
function rawEd25519(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ type: 'spki', format: 'der' }).subarray(-32));
}
