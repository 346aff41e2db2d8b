/**
 * The host's side of the set-up exchange: an order comes in, a quote with an invoice goes out.
 *
 * The session is durable before its invoice leaves. The same message gets the same reply, so a
 * payer that lost the reply asks again and buys once.
 * @module
 */
import { encryptOnce, decryptOnce } from '../base/hash/index.ts';
import { toHex, utf8 } from '../base/bytes/index.ts';
import { Fault, isFault } from '../base/fault/index.ts';
import { jsonObject, parseJson, type Json, type JsonObject } from '../base/json/index.ts';
import { ZERO_MSAT, sumMsat, type Msat } from '../base/money/index.ts';
import type { Random } from '../base/random/index.ts';
import { unixMs, type Clock, type UnixMs } from '../base/time/index.ts';
import type { Books, Session } from '../books/index.ts';
import {
  BUNDLE_PROTOCOL,
  binaryMember,
  codeKey,
  ephemeralPublic,
  member,
  messageHash,
  quoteBox,
  orderBox,
  parseOrderLines,
  parseSetupRequest,
  replyStatement,
  sharedSecret,
  type SetupQuote,
  type SetupOrder,
  type SetupReply,
  type SetupRequest,
  type SetupSecrets,
} from '../pay/bundle/index.ts';
import type { Line, SessionTerms } from '../pay/ledger/index.ts';
import { laneId, parseLaneOrders, type LaneOrder, type LaneTerms } from '../pay/tick/index.ts';
import { peerKey, type HostIdentity, type HostKeys, type PeerKey } from '../port/keys/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { assertOpens, knownIdentity } from './identities.ts';
import { SESSION_LIFE_MS, type HostLimits } from './limits.ts';
import { makeInvoice, priceLanes, priceLine } from './pricing.ts';
import type { Service } from './service.ts';
import type { UnpaidPlaces, Asker } from './unpaid-places.ts';

/** What the set-up desk works with. */
export interface DeskParts {
  readonly keys: HostKeys;
  readonly books: Books;
  readonly wallet: Wallet;
  readonly services: ReadonlyMap<string, Service>;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: HostLimits;
  readonly places: UnpaidPlaces;
}

/** A set-up message that came in. */
interface SetupMessage {
  readonly request: SetupRequest;
  readonly hash: Uint8Array;
  /** Whom it was made for. */
  readonly identity: HostIdentity;
}

