/**
 * Hashes and the symmetric constructions made of them. Synchronous, so that a simulation of what
 * uses them is deterministic.
 * @module
 */
import { createCipheriv, createDecipheriv, createHmac, hash, hkdfSync } from 'node:crypto';
import { bytes32, concat, type Bytes } from '../bytes/index.ts';
import { Fault } from '../fault/index.ts';

/** SHA-256 (FIPS 180-4), 32 bytes. */
export function sha256(bytes: Uint8Array): Bytes {
  return Uint8Array.from(hash('sha256', bytes, 'buffer'));
}

/** HMAC-SHA256 (RFC 2104) over the concatenation of all parts, 32 bytes. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return Uint8Array.from(mac.digest());
}

/** HKDF-SHA256 (RFC 5869): 32 bytes for one purpose, named by `info`. */
export function hkdf32(secret: Uint8Array, salt: Uint8Array, info: Uint8Array): Bytes {
  return new Uint8Array(hkdfSync('sha256', secret, salt, info, 32));
}

const TAG_BYTES = 16;
const ZERO_NONCE = new Uint8Array(12);

/** Seals with AES-256-GCM under a key that seals this one message only: ciphertext, then tag. */
export function sealOnce(key: Uint8Array, plain: Uint8Array, associated: Uint8Array): Bytes {
  const cipher = createCipheriv('aes-256-gcm', bytes32(key, 'sealing key'), ZERO_NONCE);
  cipher.setAAD(associated);
  return concat(cipher.update(plain), cipher.final(), cipher.getAuthTag());
}

/** Opens what `sealOnce` made. @throws Fault `BYTES_MALFORMED` when it is not authentic */
export function openOnce(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Bytes {
  if (sealed.length < TAG_BYTES) throw new Fault('BYTES_MALFORMED', { name: 'sealed box' });
  const decipher = createDecipheriv('aes-256-gcm', bytes32(key, 'sealing key'), ZERO_NONCE);
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    return concat(decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final());
  } catch {
    throw new Fault('BYTES_MALFORMED', { name: 'sealed box' });
  }
}
