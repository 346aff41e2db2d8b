/**
 * Who signed an invoice (BOLT 11, data part and field `n`).
 * @module
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { concat, utf8, type Bytes } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { sha256 } from '../../base/hash/index.ts';
import { wordsToPaddedBytes, type Words } from './words.ts';

/** 64 bytes r and s, then one byte of recovery id, as words of 5 bits. */
export const SIGNATURE_WORDS = 104;

/** An ECDSA signature over secp256k1 from which the public key can be recovered. */
export interface RecoverableSignature {
  /** 64 bytes: r, then s. */
  readonly signature: Uint8Array;
  /** 0 to 3. */
  readonly recovery: number;
}

/** What is signed: SHA-256 of the human-readable part and all words before the signature. */
export function signedHash(humanReadable: string, words: Words): Bytes {
  return sha256(concat(utf8(humanReadable), wordsToPaddedBytes(words)));
}

/**
 * The payee's compressed public key, once the signature is known to be theirs. When the invoice
 * names the payee (`n`), it is verified against that key, and s must be the lower one; otherwise
 * the key is recovered, and either s will do.
 * @throws Fault `INVOICE_SIGNATURE`
 */
export function signingPayee(
  hash: Uint8Array,
  { signature, recovery }: RecoverableSignature,
  named: Uint8Array | undefined,
): Uint8Array {
  if (![0, 1, 2, 3].includes(recovery)) throw new Fault('INVOICE_SIGNATURE');
  if (named === undefined) return recovered(hash, signature, recovery);
  if (!verifies(hash, signature, named)) throw new Fault('INVOICE_SIGNATURE');
  return named;
}

function recovered(hash: Uint8Array, signature: Uint8Array, recovery: number): Uint8Array {
  try {
    return secp256k1.Signature.fromBytes(signature, 'compact')
      .addRecoveryBit(recovery)
      .recoverPublicKey(hash)
      .toBytes(true);
  } catch {
    throw new Fault('INVOICE_SIGNATURE');
  }
}

function verifies(hash: Uint8Array, signature: Uint8Array, key: Uint8Array): boolean {
  try {
    return secp256k1.verify(signature, hash, key, { prehash: false, lowS: true });
  } catch {
    return false;
  }
}
