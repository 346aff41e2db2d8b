/**
 * The set-up exchange of a bundle, without its I/O: what is encrypted, what is signed, which keys
 * follow from it.
 *
 * The payer wraps a secret for the host's RSA key, the host wraps one for the payer's RSA key, both
 * add an ephemeral X25519 key. All four enter the session's keys, so a later theft of an RSA key
 * opens nothing that was recorded. The host signs the hash of both messages.
 * @module
 */
import { x25519 } from '@noble/curves/ed25519.js';
import {
  concat,
  fromBase64url,
  lengthPrefixed,
  toBase64url,
  toHex,
  utf8,
} from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { hkdf32, sha256 } from '../../base/hash/index.ts';
import { MAX_ORDER_LINES } from './limits.ts';
import { canonicalJson, jsonObject, type Json, type JsonObject } from '../../base/json/index.ts';

/** The name of this protocol, in every message. */
export const BUNDLE_PROTOCOL = 'tollcall-bundle-1';

/** The first message, payer to host. Binary members are base64url without padding. */
export interface SetupRequest extends JsonObject {
  readonly protocol: typeof BUNDLE_PROTOCOL;
  /** SHA-256 of the host's public key (SPKI, DER), hex. */
  readonly host: string;
  /** The payer's RSA public key, SPKI in DER. */
  readonly payer: string;
  /** The payer's ephemeral X25519 key, 32 bytes. */
  readonly ephemeral: string;
  /** The payer's 32-byte secret under RSA-OAEP (SHA-256) for the host. */
  readonly wrapped: string;
  /** `SetupOrder` as JSON, encrypted with the key made of that secret. */
  readonly encrypted: string;
}

/** Calls of one service in an order. */
export interface OrderLine extends JsonObject {
  readonly service: string;
  readonly calls: number;
}

/** What the first message asks for: `service` and `calls`, or `lines` of several services. */
export interface SetupOrder {
  readonly lines: readonly OrderLine[];
  /** The payer's share of the code key: 32 random bytes. */
  readonly grant: string;
}

/** The members of an order that say what is bought. */
export function printOrderLines(lines: readonly OrderLine[]): JsonObject {
  const [first] = lines;
  const plain = lines.map(({ service, calls }) => ({ service, calls }));
  return first !== undefined && lines.length === 1 ? { ...plain[0] } : { lines: plain };
}

/** Reads them. @throws Fault `SETUP_MALFORMED` also for a service that occurs twice */
export function parseOrderLines({ lines, service, calls }: JsonObject): readonly OrderLine[] {
  const single = lines === undefined;
  const list: readonly Json[] = single
    ? [{ service, calls } as Json]
    : Array.isArray(lines)
      ? lines
      : [];
  const parsed = list.map(orderLine);
  const names = new Set(parsed.map((line) => line.service));
  const shape = single || (service === undefined && calls === undefined && parsed.length > 1);
  if (!shape || parsed.length > MAX_ORDER_LINES || names.size !== parsed.length) {
    throw new Fault('SETUP_MALFORMED', { name: 'lines' });
  }
  return parsed;
}

function orderLine(value: Json): OrderLine {
  const { service, calls } = objectOf(value);
  if (typeof service !== 'string' || typeof calls !== 'number') {
    throw new Fault('SETUP_MALFORMED', { name: 'encrypted' });
  }
  return { service, calls };
}

/** The second message, host to payer. */
export interface SetupReply extends JsonObject {
  readonly protocol: typeof BUNDLE_PROTOCOL;
  /** SHA-256 of the canonical form of the first message, hex. */
  readonly setup: string;
  readonly ephemeral: string;
  /** The host's 32-byte secret under RSA-OAEP (SHA-256) for the payer. */
  readonly wrapped: string;
  /** `SetupQuote` as JSON, encrypted. */
  readonly encrypted: string;
  /** RSA-SHA256 of the host over `replyStatement`. */
  readonly signature: string;
}

/** What calls of one of several services cost. */
export interface QuoteLine extends OrderLine {
  readonly total_msat: string;
}

/** What the host offers in return. Amounts are decimal texts in millisatoshis. */
export interface SetupQuote {
  readonly session: string;
  /** As in the order; absent when that has `lines`. */
  readonly service?: string;
  readonly calls?: number;
  readonly lines?: readonly QuoteLine[];
  /** What one unit costs, when lanes were ordered. */
  readonly unit_msat?: string;
  /** Of all lines. */
  readonly total_msat: string;
  /** BOLT 11. */
  readonly invoice: string;
  readonly pay_by_ms: number;
  readonly expires_at_ms: number;
  /** The host's Ed25519 receipt key, 32 bytes. */
  readonly receipt_key: string;
  /** RSA-SHA256 of the host over that key. */
  readonly receipt_certificate: string;
}

/** The secrets that both sides share once the second message is made. */
export interface SetupSecrets {
  readonly payerSecret: Uint8Array;
  readonly hostSecret: Uint8Array;
  readonly shared: Uint8Array;
  readonly grant: Uint8Array;
}

