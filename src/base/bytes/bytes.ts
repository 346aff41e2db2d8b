/**
 * Bytes inside, text at the edge: strict decoding, checked lengths, constant-time comparison.
 * @module
 */
import { base64, base64urlnopad } from '@scure/base';
import { Fault } from '../fault/index.ts';

/** Bytes whose memory is not shared with another thread. */
export type Bytes = Uint8Array<ArrayBuffer>;

const MAX_U64 = (1n << 64n) - 1n;
/** Characters that are copied one by one. */
const MAX_COPIED = 256;
const HEX = '0123456789abcdef';
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const HEX_OF_BYTE = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
/** By character code; -1 where there is none. */
const HEX_VALUES = valuesOf(HEX);
const BASE64URL_VALUES = valuesOf(BASE64URL);
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += HEX_OF_BYTE[bytes[i] ?? 0] ?? '';
  return text;
}

/** The bytes of a lower-case hex text. @throws Fault `BYTES_MALFORMED` */
export function fromHex(text: unknown, name: string): Bytes {
  if (typeof text !== 'string') throw malformed(name);
  const bytes = new Uint8Array(text.length >> 1);
  if (!writeHex(bytes, 0, text)) throw malformed(name);
  return bytes;
}

/** Writes the bytes of a lower-case hex text at `offset`; false when it is not one, or too long. */
export function writeHex(target: Uint8Array, offset: number, text: string): boolean {
  if (text.length % 2 !== 0 || offset + text.length / 2 > target.length) return false;
  for (let i = 0; i < text.length; i += 2) {
    const high = HEX_VALUES[text.charCodeAt(i)] ?? -1;
    const low = HEX_VALUES[text.charCodeAt(i + 1)] ?? -1;
    if (high < 0 || low < 0) return false;
    target[offset + (i >> 1)] = (high << 4) | low;
  }
  return true;
}

/** base64url without padding (RFC 4648, section 5). */
export function toBase64url(bytes: Uint8Array): string {
  return base64urlnopad.encode(bytes);
}

/** The bytes of a canonical base64url text without padding. @throws Fault `BYTES_MALFORMED` */
export function fromBase64url(text: unknown, name: string): Bytes {
  if (typeof text !== 'string') throw malformed(name);
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let [bits, held, at] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const value = BASE64URL_VALUES[text.charCodeAt(i)] ?? -1;
    if (value < 0) throw malformed(name);
    bits = (bits << 6) | value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[at++] = bits >> held;
    bits &= (1 << held) - 1;
  }
  // A last character that says nothing, or bits that are not part of a byte: not canonical.
  if (held >= 6 || bits !== 0) throw malformed(name);
  return bytes;
}

/** Standard base64 with padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  return base64.encode(bytes);
}

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Bytes {
  // TextEncoder takes longer to call than a short text takes to copy.
  if (text.length > MAX_COPIED) return encoder.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return encoder.encode(text);
    bytes[i] = unit;
  }
  return bytes;
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
  const joined = new Uint8Array(parts.reduce((total, part) => total + 4 + part.length, 0));
  const view = new DataView(joined.buffer);
  let offset = 0;
  for (const part of parts) {
    view.setUint32(offset, part.length);
    joined.set(part, offset + 4);
    offset += 4 + part.length;
  }
  return joined;
}

/** An unsigned 32-bit number, big endian. */
export function u32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** An unsigned 64-bit number, big endian. @throws Fault `BYTES_LENGTH` outside 0 to 2^64 - 1 */
export function u64(value: bigint): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, u64Value(value));
  return bytes;
}

/** The same number, once it is known to fit. @throws Fault `BYTES_LENGTH` outside 0 to 2^64 - 1 */
export function u64Value(value: bigint): bigint {
  if (value < 0n || value > MAX_U64) throw new Fault('BYTES_LENGTH', { name: 'u64' });
  return value;
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

/** The same of texts. */
export function sameSecretText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

function valuesOf(alphabet: string): Int8Array {
  const values = new Int8Array(128).fill(-1);
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
  return values;
}

function malformed(name: string): Fault {
  return new Fault('BYTES_MALFORMED', { name });
}
