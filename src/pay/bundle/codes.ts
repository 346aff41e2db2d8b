/**
 * One-time authorization codes: each call of a bundle carries one. A code binds the host, the
 * session, the number of the call and the request itself, so it is worth nothing elsewhere.
 *
 * Codes are symmetric: they prove nothing to third parties. Receipts do.
 * @module
 */
import {
  bytesOf,
  concat,
  fromHex,
  lengthPrefixed,
  toHex,
  u64,
  u64Value,
  utf8,
  writeHex,
} from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { MacFrame, hmacSha256, sha256, sha256Hex } from '../../base/hash/index.ts';
import { canonicalText, type Json } from '../../base/json/index.ts';
import type { Msat } from '../../base/money/index.ts';

/** What a code is made over, besides the key. */
export interface CodeFields {
  /** SHA-256 of the host's public key: 32 bytes, hex. */
  readonly host: string;
  /** 16 bytes, hex. */
  readonly session: string;
  /** The number of the call in its session. */
  readonly n: bigint;
  /** The payer's lowest number that is not resolved yet. */
  readonly done: bigint;
  /** 16 bytes, fresh for every message. */
  readonly salt: Uint8Array;
  /** SHA-256 of the request: 32 bytes. */
  readonly requestHash: Uint8Array;
}

/** A question about a session that costs nothing. */
export type Question = 'session' | 'receipt';

const CALL_TAG = utf8('tollcall/bundle/call/1');
const ASK_TAG = utf8('tollcall/bundle/ask/1');
const REFUND_TAG = utf8('tollcall/bundle/refund/1');
const DIGEST_BYTES = 16;

const LENGTH_BYTES = 4;
const U64_BYTES = 8;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** The code of a call, 32 bytes. */
export function callCode(key: Uint8Array, fields: CodeFields): Uint8Array {
  const { host, session, n, done, salt, requestHash } = fields;
  const bound = [fromHex(host, 'host'), fromHex(session, 'session'), u64(n), u64(done)];
  return hmacSha256(key, CALL_TAG, lengthPrefixed(...bound, salt, requestHash));
}

/**
 * Makes what `callCode` makes, for one session: what is the same in all of its codes is laid out
 * once.
 */
export class CallCodes {
  readonly #frame: MacFrame;
  readonly #view: DataView;
  /** Where the first number stands; each field is preceded by its length. */
  readonly #at: number;

  /**
   * @param host 32 bytes, hex
   * @param session 16 bytes, hex
   */
  constructor(key: Uint8Array, host: string, session: string) {
    const fixed = lengthPrefixed(fromHex(host, 'host'), fromHex(session, 'session'));
    const zero = u64(0n);
    const [salt, hash] = [new Uint8Array(SALT_BYTES), new Uint8Array(HASH_BYTES)];
    this.#frame = new MacFrame(
      key,
      concat(CALL_TAG, fixed, lengthPrefixed(zero, zero, salt, hash)),
    );
    const { buffer, byteOffset, byteLength } = this.#frame.message;
    this.#view = new DataView(buffer, byteOffset, byteLength);
    this.#at = CALL_TAG.length + fixed.length + LENGTH_BYTES;
  }

  /**
   * The code of a call, 32 bytes.
   * @param hashHex the hash of the request, 32 bytes in hex
   * @throws Fault `BYTES_LENGTH` for a number beyond 64 bits, another salt or hash than they are
   */
  code(fields: Pick<CodeFields, 'n' | 'done' | 'salt'>, hashHex: string): Uint8Array {
    const { message } = this.#frame;
    let at = this.#at;
    this.#view.setBigUint64(at, u64Value(fields.n));
    at += U64_BYTES + LENGTH_BYTES;
    this.#view.setBigUint64(at, u64Value(fields.done));
    at += U64_BYTES + LENGTH_BYTES;
    message.set(bytesOf(fields.salt, SALT_BYTES, 'salt'), at);
    at += SALT_BYTES + LENGTH_BYTES;
    const whole = hashHex.length === 2 * HASH_BYTES;
    if (!whole || !writeHex(message, at, hashHex)) {
      throw new Fault('BYTES_LENGTH', { name: 'requestHash' });
    }
    return this.#frame.mac();
  }
}

/** The code of a question, 32 bytes. */
export function askCode(
  key: Uint8Array,
  fields: Pick<CodeFields, 'host' | 'session' | 'salt'> & { readonly question: Question },
): Uint8Array {
  const bound = [fromHex(fields.host, 'host'), fromHex(fields.session, 'session'), fields.salt];
  return hmacSha256(key, ASK_TAG, lengthPrefixed(...bound, utf8(fields.question)));
}

/** The code of a refund, 32 bytes: bound to the invoice and the amount. */
export function refundCode(
  key: Uint8Array,
  fields: Pick<CodeFields, 'host' | 'session' | 'salt'> & {
    /** BOLT 11 text, as it is sent. */
    readonly invoice: string;
    readonly amountMsat: Msat;
  },
): Uint8Array {
  const bound = [fromHex(fields.host, 'host'), fromHex(fields.session, 'session'), fields.salt];
  const what = [utf8(fields.invoice), utf8(fields.amountMsat.toString())];
  return hmacSha256(key, REFUND_TAG, lengthPrefixed(...bound, ...what));
}

/** SHA-256 of the canonical form of what is asked: the service and the parsed input. */
export function requestHash(service: string, input: Json): Uint8Array {
  return sha256(canonicalText({ input, service }));
}

/** `requestHash` in hex. */
export function requestHashHex(service: string, input: Json): string {
  return sha256Hex(canonicalText({ input, service }));
}

/**
 * The part of a request's hash that a host keeps to recognise a repeat: 16 bytes, hex.
 * @param hash 32 bytes, or their hex
 */
export function requestDigest(hash: Uint8Array | string): string {
  return (typeof hash === 'string' ? hash : toHex(hash)).slice(0, 2 * DIGEST_BYTES);
}