const REQUEST_TAG = utf8('tollcall/bundle/setup/1');
const REPLY_TAG = utf8('tollcall/bundle/reply/1');
const CODE_TAG = utf8('tollcall/bundle/code-key/1');
const SIGN_TAG = utf8('tollcall/bundle/reply-signature/1');
const RECEIPT_KEY_TAG = utf8('tollcall/receipt-key/1');
const NO_SALT = new Uint8Array(0);

/** The key that encrypts the order, and what it is bound to. */
export function orderBox(
  payerSecret: Uint8Array,
  request: Pick<SetupRequest, 'protocol' | 'host' | 'payer' | 'ephemeral' | 'wrapped'>,
): { key: Uint8Array; associated: Uint8Array } {
  const { protocol, host, payer, ephemeral, wrapped } = request;
  const bound = [protocol, host, payer, ephemeral, wrapped].map((text) => utf8(text));
  return {
    key: hkdf32(payerSecret, NO_SALT, REQUEST_TAG),
    associated: lengthPrefixed(REQUEST_TAG, ...bound),
  };
}

/** The key that encrypts the quote, and what it is bound to. */
export function quoteBox(
  secrets: SetupSecrets,
  reply: Pick<SetupReply, 'setup' | 'ephemeral' | 'wrapped'>,
): { key: Uint8Array; associated: Uint8Array } {
  const bound = [reply.setup, reply.ephemeral, reply.wrapped].map((text) => utf8(text));
  const associated = lengthPrefixed(REPLY_TAG, ...bound);
  return { key: hkdf32(joined(secrets), sha256(associated), REPLY_TAG), associated };
}

/** The key of the session's one-time codes. */
export function codeKey(
  secrets: SetupSecrets,
  reply: Pick<SetupReply, 'setup' | 'ephemeral' | 'wrapped'>,
): Uint8Array {
  return hkdf32(joined(secrets), sha256(quoteBox(secrets, reply).associated), CODE_TAG);
}

/** SHA-256 of the canonical form of a message. */
export function messageHash(message: Json): Uint8Array {
  return sha256(canonicalJson(message));
}

/** What the host signs: both messages, by their hashes. */
export function replyStatement(
  setup: Uint8Array,
  reply: Pick<SetupReply, 'ephemeral' | 'wrapped' | 'encrypted'>,
): Uint8Array {
  const unsigned: JsonObject = {
    protocol: BUNDLE_PROTOCOL,
    setup: toHex(setup),
    ephemeral: reply.ephemeral,
    wrapped: reply.wrapped,
    encrypted: reply.encrypted,
  };
  return lengthPrefixed(SIGN_TAG, setup, messageHash(unsigned));
}

/** What the host's RSA key signs to certify a receipt key. */
export function receiptKeyStatement(receiptKey: Uint8Array): Uint8Array {
  return lengthPrefixed(RECEIPT_KEY_TAG, receiptKey);
}

/** The X25519 public key of a 32-byte private one. */
export function ephemeralPublic(privateKey: Uint8Array): Uint8Array {
  return x25519.getPublicKey(privateKey);
}

/** The X25519 shared secret. @throws Fault `SETUP_MALFORMED` for a key of low order */
export function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  try {
    return x25519.getSharedSecret(privateKey, publicKey);
  } catch {
    throw new Fault('SETUP_MALFORMED', { name: 'ephemeral' });
  }
}

/** Reads a first message. @throws Fault `SETUP_MALFORMED` */
export function parseSetupRequest(value: Json | undefined): SetupRequest {
  return parseMembers(value, ['protocol', 'host', 'payer', 'ephemeral', 'wrapped', 'encrypted']);
}

/** Reads a second message. @throws Fault `SETUP_MALFORMED` */
export function parseSetupReply(value: Json | undefined): SetupReply {
  const members = ['protocol', 'setup', 'ephemeral', 'wrapped', 'encrypted', 'signature'];
  return parseMembers(value, members);
}

/** A binary member of a message. @throws Fault `SETUP_MALFORMED` */
export function binaryMember(text: unknown, name: string, length?: number): Uint8Array {
  try {
    const bytes = fromBase64url(text, name);
    if (length === undefined || bytes.length === length) return bytes;
  } catch {
    // Reported below, with the name of the member.
  }
  throw new Fault('SETUP_MALFORMED', { name });
}

/** Bytes as a member of a message. */
export const member = toBase64url;

/** All members, all texts, nothing else: two forms of one message would have two hashes. */
function parseMembers<T extends JsonObject>(
  value: Json | undefined,
  members: readonly string[],
): T {
  const object = objectOf(value);
  const known = Object.keys(object).length === members.length;
  if (!known || members.some((name) => typeof object[name] !== 'string')) {
    throw new Fault('SETUP_MALFORMED');
  }
  if (object['protocol'] !== BUNDLE_PROTOCOL)
    throw new Fault('SETUP_MALFORMED', { name: 'protocol' });
  return object as T;
}

function objectOf(value: Json | undefined): JsonObject {
  try {
    return jsonObject(value);
  } catch {
    throw new Fault('SETUP_MALFORMED');
  }
}

function joined(secrets: SetupSecrets): Uint8Array {
  return concat(secrets.payerSecret, secrets.hostSecret, secrets.shared, secrets.grant);
}
