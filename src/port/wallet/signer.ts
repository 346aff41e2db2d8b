/**
 * Signs invoices with a node key that this process holds.
 * @module
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import type { InvoiceSigner } from '../../bitcoin/bolt/index.ts';

/** Signs with this key (32 bytes). */
export function invoiceSigner(key: Uint8Array): InvoiceSigner {
  return (hash) => {
    const bytes = secp256k1.sign(hash, key, { prehash: false, format: 'recovered' });
    return { recovery: bytes[0] ?? 0, signature: bytes.subarray(1) };
  };
}
