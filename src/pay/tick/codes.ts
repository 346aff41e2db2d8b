/**
 * Who may spend: the key of a lane, and the authenticators made with it.
 *
 * The key binds host and lane, so an authenticator is made over the numbers and the request only:
 * two hashes of two blocks each. A WebSocket proves a key of its own once instead.
 * @module
 */
import { concat, fromHex, lengthPrefixed, u64, utf8, writeHex } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { MacFrame, hmacSha256 } from '../../base/hash/index.ts';

const CALL_TAG = utf8('tollcall/tick/call/1');
const SOCKET_TAG = utf8('tollcall/tick/socket/1');
const HASH_BYTES = 32;
const TICK_CODE_BYTES = 16;

/** Which lane of which host. */
export interface LaneName {
  /** SHA-256 of the host's public key: 32 bytes, hex. */
  readonly host: string;
  /** 16 bytes, hex. */
  readonly lane: string;
}

/** What an authenticator is made over. */
export interface TickNumbers {
  /** The number of the call in its lane. */
  readonly n: number;
  /** The payer's lowest number that is not resolved yet. */
  readonly done: number;
  /** The index of the tick that comes along. */
  readonly index: number;
}

/**
 * The key of a lane's calls: 32 bytes.
 * @param sessionKey the key that payer and host share since the set-up
 */
export function laneKey(sessionKey: Uint8Array, name: LaneName): Uint8Array {
  return hmacSha256(sessionKey, CALL_TAG, nameBytes(name));
}

/** Makes the authenticators of one lane: HMAC-SHA256 over n, done, index and H, cut to 16 bytes. */
export class LaneCodes {
  readonly #frame: MacFrame;
  readonly #view: DataView;

  constructor(key: Uint8Array) {
    this.#frame = new MacFrame(key, new Uint8Array(3 * 4 + HASH_BYTES));
    const { buffer, byteOffset, byteLength } = this.#frame.message;
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  /**
   * The authenticator of a call: 16 bytes, hex.
   * @param requestHash SHA-256 of the request: 32 bytes, hex
   * @throws Fault `BYTES_LENGTH` for another hash
   */
  code({ n, done, index }: TickNumbers, requestHash: string): string {
    this.#view.setUint32(0, n);
    this.#view.setUint32(4, done);
    this.#view.setUint32(8, index);
    const whole = requestHash.length === 2 * HASH_BYTES;
    if (!whole || !writeHex(this.#frame.message, 12, requestHash)) {
      throw new Fault('BYTES_LENGTH', { name: 'requestHash' });
    }
    return this.#frame.macHex().slice(0, 2 * TICK_CODE_BYTES);
  }
}

/** The proof with which a WebSocket takes a lane: over the host's nonce and the lane's epoch. */
export function socketProof(
  sessionKey: Uint8Array,
  fields: LaneName & { readonly nonce: Uint8Array; readonly epoch: bigint },
): Uint8Array {
  const bound = lengthPrefixed(fields.nonce, u64(fields.epoch));
  return hmacSha256(sessionKey, SOCKET_TAG, concat(nameBytes(fields), bound));
}

function nameBytes({ host, lane }: LaneName): Uint8Array {
  return lengthPrefixed(fromHex(host, 'host'), fromHex(lane, 'lane'));
}
