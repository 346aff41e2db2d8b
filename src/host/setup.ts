/**
 * The host's side of the set-up exchange: an order comes in, a quote with an invoice goes out.
 *
 * The session is durable before its invoice leaves. The same message gets the same reply, so a
 * payer that lost the reply asks again and buys once.
 * @module
 */
import { sealOnce, openOnce } from '../base/hash/index.ts';
import { toHex, utf8 } from '../base/bytes/index.ts';
import { Fault, isFault } from '../base/fault/index.ts';
import { jsonObject, parseJson, type Json, type JsonObject } from '../base/json/index.ts';
import type { Msat } from '../base/money/index.ts';
import type { Random } from '../base/random/index.ts';
import { unixMs, type Clock, type UnixMs } from '../base/time/index.ts';
import type { Books } from '../books/index.ts';
import {
  BUNDLE_PROTOCOL,
  binaryMember,
  codeKey,
  ephemeralPublic,
  member,
  messageHash,
  quoteBox,
  orderBox,
  parseSetupRequest,
  replyStatement,
  sharedSecret,
  type SetupQuote,
  type SetupOrder,
  type SetupReply,
  type SetupRequest,
  type SetupSecrets,
} from '../pay/bundle/index.ts';
import type { SessionTerms } from '../pay/ledger/index.ts';
import { bundleTotalMsat } from '../pay/price/index.ts';
import { peerKey, type HostKeys, type PeerKey } from '../port/keys/index.ts';
import type { CreatedInvoice, Wallet } from '../port/wallet/index.ts';
import {
  INVOICE_EXPIRY_SECONDS,
  MAX_UNPAID_PER_ADDRESS,
  MAX_UNPAID_SESSIONS,
  SESSION_LIFE_MS,
} from './limits.ts';
import type { Service } from './service.ts';

/** What the set-up desk works with. */
export interface DeskParts {
  readonly keys: HostKeys;
  readonly books: Books;
  readonly wallet: Wallet;
  readonly services: ReadonlyMap<string, Service>;
  readonly clock: Clock;
  readonly random: Random;
}

/** An order that was read, and what its reply is made with. */
interface AcceptedOrder {
  readonly request: SetupRequest;
  /** Of the set-up message. */
  readonly hash: Uint8Array;
  readonly payer: PeerKey;
  readonly payerSecret: Uint8Array;
  readonly service: Service;
  readonly calls: number;
  readonly grant: Uint8Array;
  readonly totalMsat: Msat;
}

/** What both sides know before there is a quote. */
interface Agreement {
  readonly secrets: SetupSecrets;
  readonly head: Pick<SetupReply, 'protocol' | 'setup' | 'ephemeral' | 'wrapped'>;
}

