/**
 * One-time authorization codes: each call of a bundle carries one. A code binds the host, the
 * session, the number of the call and the request itself, so it is worth nothing elsewhere.
 *
 * Codes are symmetric: they prove nothing to third parties. Receipts do.
 * @module
 */
import { fromHex, lengthPrefixed, toHex, u64, utf8 } from '../../base/bytes/index.ts';
import { hmacSha256, sha256 } from '../../base/hash/index.ts';
import { canonicalJson, type Json } from '../../base/json/index.ts';

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
const DIGEST_BYTES = 16;

/** The code of a call, 32 bytes. */
export function callCode(key: Uint8Array, fields: CodeFields): Uint8Array {
  const { host, session, n, done, salt, requestHash } = fields;
  const bound = [fromHex(host, 'host'), fromHex(session, 'session'), u64(n), u64(done)];
  return hmacSha256(key, CALL_TAG, lengthPrefixed(...bound, salt, requestHash));
}

/** The code of a question, 32 bytes. */
export function askCode(
  key: Uint8Array,
  fields: Pick<CodeFields, 'host' | 'session' | 'salt'> & { readonly question: Question },
): Uint8Array {
  const bound = [fromHex(fields.host, 'host'), fromHex(fields.session, 'session'), fields.salt];
  return hmacSha256(key, ASK_TAG, lengthPrefixed(...bound, utf8(fields.question)));
}

/** SHA-256 of the canonical form of what is asked: the service and the parsed input. */
export function requestHash(service: string, input: Json): Uint8Array {
  return sha256(canonicalJson({ service, input }));
}

/** The part of a request's hash that a host keeps to recognise a repeat: 16 bytes, hex. */
export function requestDigest(hash: Uint8Array): string {
  return toHex(hash.subarray(0, DIGEST_BYTES));
}
