/**
 * The payer's side of the set-up exchange: the order that goes out, the checks on the quote.
 * @module
 */
import { fromHex, toHex, utf8 } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { openOnce, sealOnce } from '../base/hash/index.ts';
import { jsonObject, parseJson, textMember, type Json } from '../base/json/index.ts';
import { parseMsat, type Msat } from '../base/money/index.ts';
import type { Random } from '../base/random/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import { decodeInvoice, type Network } from '../bitcoin/bolt/index.ts';
import {
  BUNDLE_PROTOCOL,
  binaryMember,
  codeKey,
  ephemeralPublic,
  member,
  messageHash,
  quoteBox,
  orderBox,
  parseSetupReply,
  receiptKeyStatement,
  replyStatement,
  sharedSecret,
  type SetupReply,
  type SetupSecrets,
} from '../pay/bundle/index.ts';
import type { PayerKeyring, PayerKeys, PeerKey } from '../port/keys/index.ts';
import { INVOICE_MARGIN_MS, MIN_SESSION_LIFE_MS } from './limits.ts';
import type { SessionRecord, SetupRecord } from './record.ts';

/** What is ordered. */
export interface Order {
  readonly service: string;
  readonly calls: number;
  readonly maxTotalMsat: Msat;
}

/** Makes a set-up message, with all that is needed to send it again and to open its reply. */
export function makeSetup(
  order: Order,
  host: PeerKey,
  keys: PayerKeys,
  random: Random,
): SetupRecord {
  const payerSecret = random.bytes(32);
  const ephemeral = random.bytes(32);
  const grant = random.bytes(32);
  const head = {
    protocol: BUNDLE_PROTOCOL,
    host: host.fingerprint,
    payer: member(keys.publicDer),
    ephemeral: member(ephemeralPublic(ephemeral)),
    wrapped: member(host.wrap(payerSecret)),
  } as const;
  const { service, calls, maxTotalMsat } = order;
  const box = orderBox(payerSecret, head);
  const plain = utf8(JSON.stringify({ service, calls, grant: member(grant) }));
  const sealed = member(sealOnce(box.key, plain, box.associated));
  const request = { ...head, sealed };
  const { privatePem } = keys;
  return {
    stage: 'setup',
    request,
    privatePem,
    payerSecret,
    ephemeral,
    grant,
    calls,
    maxTotalMsat,
  };
}

/** What a quote is checked against, and the keys that open it. */
export interface QuoteCheck {
  readonly host: PeerKey;
  readonly service: string;
  readonly network: Network;
  readonly nowMs: UnixMs;
  readonly keyring: PayerKeyring;
}

/** A quote that passed every check. */
export interface Quote {
  readonly session: string;
  readonly paymentHash: string;
  readonly totalMsat: Msat;
  readonly record: SessionRecord;
}

/**
 * Opens the reply to a set-up message and checks it against what was ordered.
 * @throws Fault `HOST_SIGNATURE`, `HOST_TERMS`, `HOST_FOREIGN`, `PAYMENT_PRICE`, `INVOICE_*`
 */
export async function openReply(value: Json, sent: SetupRecord, check: QuoteCheck): Promise<Quote> {
  const reply = readReply(value);
  const setup = messageHash(sent.request);
  const signature = binaryMember(reply.signature, 'signature');
  if (!check.host.verify(replyStatement(setup, reply), signature))
    throw new Fault('HOST_SIGNATURE');
  if (reply.setup !== toHex(setup)) throw new Fault('HOST_FOREIGN', { where: 'setup' });
  const secrets: SetupSecrets = {
    payerSecret: sent.payerSecret,
    hostSecret: await check.keyring
      .read(sent.privatePem)
      .unwrap(binaryMember(reply.wrapped, 'wrapped')),
    shared: sharedSecret(sent.ephemeral, binaryMember(reply.ephemeral, 'ephemeral', 32)),
    grant: sent.grant,
  };
  const quote = readQuote(reply, secrets);
  const receiptKey = binaryMember(quote['receipt_key'], 'receipt_key', 32);
  const certificate = binaryMember(quote['receipt_certificate'], 'receipt_certificate');
  if (!check.host.verify(receiptKeyStatement(receiptKey), certificate))
    throw new Fault('HOST_SIGNATURE');
  return checkTerms(quote, sent, check, codeKey(secrets, reply));
}

function checkTerms(
  quote: Record<string, Json>,
  sent: SetupRecord,
  check: QuoteCheck,
  key: Uint8Array,
): Quote {
  const session = textMember(quote, 'session');
  if (fromHex(session, 'session').length !== 16)
    throw new Fault('HOST_FOREIGN', { where: 'session' });
  if (quote['service'] !== check.service || quote['calls'] !== sent.calls) {
    throw new Fault('HOST_TERMS', { where: 'order' });
  }
  const totalMsat = parseMsat(quote['total_msat']);
  if (totalMsat > sent.maxTotalMsat) {
    throw new Fault('PAYMENT_PRICE', { asked: `${totalMsat}`, limit: `${sent.maxTotalMsat}` });
  }
  const text = textMember(quote, 'invoice');
  const invoice = decodeInvoice(text);
  if (invoice.network !== check.network)
    throw new Fault('INVOICE_NETWORK', { network: invoice.network });
  if (invoice.amountMsat !== totalMsat) throw new Fault('HOST_TERMS', { where: 'invoice amount' });
  const payByMs = (invoice.timestampSeconds + invoice.expirySeconds) * 1000;
  if (payByMs < check.nowMs + INVOICE_MARGIN_MS) throw new Fault('INVOICE_EXPIRED');
  const expiresAtMs = Number(quote['expires_at_ms']);
  if (!(expiresAtMs > check.nowMs + MIN_SESSION_LIFE_MS))
    throw new Fault('HOST_TERMS', { where: 'expiry' });
  const { calls } = sent;
  const record: SessionRecord = {
    stage: 'session',
    calls,
    invoice: text,
    payByMs,
    expiresAtMs,
    codeKey: key,
  };
  return { session, paymentHash: invoice.paymentHash, totalMsat, record };
}

function readReply(value: Json): SetupReply {
  try {
    return parseSetupReply(value);
  } catch {
    throw new Fault('HOST_FOREIGN', { where: 'set-up reply' });
  }
}

function readQuote(reply: SetupReply, secrets: SetupSecrets): Record<string, Json> {
  const box = quoteBox(secrets, reply);
  try {
    const plain = openOnce(box.key, binaryMember(reply.sealed, 'sealed'), box.associated);
    return { ...jsonObject(parseJson(plain)) };
  } catch {
    throw new Fault('HOST_FOREIGN', { where: 'sealed quote' });
  }
}