/** Where bundles are ordered. */
export class SetupDesk {
  readonly #parts: DeskParts;
  /** Set-ups under way, by the hash of their message: a repeat joins the first. */
  readonly #running = new Map<string, Promise<Json>>();
  /** How many of them an address has. */
  readonly #runningFrom = new Map<string, number>();
  /** The unpaid invoices that an address asked for, by payment hash, and when they run out. */
  readonly #places = new Map<string, Map<string, UnixMs>>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /**
   * Answers a set-up message.
   * @throws Fault `SETUP_*`, `SERVICE_UNKNOWN`, `SERVICE_QUANTITY`
   */
  async answer(value: Json, address: string): Promise<Json> {
    const request = parseSetupRequest(value);
    if (request.host !== this.#parts.keys.fingerprint) throw new Fault('SETUP_HOST_KEY');
    const hash = messageHash(request);
    const setup = toHex(hash);
    const known = await this.#parts.books.sessionBySetup(setup);
    if (known) return parseJson(known.terms.reply);
    const running = this.#running.get(setup) ?? this.#start(request, hash, address);
    return running;
  }

  #start(request: SetupRequest, hash: Uint8Array, address: string): Promise<Json> {
    this.#assertRoom(address);
    const setup = toHex(hash);
    const running = this.#open(request, hash, address);
    this.#running.set(setup, running);
    this.#runningFrom.set(address, (this.#runningFrom.get(address) ?? 0) + 1);
    const forget = (): void => {
      this.#running.delete(setup);
      const left = (this.#runningFrom.get(address) ?? 1) - 1;
      if (left === 0) this.#runningFrom.delete(address);
      else this.#runningFrom.set(address, left);
    };
    running.then(forget, forget);
    return running;
  }

  async #open(request: SetupRequest, hash: Uint8Array, address: string): Promise<Json> {
    const { keys, books } = this.#parts;
    const payer = payerKey(request);
    const payerSecret = await keys.unwrap(binaryMember(request.wrapped, 'wrapped'));
    const order = this.#readOrder(request, payerSecret);
    const totalMsat = bundleTotalMsat(order.service.price, order.calls);
    // Before there is an invoice that somebody could pay.
    const room = await books.room({ payer: payer.fingerprint, totalMsat });
    try {
      const accepted = { ...order, request, hash, payer, payerSecret, totalMsat };
      // What can be wrong with the message is found before an invoice is made.
      const agreed = this.#agree(accepted);
      const { terms } = await books.open(await this.#quote(accepted, agreed));
      this.#takePlace(address, terms.paymentHash, terms.payByMs);
      return parseJson(terms.reply);
    } finally {
      room.leave();
    }
  }

  /** Makes the invoice and everything else that the session is opened with. */
  async #quote(order: AcceptedOrder, agreed: Agreement): Promise<SessionTerms> {
    const { keys, clock, random } = this.#parts;
    const { service, calls, totalMsat } = order;
    const openedAtMs = clock.now();
    const expiresAtMs = unixMs(openedAtMs + SESSION_LIFE_MS);
    const created = await this.#invoice(service, calls, totalMsat);
    const session = toHex(random.bytes(16));
    const quote: SetupQuote = {
      session,
      service: service.name,
      calls,
      total_msat: totalMsat.toString(),
      invoice: created.invoice,
      pay_by_ms: created.expiresAtMs,
      expires_at_ms: expiresAtMs,
      receipt_key: member(keys.receiptKey),
      receipt_certificate: member(keys.receiptCertificate),
    };
    const { reply, key } = await this.#seal(quote, order, agreed);
    return {
      session,
      service: service.name,
      calls,
      totalMsat,
      paymentHash: created.paymentHash,
      openedAtMs,
      payByMs: created.expiresAtMs,
      expiresAtMs,
      setup: toHex(order.hash),
      payer: order.payer.fingerprint,
      codeKey: key,
      reply: utf8(JSON.stringify(reply)),
    };
  }

