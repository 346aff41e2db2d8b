/**
 * The credential of a call over a lane: `t1.` and 76 bytes in base64url. Every paid call carries
 * one, so it is read with Node's own decoder, and into one object.
 *
 *      0  lane     16
 *     16  n         4   big-endian, as the two that follow
 *     20  done      4
 *     24  index     4   of the tick
 *     28  code     16
 *     44  secret   32   the tick, x(index)
 * @module
 */
import { Fault } from '../../base/fault/index.ts';

const PREFIX = 't1.';
const TICK_BYTES = 76;
/** Of these bytes the one text: the last character has four bits that say nothing. */
const TEXT = /^t1\.[\w-]{101}[AQgw]$/;

/** The credential of one call. */
export interface TickCredential {
  /** 16 bytes. */
  readonly lane: Uint8Array;
  readonly n: number;
  readonly done: number;
  readonly index: number;
  /** 16 bytes, hex. */
  readonly code: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** Whether a credential is meant to be one of these. */
export function isTick(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** Reads a credential. @throws Fault `CODE_MALFORMED` */
export function parseTick(text: string): TickCredential {
  // The decoder is lenient.
  if (!TEXT.test(text)) throw new Fault('CODE_MALFORMED');
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
  return {
    lane: bytes.subarray(0, 16),
    n: bytes.readUInt32BE(16),
    done: bytes.readUInt32BE(20),
    index: bytes.readUInt32BE(24),
    code: bytes.toString('hex', 28, 44),
    secret: bytes.subarray(44),
  };
}

/** The text of a credential. */
export function printTick(credential: TickCredential): string {
  const bytes = Buffer.allocUnsafe(TICK_BYTES);
  bytes.set(credential.lane, 0);
  bytes.writeUInt32BE(credential.n, 16);
  bytes.writeUInt32BE(credential.done, 20);
  bytes.writeUInt32BE(credential.index, 24);
  bytes.write(credential.code, 28, 16, 'hex');
  bytes.set(credential.secret, 44);
  return PREFIX + bytes.toString('base64url');
}
