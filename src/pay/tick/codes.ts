/**
 * The authenticator of one HTTP call over a lane: 16 bytes that bind it to host, lane, number and
 * request. A WebSocket proves the lane's key once instead.
 * @module
 */
import { concat, fromHex, lengthPrefixed, u64, utf8 } from '../../base/bytes/index.ts';
import { hmacSha256 } from '../../base/hash/index.ts';

/** What an authenticator is made over, besides the lane's key. */
export interface TickFields {
  /** SHA-256 of the host's public key: 32 bytes, hex. */
  readonly host: string;
  /** 16 bytes, hex. */
  readonly lane: string;
  /** The number of the call in its lane. */
  readonly n: bigint;
  /** The payer's lowest number that is not resolved yet. */
  readonly done: bigint;
  /** The index of the tick that comes along. */
  readonly index: number;
  /** SHA-256 of the request: 32 bytes. */
  readonly requestHash: Uint8Array;
}

const CALL_TAG = utf8('tollcall/tick/call/1');
const SOCKET_TAG = utf8('tollcall/tick/socket/1');
const MAC_BYTES = 16;

/** The authenticator of a call: HMAC-SHA256, cut to 16 bytes. */
export function tickCode(laneKey: Uint8Array, fields: TickFields): Uint8Array {
  const { host, lane, n, done, index, requestHash } = fields;
  const numbers = concat(u64(n), u64(done), u64(BigInt(index)));
  const bound = lengthPrefixed(fromHex(host, 'host'), fromHex(lane, 'lane'), numbers, requestHash);
  return hmacSha256(laneKey, CALL_TAG, bound).subarray(0, MAC_BYTES);
}

/** The proof with which a WebSocket takes a lane: over the host's nonce and the lane's epoch. */
export function socketProof(
  laneKey: Uint8Array,
  fields: { host: string; lane: string; nonce: Uint8Array; epoch: bigint },
): Uint8Array {
  const { host, lane, nonce, epoch } = fields;
  const bound = lengthPrefixed(fromHex(host, 'host'), fromHex(lane, 'lane'), nonce, u64(epoch));
  return hmacSha256(laneKey, SOCKET_TAG, bound);
}
