/**
 * Bytes inside, text at the edge: strict decoding, checked lengths, constant-time comparison.
 * @module
 */
import { base64, base64urlnopad, hex } from '@scure/base';
import { Fault } from '../fault/index.ts';

/** Bytes whose memory is not shared with another thread. */
export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return hex.encode(bytes);
}

/** The bytes of a lower-case hex text. @throws Fault `BYTES_MALFORMED` */
export function fromHex(text: unknown, name: string): Bytes {
  if (typeof text !== 'string' || !/^(?:[0-9a-f]{2})*$/.test(text)) throw malformed(name);
  return hex.decode(text) as Bytes;
}

/** base64url without padding (RFC 4648, section 5). */
export function toBase64url(bytes: Uint8Array): string {
  return base64urlnopad.encode(bytes);
}

/** The bytes of a canonical base64url text without padding. @throws Fault `BYTES_MALFORMED` */
export function fromBase64url(text: unknown, name: string): Bytes {
  if (typeof text !== 'string') throw malformed(name);
  try {
    return base64urlnopad.decode(text) as Bytes;
  } catch {
    throw malformed(name);
  }
}

/** Standard base64 with padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  return base64.encode(bytes);
}

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Bytes {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes. @throws Fault `BYTES_MALFORMED` when they are not valid UTF-8 */
export function fromUtf8(bytes: Uint8Array, name: string): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    throw malformed(name);
  }
}

/** The same bytes, once their length is checked. @throws Fault `BYTES_LENGTH` naming the thing */
export function bytesOf(bytes: Uint8Array, length: number, name: string): Uint8Array {
  if (bytes.length !== length) throw new Fault('BYTES_LENGTH', { name, length: bytes.length });
  return bytes;
}

/** 32 bytes: hashes, keys, preimages. @throws Fault `BYTES_LENGTH` naming the thing */
export function bytes32(bytes: Uint8Array, name: string): Uint8Array {
  return bytesOf(bytes, 32, name);
}

/** All parts, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Each part preceded by its length as u32, big endian: no two lists of parts give the same bytes.
 */
export function lengthPrefixed(...parts: readonly Uint8Array[]): Bytes {
  return concat(...parts.flatMap((part) => [u32(part.length), part]));
}

/** An unsigned 32-bit number, big endian. */
export function u32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** An unsigned 64-bit number, big endian. @throws Fault `BYTES_LENGTH` outside 0 to 2^64 - 1 */
export function u64(value: bigint): Bytes {
  if (value < 0n || value >= 1n << 64n) throw new Fault('BYTES_LENGTH', { name: 'u64' });
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** Reads an unsigned 64-bit number, big endian, at `offset`. */
export function readU64(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset);
}

/** Equality of public bytes, by value. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Equality in time that depends on the length only: for secrets and authenticators. */
export function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

function malformed(name: string): Fault {
  return new Fault('BYTES_MALFORMED', { name });
}
