/**
 * Hashes and the symmetric constructions made of them. Synchronous, so that a simulation of what
 * uses them is deterministic.
 * @module
 */
import { createCipheriv, createDecipheriv, hash, hkdfSync } from 'node:crypto';
import { bytes32, concat, type Bytes } from '../bytes/index.ts';
import { Fault } from '../fault/index.ts';

const HASH_BYTES = 32;
const BLOCK_BYTES = 64;

/** SHA-256 (FIPS 180-4) of bytes, or of the UTF-8 of a text: 32 bytes. */
export function sha256(data: Uint8Array | string): Bytes {
  const digest = new Uint8Array(HASH_BYTES);
  digestInto(digest, data);
  return digest;
}

/** The same in lower-case hex: what Node makes fastest. */
export function sha256Hex(data: Uint8Array | string): string {
  return hash('sha256', data, 'hex');
}

/** HMAC-SHA256 (RFC 2104) over the concatenation of all parts, 32 bytes. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  const frame = new MacFrame(key, concat(...parts));
  return frame.mac();
}

/**
 * HMAC-SHA256 over messages of one shape under one key: the key's pads and the message lie ready in
 * memory, and whoever makes a MAC writes only what is new into `message`. Two hashes of a finished
 * buffer are several times faster than an object that is made, keyed and fed for each MAC.
 */
export class MacFrame {
  /** What the MAC is made over. */
  readonly message: Uint8Array;
  readonly #inner: Uint8Array;
  readonly #outer: Uint8Array;

  /** @param message its first content; the length stays */
  constructor(key: Uint8Array, message: Uint8Array) {
    this.#inner = new Uint8Array(BLOCK_BYTES + message.length);
    this.#outer = new Uint8Array(BLOCK_BYTES + HASH_BYTES);
    const short = key.length > BLOCK_BYTES ? sha256(key) : key;
    for (let i = 0; i < BLOCK_BYTES; i++) {
      const byte = short[i] ?? 0;
      this.#inner[i] = byte ^ 0x36;
      this.#outer[i] = byte ^ 0x5c;
    }
    this.message = this.#inner.subarray(BLOCK_BYTES);
    this.message.set(message);
  }

  /** The MAC of what `message` holds now, 32 bytes. */
  mac(): Bytes {
    digestInto(this.#outer, this.#inner, BLOCK_BYTES);
    return sha256(this.#outer);
  }

  /** The same in lower-case hex. */
  macHex(): string {
    digestInto(this.#outer, this.#inner, BLOCK_BYTES);
    return sha256Hex(this.#outer);
  }
}

/** Whether the 32 bytes from `offset` on are the SHA-256 of `data`. Not for secrets. */
export function isSha256Of(target: Uint8Array, offset: number, data: Uint8Array): boolean {
  const digest = hash('sha256', data, 'binary');
  for (let i = 0; i < HASH_BYTES; i++) {
    if (target[offset + i] !== digest.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * By way of a text, a character for each byte: Node makes a short one much faster than a Buffer
 * that has memory of its own.
 */
function digestInto(target: Uint8Array, data: Uint8Array | string, offset = 0): void {
  const digest = hash('sha256', data, 'binary');
  for (let i = 0; i < HASH_BYTES; i++) target[offset + i] = digest.charCodeAt(i);
}

/** HKDF-SHA256 (RFC 5869): 32 bytes for one purpose, named by `info`. */
export function hkdf32(secret: Uint8Array, salt: Uint8Array, info: Uint8Array): Bytes {
  return new Uint8Array(hkdfSync('sha256', secret, salt, info, 32));
}

const TAG_BYTES = 16;
const ZERO_NONCE = new Uint8Array(12);

/**
 * Encrypts with AES-256-GCM under a key that encrypts this one message only: ciphertext, then tag.
 */
export function encryptOnce(key: Uint8Array, plain: Uint8Array, associated: Uint8Array): Bytes {
  const cipher = createCipheriv('aes-256-gcm', bytes32(key, 'encryption key'), ZERO_NONCE);
  cipher.setAAD(associated);
  return concat(cipher.update(plain), cipher.final(), cipher.getAuthTag());
}

/** Opens what `encryptOnce` made. @throws Fault `BYTES_MALFORMED` when it is not authentic */
export function decryptOnce(key: Uint8Array, encrypted: Uint8Array, associated: Uint8Array): Bytes {
  if (encrypted.length < TAG_BYTES) throw new Fault('BYTES_MALFORMED', { name: 'encrypted box' });
  const decipher = createDecipheriv('aes-256-gcm', bytes32(key, 'encryption key'), ZERO_NONCE);
  decipher.setAAD(associated);
  decipher.setAuthTag(encrypted.subarray(encrypted.length - TAG_BYTES));
  try {
    return concat(decipher.update(encrypted.subarray(0, -TAG_BYTES)), decipher.final());
  } catch {
    throw new Fault('BYTES_MALFORMED', { name: 'encrypted box' });
  }
}
