/**
 * The keys port: who a host is. Private keys stay behind it.
 *
 * RSA-4096 identifies a host (and, for one exchange, a payer); an Ed25519 key that it certifies
 * signs receipts.
 * @module
 */
import assert from 'node:assert/strict';
import {
  createHash,
  createPublicKey,
  constants,
  publicEncrypt,
  verify,
  type KeyObject,
} from 'node:crypto';
import { Fault } from '../../base/fault/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
import type { Succession } from './succession.ts';

/** One identity of a host: what payers know it by, and what it signs with. */
export interface HostIdentity {
  /** SPKI in PEM: what payers pin. */
  readonly publicPem: string;
  /** SHA-256 of the SPKI in DER, hex. */
  readonly fingerprint: string;
  /**
   * Opens what was wrapped with RSA-OAEP (SHA-256) for this host, off the caller's thread.
   * @throws Fault `SETUP_DECRYPT`, or `SETUP_BUSY` when too many wait already
   */
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>;
  /** RSASSA-PKCS1-v1_5 with SHA-256. */
  sign(statement: Uint8Array): Promise<Uint8Array>;
  /** Ed25519, 32 bytes. */
  readonly receiptKey: Uint8Array;
  /** The RSA signature over the receipt key. */
  readonly receiptCertificate: Uint8Array;
  /** Ed25519 with the receipt key. */
  readonly signReceipt: (message: Uint8Array) => Uint8Array;
}

/** The keys of a host: who it is, and who it was. */
export interface HostKeys extends HostIdentity {
  /** Oldest first, never forgotten: what was sold under a key stays bound to it. */
  readonly former: readonly FormerKeys[];
  /** The certificate chain of this key, in PEM, if it has one. */
  readonly certificates?: string;
  /** Destroys the RSA keys of overlaps that have ended. */
  retire(nowMs: UnixMs): void;
}

/** A key that was replaced. */
export interface FormerKeys extends HostIdentity {
  readonly succession: Succession;
  /** It, or one that came after it, was declared stolen. */
  readonly revoked: boolean;
  /** Set-ups for it are opened before this moment; then `unwrap` and `sign` reject. */
  readonly opensUntilMs: UnixMs;
}

/** The keys of a payer: made for one exchange or a few, kept by the payer alone. */
export interface PayerKeys {
  /** SPKI in DER. */
  readonly publicDer: Uint8Array;
  /** PKCS #8 in PEM: secret, for the payer's own store. */
  readonly privatePem: string;
  /** Opens what was wrapped for this payer. @throws Fault `SETUP_DECRYPT` */
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>;
}

/** Where a payer's keys come from. */
export interface PayerKeyring {
  /** Makes new keys. Takes some tenths of a second, off the caller's thread. */
  make(): Promise<PayerKeys>;
  /** Keys from the payer's own store. @throws Fault `KEY_MALFORMED` */
  read(privatePem: string): PayerKeys;
}

/** The public key of a peer. */
export interface PeerKey {
  readonly publicPem: string;
  /** SHA-256 of the SPKI in DER, hex. */
  readonly fingerprint: string;
  /** RSA-OAEP with SHA-256. @throws Fault `KEY_MALFORMED` when the modulus is none */
  wrap(secret: Uint8Array): Uint8Array;
  /** RSASSA-PKCS1-v1_5 with SHA-256. */
  verify(statement: Uint8Array, signature: Uint8Array): boolean;
}

/** A former key of a peer, and the statement that replaced it. */
export interface FormerPeerKey {
  readonly key: PeerKey;
  readonly succession: Succession;
}

/** The size of every RSA key of this protocol. */
export const RSA_BITS = 4096;

/** Reads a peer's RSA-4096 public key, SPKI in PEM or DER. @throws Fault `KEY_MALFORMED` */
export function peerKey(spki: string | Uint8Array): PeerKey {
  const key = readPublic(spki);
  const publicPem = key.export({ type: 'spki', format: 'pem' }).toString();
  return {
    publicPem,
    fingerprint: fingerprintOf(key),
    wrap: (secret) => wrap(key, secret),
    verify: (statement, signature) => verify('sha256', statement, key, signature),
  };
}

/** A key that parses may still be no key: an even modulus shows itself only here. */
function wrap(key: KeyObject, secret: Uint8Array): Uint8Array {
  try {
    return Uint8Array.from(publicEncrypt(oaep(key), secret));
  } catch {
    throw new Fault('KEY_MALFORMED', { expected: 'RSA-4096' });
  }
}

/** SHA-256 of a public key's SPKI in DER, hex. */
export function fingerprintOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** Node's options for RSA-OAEP with SHA-256. */
export function oaep(key: KeyObject): { key: KeyObject; padding: number; oaepHash: string } {
  return { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
}

/** Checks that a key is RSA-4096 with the usual exponent. @throws Fault `KEY_MALFORMED` */
export function assertRsa4096(key: KeyObject): KeyObject {
  const details = key.asymmetricKeyDetails;
  const ok =
    key.asymmetricKeyType === 'rsa' &&
    details?.modulusLength === RSA_BITS &&
    details.publicExponent === 65537n;
  if (!ok) throw new Fault('KEY_MALFORMED', { expected: 'RSA-4096' });
  return key;
}

const PEM_HEAD = '-----BEGIN PUBLIC KEY-----';

function readPublic(spki: string | Uint8Array): KeyObject {
  try {
    // Node would also take a certificate, or a private key and derive the public one.
    if (typeof spki === 'string') assert(spki.trimStart().startsWith(PEM_HEAD));
    const key =
      typeof spki === 'string'
        ? createPublicKey(spki)
        : createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return assertRsa4096(key);
  } catch {
    throw new Fault('KEY_MALFORMED', { expected: 'RSA-4096' });
  }
}
