/**
 * The payer's side of the set-up exchange: the order that goes out, the checks on the quote.
 * @module
 */
import { fromHex, toHex, utf8 } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { decryptOnce, encryptOnce } from '../base/hash/index.ts';
import {
  jsonObject,
  parseJson,
  textMember,
  type Json,
  type JsonObject,
} from '../base/json/index.ts';
import { parseMsat, sumMsat, type Msat } from '../base/money/index.ts';
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
  printOrderLines,
  receiptKeyStatement,
  replyStatement,
  sharedSecret,
  type OrderLine,
  type SetupReply,
  type SetupSecrets,
} from '../pay/bundle/index.ts';
import { printLaneOrders } from '../pay/tick/index.ts';
import type { PayerKeyring, PayerKeys, PeerKey } from '../port/keys/index.ts';
import type { PayerStore, Purchase } from '../port/store/index.ts';
import { INVOICE_MARGIN_MS, MIN_SESSION_LIFE_MS } from './limits.ts';
import type { LaneSeed, SessionRecord, SetupRecord } from './record.ts';

/** What is ordered. */
export interface Order {
  readonly lines: readonly OrderLine[];
  readonly maxTotalMsat: Msat;
  /** To pay with ticks: the lanes, and what they were made from. */
  readonly lanes?: LaneSeed & { readonly anchors: readonly Uint8Array[] };
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
  const { lines, maxTotalMsat, lanes } = order;
  const box = orderBox(payerSecret, head);
  const ordered = { ...printOrderLines(lines), ...lanesToJson(lanes), grant: member(grant) };
  const plain = utf8(JSON.stringify(ordered));
  const encrypted = member(encryptOnce(box.key, plain, box.associated));
  const request = { ...head, encrypted };
  const { privatePem } = keys;
  return {
    stage: 'setup',
    request,
    privatePem,
    payerSecret,
    ephemeral,
    grant,
    calls: lines.reduce((calls, line) => calls + line.calls, 0),
    ...(lines.length === 1 ? {} : { lines }),
    ...(lanes === undefined ? {} : { lanes: { seed: lanes.seed, lengths: lanes.lengths } }),
    maxTotalMsat,
  };
}

function lanesToJson(lanes: Order['lanes']): JsonObject {
  if (lanes === undefined) return {};
  const orders = lanes.lengths.map((length, i) => {
    return { length, anchor: lanes.anchors[i] ?? new Uint8Array(0) };
  });
  return { lanes: printLaneOrders(orders) };
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
  if (!sameLines(quote, sent, check.service)) throw new Fault('HOST_TERMS', { where: 'order' });
  const totalMsat = parseMsat(quote['total_msat']);
  if (totalMsat > sent.maxTotalMsat) {
    throw new Fault('PAYMENT_PRICE', { asked: `${totalMsat}`, limit: `${sent.maxTotalMsat}` });
  }
  if (sent.lanes !== undefined) {
    const whole = parseMsat(quote['unit_msat']) * BigInt(sent.calls) === totalMsat;
    if (!whole) throw new Fault('HOST_TERMS', { where: 'unit' });
  }
  const text = textMember(quote, 'invoice');
  const { paymentHash, payByMs } = checkInvoice(text, totalMsat, check);
  const expiresAtMs = Number(quote['expires_at_ms']);
  if (!(expiresAtMs > check.nowMs + MIN_SESSION_LIFE_MS))
    throw new Fault('HOST_TERMS', { where: 'expiry' });
  const { calls, lines, lanes } = sent;
  const record: SessionRecord = {
    stage: 'session',
    host: check.host.fingerprint,
    calls,
    ...(lines === undefined ? {} : { lines }),
    ...(lanes === undefined ? {} : { lanes }),
    invoice: text,
    payByMs,
    expiresAtMs,
    codeKey: key,
  };
  return { session, paymentHash, totalMsat, record };
}

/** The host offers what was ordered, each line at some price; the prices add up. */
function sameLines(quote: Record<string, Json>, sent: SetupRecord, service: string): boolean {
  if (sent.lines === undefined) {
    return quote['service'] === service && quote['calls'] === sent.calls;
  }
  const offered = quote['lines'];
  if (!Array.isArray(offered) || offered.length !== sent.lines.length) return false;
  const lines = (offered as readonly Json[]).map((line) => jsonObject(line));
  const same = sent.lines.every((line, i) => {
    return lines[i]?.['service'] === line.service && lines[i]['calls'] === line.calls;
  });
  const sum = sumMsat(lines.map((line) => parseMsat(line['total_msat'])));
  return same && sum === parseMsat(quote['total_msat']);
}

/**
 * The invoice of a quote: of our network, for exactly the total, and with time to pay it.
 * @throws Fault `INVOICE_*`, `HOST_TERMS`
 */
export function checkInvoice(
  text: string,
  totalMsat: Msat,
  { network, nowMs }: Pick<QuoteCheck, 'network' | 'nowMs'>,
): { readonly paymentHash: string; readonly payByMs: number } {
  const invoice = decodeInvoice(text);
  if (invoice.network !== network) {
    throw new Fault('INVOICE_NETWORK', { network: invoice.network });
  }
  if (invoice.amountMsat !== totalMsat) throw new Fault('HOST_TERMS', { where: 'invoice amount' });
  const payByMs = (invoice.timestampSeconds + invoice.expirySeconds) * 1000;
  if (payByMs < nowMs + INVOICE_MARGIN_MS) throw new Fault('INVOICE_EXPIRED');
  return { paymentHash: invoice.paymentHash, payByMs };
}

/**
 * A host must not sell an invoice twice: who has paid it once would take both purchases for paid.
 * @throws Fault `HOST_TERMS`
 */
export async function assertNewInvoice(
  store: PayerStore,
  { id }: Purchase,
  paymentHash: string,
): Promise<void> {
  const other = await store.purchaseByPaymentHash(paymentHash);
  if (other && other.id !== id) throw new Fault('HOST_TERMS', { where: 'invoice' });
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
    const plain = decryptOnce(box.key, binaryMember(reply.encrypted, 'encrypted'), box.associated);
    return { ...jsonObject(parseJson(plain)) };
  } catch {
    throw new Fault('HOST_FOREIGN', { where: 'encrypted quote' });
  }
}
