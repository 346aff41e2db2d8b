/**
 * Writes BOLT 11 invoices.
 * @module
 */
import { bech32 } from '@scure/base';
import { bytes32, bytesOf, concat, fromHex, utf8 } from '../../base/bytes/index.ts';
import { writeHumanReadable } from './amount.ts';
import { writeFeatures } from './features.ts';
import { malformed, type InvoiceDraft } from './invoice.ts';
import {
  MAX_EXPIRY_SECONDS,
  MAX_FINAL_CLTV_BLOCKS,
  MAX_INVOICE_CHARS,
  MAX_TIMESTAMP_SECONDS,
} from './limits.ts';
import { writeFallback, writeRoute } from './routes.ts';
import { signedHash, signingPayee, type RecoverableSignature } from './signature.ts';
import {
  TAG,
  bytesToWords,
  numberToWords,
  writeBytesField,
  writeField,
  type Words,
} from './words.ts';

/** Signs a hash of 32 bytes with the payee's node key, s being the lower one. */
export type InvoiceSigner = (hash: Uint8Array) => RecoverableSignature;

/**
 * The text of an invoice, in lower case. The amount takes the shortest form; the fields stand in
 * the order `s p d|h m x c n f r 9`, as in most of the specification's examples.
 * @throws Fault `INVOICE_MALFORMED` when the draft cannot be said in an invoice, `BYTES_MALFORMED`
 * or `BYTES_LENGTH` for its hex, `INVOICE_SIGNATURE` when the signature is not that of its payee
 */
export function encodeInvoice(draft: InvoiceDraft, sign: InvoiceSigner): string {
  const payee = draft.payee === undefined ? undefined : publicKey(draft.payee);
  const humanReadable = writeHumanReadable(draft.network, draft.amountMsat);
  const signed = [
    ...timestampWords(draft.timestampSeconds),
    ...requiredWords(draft),
    ...optionalWords(draft, payee),
  ];
  const hash = signedHash(humanReadable, signed);
  const signature = sign(hash);
  signingPayee(hash, signature, payee);
  const bytes = concat(signature.signature, Uint8Array.of(signature.recovery));
  const text = bech32.encode(humanReadable, [...signed, ...bytesToWords(bytes)], false);
  if (text.length > MAX_INVOICE_CHARS) throw malformed('too long');
  return text;
}

function timestampWords(timestampSeconds: number): Words {
  const words = numberToWords(timestampSeconds, MAX_TIMESTAMP_SECONDS, 'timestamp');
  return [...Array.from({ length: 7 - words.length }, () => 0), ...words];
}

function requiredWords(draft: InvoiceDraft): Words {
  const { description, descriptionHash } = draft;
  if ((description === undefined) === (descriptionHash === undefined)) {
    throw malformed('one of description and description hash');
  }
  if (description?.isWellFormed() === false) throw malformed('description');
  return [
    ...hashField(TAG.s, draft.paymentSecret, 'payment secret'),
    ...hashField(TAG.p, draft.paymentHash, 'payment hash'),
    ...(description === undefined ? [] : writeBytesField(TAG.d, utf8(description))),
    ...(descriptionHash === undefined ? [] : hashField(TAG.h, descriptionHash, 'description hash')),
  ];
}

function optionalWords(draft: InvoiceDraft, payee: Uint8Array | undefined): Words {
  const { expirySeconds, minFinalCltvExpiryBlocks, metadata } = draft;
  const features = writeFeatures(draft.features ?? []);
  return [
    ...(metadata === undefined ? [] : writeBytesField(TAG.m, metadata)),
    ...numberField(TAG.x, expirySeconds, MAX_EXPIRY_SECONDS, 'expiry'),
    ...numberField(TAG.c, minFinalCltvExpiryBlocks, MAX_FINAL_CLTV_BLOCKS, 'final delta'),
    ...(payee === undefined ? [] : writeBytesField(TAG.n, payee)),
    ...(draft.fallbacks ?? []).flatMap((fallback) => writeField(TAG.f, writeFallback(fallback))),
    ...(draft.routes ?? []).flatMap((route) => writeField(TAG.r, writeRoute(route))),
    // BOLT 11: no field at all when no bit is set.
    ...(features.length === 0 ? [] : writeField(TAG['9'], features)),
  ];
}

function hashField(tag: number, hex: string, name: string): Words {
  return writeBytesField(tag, bytes32(fromHex(hex, name), name));
}

function numberField(tag: number, value: number | undefined, max: number, name: string): Words {
  return value === undefined ? [] : writeField(tag, numberToWords(value, max, name));
}

function publicKey(hex: string): Uint8Array {
  return bytesOf(fromHex(hex, 'payee'), 33, 'payee');
}