  async #invoice(service: Service, calls: number, amountMsat: Msat): Promise<CreatedInvoice> {
    const description = `${calls} ${calls === 1 ? 'call' : 'calls'} of ${service.name}`;
    try {
      const expirySeconds = INVOICE_EXPIRY_SECONDS;
      return await this.#parts.wallet.createInvoice({ amountMsat, description, expirySeconds });
    } catch (error) {
      throw new Fault('HOST_WALLET', {}, error);
    }
  }

  #readOrder(
    request: SetupRequest,
    payerSecret: Uint8Array,
  ): { service: Service; calls: number; grant: Uint8Array } {
    const order = openOrder(request, payerSecret);
    const service = this.#parts.services.get(order.service);
    if (!service) throw new Fault('SERVICE_UNKNOWN', { service: order.service.slice(0, 64) });
    if (!Number.isInteger(order.calls) || order.calls < 1 || order.calls > service.maxCalls) {
      throw new Fault('SERVICE_QUANTITY', { min: 1, max: service.maxCalls });
    }
    return { service, calls: order.calls, grant: binaryMember(order.grant, 'grant', 32) };
  }

  /**
   * The secrets that both sides share, and what tells the payer.
   * @throws Fault `SETUP_MALFORMED`
   */
  #agree(order: AcceptedOrder): Agreement {
    const { random } = this.#parts;
    const hostSecret = random.bytes(32);
    const ephemeral = random.bytes(32);
    const secrets: SetupSecrets = {
      payerSecret: order.payerSecret,
      hostSecret,
      shared: sharedSecret(ephemeral, binaryMember(order.request.ephemeral, 'ephemeral', 32)),
      grant: order.grant,
    };
    const head = {
      protocol: BUNDLE_PROTOCOL,
      setup: toHex(order.hash),
      ephemeral: member(ephemeralPublic(ephemeral)),
      wrapped: member(wrapFor(order.payer, hostSecret)),
    } as const;
    return { secrets, head };
  }

  async #seal(
    quote: SetupQuote,
    from: AcceptedOrder,
    { secrets, head }: Agreement,
  ): Promise<{ reply: SetupReply; key: Uint8Array }> {
    const { keys } = this.#parts;
    const box = quoteBox(secrets, head);
    const sealed = member(sealOnce(box.key, utf8(JSON.stringify(quote)), box.associated));
    const unsigned = { ...head, sealed };
    const signature = member(await keys.sign(replyStatement(from.hash, unsigned)));
    return { reply: { ...unsigned, signature }, key: codeKey(secrets, head) };
  }

  /** An invoice was paid: its place is free again. */
  paid(paymentHash: string): void {
    for (const places of this.#places.values()) places.delete(paymentHash);
  }

  /** Refuses when too many invoices are open. @throws Fault `SETUP_BUSY` */
  #assertRoom(address: string): void {
    const now = this.#parts.clock.now();
    for (const [known, places] of this.#places) {
      for (const [hash, endMs] of places) if (endMs <= now) places.delete(hash);
      if (places.size === 0) this.#places.delete(known);
    }
    const all = this.#parts.books.unpaidCount(now) + this.#running.size;
    const mine = (this.#places.get(address)?.size ?? 0) + (this.#runningFrom.get(address) ?? 0);
    if (all >= MAX_UNPAID_SESSIONS || mine >= MAX_UNPAID_PER_ADDRESS) throw new Fault('SETUP_BUSY');
  }

  #takePlace(address: string, paymentHash: string, endMs: UnixMs): void {
    const places = this.#places.get(address) ?? new Map<string, UnixMs>();
    this.#places.set(address, places.set(paymentHash, endMs));
  }
}

/** A key can be well-formed and still not work. @throws Fault `SETUP_MALFORMED` */
function wrapFor(payer: PeerKey, secret: Uint8Array): Uint8Array {
  try {
    return payer.wrap(secret);
  } catch {
    throw new Fault('SETUP_MALFORMED', { name: 'payer' });
  }
}

function payerKey(request: SetupRequest): PeerKey {
  try {
    return peerKey(binaryMember(request.payer, 'payer'));
  } catch (error) {
    throw isFault(error) && error.code === 'SETUP_MALFORMED'
      ? error
      : new Fault('SETUP_MALFORMED', { name: 'payer' });
  }
}

function openOrder(request: SetupRequest, payerSecret: Uint8Array): SetupOrder {
  const box = orderBox(payerSecret, request);
  let order: JsonObject;
  try {
    const opened = openOnce(box.key, binaryMember(request.sealed, 'sealed'), box.associated);
    order = jsonObject(parseJson(opened));
  } catch {
    throw new Fault('SETUP_DECRYPT');
  }
  const { service, calls, grant } = order;
  if (typeof service !== 'string' || typeof calls !== 'number' || typeof grant !== 'string') {
    throw new Fault('SETUP_MALFORMED', { name: 'sealed' });
  }
  return { service, calls, grant };
}
