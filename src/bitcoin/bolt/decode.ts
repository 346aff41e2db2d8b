/**
 * Reads BOLT 11 invoices.
 *
 * What the specification lets a reader choose is decided here like this: a field of fixed length
 * (`p`, `s`, `h`, `n`) with another length is skipped, as its vectors want it; of a field that is
 * repeated the first valid one counts. Where there is one way to write a thing (padding, numbers
 * without leading zeros), no other is taken.
 * @module
 */
import { bech32 } from '@scure/base';
import { fromUtf8, toHex } from '../../base/bytes/index.ts';
import { readHumanReadable } from './amount.ts';
import { checkFeatures, readFeatures } from './features.ts';
import { malformed, type Fallback, type Invoice, type RouteHop } from './invoice.ts';
import {
  MAX_EXPIRY_SECONDS,
  MAX_FINAL_CLTV_BLOCKS,
  MAX_INVOICE_CHARS,
  MAX_TIMESTAMP_SECONDS,
} from './limits.ts';
import { readFallback, readRoute } from './routes.ts';
import { SIGNATURE_WORDS, signedHash, signingPayee } from './signature.ts';
import { TAG, minimal, readFields, wordsToBytes, wordsToNumber, type Words } from './words.ts';

const URI_SCHEME = /^lightning:/i;
const TIMESTAMP_WORDS = 7;
/** 256 bits as words. */
const WORDS_32_BYTES = 52;
/** 264 bits as words. */
const WORDS_33_BYTES = 53;
const DEFAULT_EXPIRY_SECONDS = 3600;
const DEFAULT_FINAL_CLTV_BLOCKS = 18;

/**
 * Decodes an invoice in lower or upper case, with or without `lightning:` in front, and checks its
 * signature. Whether it has expired, and whether its network is the right one, is for the caller.
 * @throws Fault `INVOICE_MALFORMED`, `INVOICE_SIGNATURE`, `INVOICE_FEATURE`
 */
export function decodeInvoice(text: string): Invoice {
  const bare = text.replace(URI_SCHEME, '');
  const { humanReadable, words } = fromBech32(bare);
  const amount = readHumanReadable(humanReadable);
  if (words.length < TIMESTAMP_WORDS + SIGNATURE_WORDS) throw malformed('cut off');
  const signed = words.slice(0, -SIGNATURE_WORDS);
  const fields = readTagged(signed.slice(TIMESTAMP_WORDS));
  const required = requiredFields(fields);
  const signature = wordsToBytes(words.slice(-SIGNATURE_WORDS));
  const payee = signingPayee(
    signedHash(humanReadable, signed),
    { signature: signature.subarray(0, 64), recovery: signature[64] ?? -1 },
    fields.payee,
  );
  checkFeatures(fields.features ?? []);
  return {
    text: bare.toLowerCase(),
    ...amount,
    timestampSeconds: wordsToNumber(words.slice(0, TIMESTAMP_WORDS), MAX_TIMESTAMP_SECONDS),
    expirySeconds: fields.expirySeconds ?? DEFAULT_EXPIRY_SECONDS,
    ...required,
    payee: toHex(payee),
    minFinalCltvExpiryBlocks: fields.minFinalCltvExpiryBlocks ?? DEFAULT_FINAL_CLTV_BLOCKS,
    features: fields.features ?? [],
    routes: fields.routes,
    fallbacks: fields.fallbacks,
    ...(fields.metadata === undefined ? {} : { metadata: fields.metadata }),
  };
}

function fromBech32(text: string): { humanReadable: string; words: Words } {
  if (text.length > MAX_INVOICE_CHARS) throw malformed('too long');
  try {
    const { prefix, words } = bech32.decode(text, false);
    return { humanReadable: prefix, words };
  } catch {
    throw malformed('not bech32');
  }
}

