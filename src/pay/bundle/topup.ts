/**
 * Top-ups: more calls for a session. The session's key asks for one, and vouches for the quote.
 * @module
 */
import { fromHex, lengthPrefixed, sameSecret, toBase64url, utf8 } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { hmacSha256 } from '../../base/hash/index.ts';
import { canonicalJson, type Json, type JsonObject } from '../../base/json/index.ts';
import type { CodeFields } from './codes.ts';

const ASK_TAG = utf8('tollcall/bundle/topup/1');
const QUOTE_TAG = utf8('tollcall/bundle/topup-quote/1');

/** What is asked for. */
export interface TopUpOrder {
  /** Made by the payer: 16 bytes, hex. */
  readonly id: string;
  readonly service: string;
  readonly calls: number;
}

/** What a host offers; amounts are decimal texts in millisatoshis. */
export interface TopUpQuote {
  readonly id: string;
  readonly session: string;
  readonly service: string;
  readonly calls: number;
  readonly total_msat: string;
  /** BOLT 11. */
  readonly invoice: string;
  readonly pay_by_ms: number;
  /** The session ends then or later, once it is paid. */
  readonly expires_at_ms: number;
  /** In a repeat: it is paid, and the session has its calls. */
  readonly paid?: true;
}

/** The code of the question for a top-up, 32 bytes. */
export function topUpCode(
  key: Uint8Array,
  fields: Pick<CodeFields, 'host' | 'session' | 'salt'> & TopUpOrder,
): Uint8Array {
  const { host, session, salt, id, service, calls } = fields;
  const bound = [fromHex(host, 'host'), fromHex(session, 'session'), salt];
  const what = [utf8(id), utf8(service), utf8(`${calls}`)];
  return hmacSha256(key, ASK_TAG, lengthPrefixed(...bound, ...what));
}

/** The quote with the code that vouches for it, as it is sent. */
export function printTopUpQuote(key: Uint8Array, quote: TopUpQuote | JsonObject): JsonObject {
  const members: JsonObject = { ...quote };
  return { ...members, code: toBase64url(quoteCode(key, members)) };
}

/** The quote, once its code is checked. @throws Fault `HOST_SIGNATURE` */
export function openTopUpQuote(key: Uint8Array, value: JsonObject): JsonObject {
  const { code, ...quote } = value as Record<string, Json>;
  const expected = toBase64url(quoteCode(key, quote));
  if (typeof code !== 'string' || !sameSecret(utf8(expected), utf8(code))) {
    throw new Fault('HOST_SIGNATURE', { where: 'top-up quote' });
  }
  return quote;
}

function quoteCode(key: Uint8Array, quote: JsonObject): Uint8Array {
  return hmacSha256(key, QUOTE_TAG, canonicalJson(quote));
}
