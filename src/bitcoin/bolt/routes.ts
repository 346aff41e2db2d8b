/**
 * Ways to the payee other than the public graph: private routes (field `r`) and fallback addresses
 * on chain (field `f`).
 * @module
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { bytesOf, concat, fromHex, toHex, u32, u64 } from '../../base/bytes/index.ts';
import { malformed, type Fallback, type RouteHop } from './invoice.ts';
import { bytesToWords, wordsToBytes, type Words } from './words.ts';

/** Public key 33, short channel id 8, base fee 4, proportional fee 4, delta 2. */
const HOP_BYTES = 51;
const P2PKH = 17;
const P2SH = 18;
const HASH160_BYTES = 20;

/** The hops of one `r` field, from a public node to the payee. @throws Fault `INVOICE_MALFORMED` */
export function readRoute(words: Words): readonly RouteHop[] {
  const bytes = wordsToBytes(words);
  if (bytes.length === 0 || bytes.length % HOP_BYTES !== 0) throw malformed('route');
  return Array.from({ length: bytes.length / HOP_BYTES }, (_, i) =>
    readHop(bytes.subarray(i * HOP_BYTES, (i + 1) * HOP_BYTES)),
  );
}

/** One route as the words of an `r` field. @throws Fault `INVOICE_MALFORMED` */
export function writeRoute(route: readonly RouteHop[]): Words {
  if (route.length === 0) throw malformed('route');
  return bytesToWords(concat(...route.map(writeHop)));
}

/**
 * The address of one `f` field; undefined, so that it is skipped, when its version is unknown.
 * @throws Fault `INVOICE_MALFORMED` when the version is known and the rest does not fit it
 */
export function readFallback(words: Words): Fallback | undefined {
  const [version = -1, ...rest] = words;
  if (version > P2SH) return undefined;
  const program = wordsToBytes(rest);
  if (!isProgramLength(version, program.length)) throw malformed('fallback address');
  return { version, program };
}

/** One address as the words of an `f` field. @throws Fault `INVOICE_MALFORMED` */
export function writeFallback({ version, program }: Fallback): Words {
  if (!isProgramLength(version, program.length)) throw malformed('fallback address');
  return [version, ...bytesToWords(program)];
}

function readHop(bytes: Uint8Array): RouteHop {
  const nodeId = bytes.subarray(0, 33);
  if (!secp256k1.utils.isValidPublicKey(nodeId, true)) throw malformed('route');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    nodeId: toHex(nodeId),
    shortChannelId: view.getBigUint64(33),
    feeBaseMsat: view.getUint32(41),
    feeProportionalMillionths: view.getUint32(45),
    cltvExpiryDeltaBlocks: view.getUint16(49),
  };
}

function writeHop(hop: RouteHop): Uint8Array {
  return concat(
    bytesOf(fromHex(hop.nodeId, 'node id'), 33, 'node id'),
    u64(hop.shortChannelId),
    u32(upTo(2 ** 32 - 1, hop.feeBaseMsat)),
    u32(upTo(2 ** 32 - 1, hop.feeProportionalMillionths)),
    u32(upTo(2 ** 16 - 1, hop.cltvExpiryDeltaBlocks)).subarray(2),
  );
}

function upTo(max: number, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw malformed('route');
  return value;
}

/** Lengths of witness programs by version (BIP 141); 17 and 18 are those of BOLT 11. */
function isProgramLength(version: number, length: number): boolean {
  if (version === P2PKH || version === P2SH) return length === HASH160_BYTES;
  if (version === 0) return length === HASH160_BYTES || length === 32;
  return Number.isInteger(version) && version > 0 && version <= 16 && length >= 2 && length <= 40;
}