/** The tagged fields that say something to us. */
interface Tagged {
  paymentHash: Uint8Array | undefined;
  paymentSecret: Uint8Array | undefined;
  payee: Uint8Array | undefined;
  description: string | undefined;
  descriptionHash: Uint8Array | undefined;
  metadata: Uint8Array | undefined;
  expirySeconds: number | undefined;
  minFinalCltvExpiryBlocks: number | undefined;
  features: readonly number[] | undefined;
  readonly routes: (readonly RouteHop[])[];
  readonly fallbacks: Fallback[];
}

function readTagged(words: Words): Tagged {
  const found: Tagged = {
    paymentHash: undefined,
    paymentSecret: undefined,
    payee: undefined,
    description: undefined,
    descriptionHash: undefined,
    metadata: undefined,
    expirySeconds: undefined,
    minFinalCltvExpiryBlocks: undefined,
    features: undefined,
    routes: [],
    fallbacks: [],
  };
  for (const field of readFields(words)) readOne(field.tag, field.words, found);
  return found;
}

/** Takes one field in; what is unknown is skipped. Repetitions must be well-formed, too. */
function readOne(tag: number, words: Words, found: Tagged): void {
  switch (tag) {
    case TAG.p:
      found.paymentHash = first(found.paymentHash, fixed(words, WORDS_32_BYTES));
      break;
    case TAG.s:
      found.paymentSecret = first(found.paymentSecret, fixed(words, WORDS_32_BYTES));
      break;
    case TAG.h:
      found.descriptionHash = first(found.descriptionHash, fixed(words, WORDS_32_BYTES));
      break;
    case TAG.n:
      found.payee = first(found.payee, fixed(words, WORDS_33_BYTES));
      break;
    case TAG.d:
      found.description = first(found.description, readDescription(words));
      break;
    case TAG.m:
      found.metadata = first(found.metadata, wordsToBytes(words));
      break;
    case TAG.x:
      found.expirySeconds = first(
        found.expirySeconds,
        wordsToNumber(minimal(words), MAX_EXPIRY_SECONDS),
      );
      break;
    case TAG.c:
      found.minFinalCltvExpiryBlocks = first(
        found.minFinalCltvExpiryBlocks,
        wordsToNumber(minimal(words), MAX_FINAL_CLTV_BLOCKS),
      );
      break;
    case TAG['9']:
      found.features = first(found.features, readFeatures(minimal(words)));
      break;
    case TAG.r:
      found.routes.push(readRoute(words));
      break;
    case TAG.f: {
      const fallback = readFallback(words);
      if (fallback !== undefined) found.fallbacks.push(fallback);
      break;
    }
    default:
  }
}

/** What was found before, else what is found now. */
function first<T>(before: T | undefined, now: T | undefined): T | undefined {
  return before ?? now;
}

/** The bytes of a field of fixed length; undefined, so that it is skipped, when it has another. */
function fixed(words: Words, length: number): Uint8Array | undefined {
  return words.length === length ? wordsToBytes(words) : undefined;
}

function readDescription(words: Words): string {
  try {
    return fromUtf8(wordsToBytes(words), 'description');
  } catch {
    throw malformed('description');
  }
}

/** Payment hash, payment secret, and a description or its hash: no invoice goes without. */
function requiredFields(
  fields: Tagged,
): Pick<Invoice, 'paymentHash' | 'paymentSecret' | 'description' | 'descriptionHash'> {
  const { paymentHash, paymentSecret, description, descriptionHash } = fields;
  if (paymentHash === undefined) throw malformed('no payment hash');
  if (paymentSecret === undefined) throw malformed('no payment secret');
  const hashes = { paymentHash: toHex(paymentHash), paymentSecret: toHex(paymentSecret) };
  if (description !== undefined && descriptionHash === undefined) return { ...hashes, description };
  if (description === undefined && descriptionHash !== undefined) {
    return { ...hashes, descriptionHash: toHex(descriptionHash) };
  }
  throw malformed(description === undefined ? 'no description' : 'two descriptions');
}