/** An order that was read, and what its reply is made with. */
interface AcceptedOrder extends SetupMessage {
  readonly payer: PeerKey;
  readonly payerSecret: Uint8Array;
  readonly lines: readonly Line[];
  /** The lanes that it is sold as; undefined for a bundle. */
  readonly ticks: { readonly lanes: readonly LaneOrder[]; readonly unitMsat: Msat } | undefined;
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
  readonly #places: UnpaidPlaces;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#places = parts.places;
  }

  /**
   * Answers a set-up message.
   * @throws Fault `SETUP_*`, `SERVICE_UNKNOWN`, `SERVICE_QUANTITY`
   */
  async answer(value: Json, address: string): Promise<Json> {
    const request = parseSetupRequest(value);
    const identity = knownIdentity(this.#parts.keys, request.host);
    if (identity === undefined) throw new Fault('SETUP_HOST_KEY');
    const hash = messageHash(request);
    const setup = toHex(hash);
    const known = await this.#parts.books.sessionBySetup(setup);
    if (known) return replyOf(known, this.#parts.clock.now());
    assertOpens(identity, this.#parts.clock.now());
    const running = this.#running.get(setup) ?? this.#start({ request, hash, identity }, address);
    return running;
  }

  #start(message: SetupMessage, address: string): Promise<Json> {
    const setup = toHex(message.hash);
    const payer = payerKey(message.request);
    const asker = { address, payer: payer.fingerprint };
    const now = this.#parts.clock.now();
    const leave = this.#places.begin(asker, this.unpaidCount(), now);
    const running = this.#open(message, payer, asker);
    this.#running.set(setup, running);
    const forget = (): void => {
      this.#running.delete(setup);
      leave();
    };
    running.then(forget, forget);
    return running;
  }

  async #open(message: SetupMessage, payer: PeerKey, asker: Asker): Promise<Json> {
    const { books } = this.#parts;
    const { request, identity } = message;
    const payerSecret = await identity.unwrap(binaryMember(request.wrapped, 'wrapped'));
    const order = this.#readOrder(request, payerSecret);
    const totalMsat = sumMsat(order.lines.map((line) => line.totalMsat));
    this.#places.assertShare(asker, totalMsat, books.limits.maxLiabilityMsat);
    // Before there is an invoice that somebody could pay.
    const room = await books.room({ payer: payer.fingerprint, totalMsat });
    try {
      const accepted = { ...order, ...message, payer, payerSecret, totalMsat };
      // What can be wrong with the message is found before an invoice is made.
      const agreed = this.#agree(accepted);
      const sold = await this.#quote(accepted, agreed);
      const { terms } = await books.open(sold, laneTerms(sold.session, accepted.ticks));
      const { paymentHash, payByMs: endMs } = terms;
      this.#places.take(asker, { paymentHash, totalMsat, endMs });
      return parseJson(terms.reply);
    } finally {
      room.leave();
    }
  }

  /** Makes the invoice and everything else that the session is opened with. */
  async #quote(order: AcceptedOrder, agreed: Agreement): Promise<SessionTerms> {
    const { clock, random } = this.#parts;
    const { lines, totalMsat, identity } = order;
    const openedAtMs = clock.now();
    const expiresAtMs = unixMs(openedAtMs + SESSION_LIFE_MS);
    const created = await makeInvoice(this.#parts.wallet, lines, totalMsat);
    const session = toHex(random.bytes(16));
    const quote: SetupQuote = {
      session,
      ...quoteLines(lines),
      ...(order.ticks === undefined ? {} : { unit_msat: order.ticks.unitMsat.toString() }),
      total_msat: totalMsat.toString(),
      invoice: created.invoice,
      pay_by_ms: created.expiresAtMs,
      expires_at_ms: expiresAtMs,
      receipt_key: member(identity.receiptKey),
      receipt_certificate: member(identity.receiptCertificate),
    };
    const { reply, key } = await this.#encrypt(quote, order, agreed);
    return {
      session,
      service: lines.map(({ service }) => service).join(','),
      calls: lines.reduce((calls, line) => calls + line.calls, 0),
      ...(lines.length === 1 ? {} : { lines }),
      ...(order.ticks === undefined ? {} : { lanes: order.ticks.lanes.length }),
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

  #readOrder(
    request: SetupRequest,
    payerSecret: Uint8Array,
  ): Pick<AcceptedOrder, 'lines' | 'grant' | 'ticks'> {
    const { services } = this.#parts;
    const order = openOrder(request, payerSecret);
    const grant = binaryMember(order.grant, 'grant', 32);
    const [first] = order.lines;
    if (order.lanes === undefined || first === undefined) {
      const lines = order.lines.map((line) => priceLine(services, line));
      return { lines, grant, ticks: undefined };
    }
    if (order.lines.length > 1) throw new Fault('SETUP_MALFORMED', { name: 'lanes' });
    const { lanes } = order;
    const { line, unitMsat } = priceLanes(services, first, lanes);
    return { lines: [line], grant, ticks: { lanes, unitMsat } };
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

  async #encrypt(
    quote: SetupQuote,
    from: AcceptedOrder,
    { secrets, head }: Agreement,
  ): Promise<{ reply: SetupReply; key: Uint8Array }> {
    const box = quoteBox(secrets, head);
    const encrypted = member(encryptOnce(box.key, utf8(JSON.stringify(quote)), box.associated));
    const unsigned = { ...head, encrypted };
    const signature = member(await from.identity.sign(replyStatement(from.hash, unsigned)));
    return { reply: { ...unsigned, signature }, key: codeKey(secrets, head) };
  }

  /** Invoices that can still be paid, and set-ups under way. */
  unpaidCount(): number {
    return this.#parts.books.unpaidCount(this.#parts.clock.now()) + this.#running.size;
  }
}

/** @throws Fault `SETUP_EXPIRED` when its invoice ran out unpaid */
function replyOf({ terms, state }: Session, nowMs: UnixMs): Json {
  const expired = !state.paid && terms.payByMs <= nowMs;
  // Of an order that was paid late the reply is gone.
  if (expired || terms.reply.length === 0)
    throw new Fault('SETUP_EXPIRED', { session: terms.session });
  return parseJson(terms.reply);
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

function laneTerms(session: string, ticks: AcceptedOrder['ticks']): LaneTerms[] {
  return (ticks?.lanes ?? []).map(({ anchor, length }, place) => {
    const unitMsat = ticks?.unitMsat ?? ZERO_MSAT;
    return { lane: laneId(session, place), session, place, anchor, length, unitMsat };
  });
}

interface OpenedOrder extends SetupOrder {
  readonly lanes: readonly LaneOrder[] | undefined;
}

function openOrder(request: SetupRequest, payerSecret: Uint8Array): OpenedOrder {
  const box = orderBox(payerSecret, request);
  let order: JsonObject;
  try {
    const opened = decryptOnce(
      box.key,
      binaryMember(request.encrypted, 'encrypted'),
      box.associated,
    );
    order = jsonObject(parseJson(opened));
  } catch {
    throw new Fault('SETUP_DECRYPT');
  }
  const { grant, lanes } = order;
  if (typeof grant !== 'string') throw new Fault('SETUP_MALFORMED', { name: 'encrypted' });
  const lines = parseOrderLines(order);
  return { lines, grant, lanes: lanes === undefined ? undefined : parseLaneOrders(lanes) };
}

/** The lines as a quote says them: one service as it was ordered, several as a list. */
function quoteLines(lines: readonly Line[]): Pick<SetupQuote, 'service' | 'calls' | 'lines'> {
  const [first] = lines;
  if (first !== undefined && lines.length === 1)
    return { service: first.service, calls: first.calls };
  return {
    lines: lines.map(({ service, calls, totalMsat }) => {
      return { service, calls, total_msat: totalMsat.toString() };
    }),
  };
}
