/**
 * The buying role: connect to a host, buy a bundle, call.
 *
 * A purchase is recorded before anything is sent and moves `made` -> `paying` -> `paid` or
 * `failed`.
 * After a crash it goes on from its record: the same set-up message gets the same invoice, and the
 * wallet pays one payment hash once.
 * @module
 */
import { toHex } from '../base/bytes/index.ts';
import { Fault, isFault } from '../base/fault/index.ts';
import { ZERO_MSAT, msat, sumMsat, type Msat } from '../base/money/index.ts';
import type { Json } from '../base/json/index.ts';
import { parseOrderLines, printOrderLines, type OrderLine } from '../pay/bundle/index.ts';
import type { Chain } from '../pay/tick/index.ts';
import type { PayerKeyring, PayerKeys } from '../port/keys/index.ts';
import type { Purchase } from '../port/store/index.ts';
import { MAX_PAYER_KEYS } from './limits.ts';
import { awaitArrival, type ByHand } from './bill.ts';
import { untilAborted } from './abort.ts';
import { makeLanes, newLanes } from './lane-maker.ts';
import type { LanePurchase } from './lane-taker.ts';
import { openLink, type Link } from './link.ts';
import { exportSession, importSession } from './move.ts';
import { Payments, type PaymentParts } from './payment.ts';
import { assertSameOrder, lanesOf, namesOf, priceOf, ticksPrice } from './order.ts';
import { parseRecord, printRecord } from './record.ts';
import type { AnyServices, ServiceMap, TypedLink } from './service-types.ts';
import { isTopUp, quoteSetUp, sessionKey, sessionRecord } from './purchase.ts';
import { makeSetup, type Order as SetupOrder } from './setup.ts';
import { PayerSession, type Encrypt, type SessionKey } from './session.ts';
import { PayerStream, type StreamTopUp } from './stream.ts';
import { awaitCounted, orderTopUp, quoteTopUp, type TopUpRequest } from './topup.ts';
import type { Trust } from './trust.ts';

/** What a payer is made of. */
export interface PayerParts extends PaymentParts {
  readonly keyring: PayerKeyring;
  /** Whether calls are encrypted. Absent: where there is no TLS. */
  readonly encrypt?: Encrypt;
}

/** What to buy. */
export interface BuyRequest<Name extends string = string> {
  readonly service: Name;
  readonly calls: number;
  /** The most that all calls together may cost, routing fees left out. */
  readonly maxTotalMsat: Msat;
  /** 16 bytes, hex: the same id is the same purchase, also after a crash. Absent: a new one. */
  readonly purchaseId?: string;
  /** A person pays the invoice, with another wallet than this payer's. */
  readonly byHand?: ByHand;
  readonly signal?: AbortSignal;
}

/** Several services, to be bought with one invoice. */
export interface BuySeveralRequest extends Omit<BuyRequest, 'service' | 'calls'> {
  /** Each service once, at most 16. */
  readonly lines: readonly OrderLine[];
}

/** Units to be paid for, and spent with ticks. */
export interface StreamRequest<Name extends string = string> extends StreamTopUp {
  readonly service: Name;
}

/** What is bought, in one form. */
type Order = BuySeveralRequest & SetupOrder;

/** Which lanes to go on with. */
export interface ResumeStreamRequest {
  readonly service: string;
  /** How many lanes are taken at most; the others stay free for other processes. Absent: all. */
  readonly mostLanes?: number;
}

/** Which purchases to go on with. */
export interface ResumeOptions {
  /** Only those of this service. */
  readonly service?: string;
  /** Shows the invoices of those that are paid by hand; absent: they are looked up once. */
  readonly byHand?: ByHand;
}

/** The buying role. */
export class Payer {
  readonly #parts: PayerParts;
  readonly #payments: Payments;
  /** What is under way, for `close`. */
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;
  /** For each host: two hosts cannot tell by them that it is one payer. */
  readonly #keys = new Map<string, Promise<PayerKeys>>();

  constructor(parts: PayerParts) {
    this.#parts = parts;
    this.#payments = new Payments(parts);
  }

  /**
   * Meets a host. With the type of its services (`connect<Services>`), what is bought is typed.
   * @throws Fault `HOST_KEY_CHANGED`, `HOST_CERTIFICATE`, `HOST_UNREACHABLE`, `HOST_FOREIGN`
   */
  connect<Services extends ServiceMap<Services> = AnyServices>(
    url: string,
    trust: Trust = {},
  ): Promise<TypedLink<Services>> {
    return openLink(this.#parts, url, trust);
  }

  /**
   * Buys a bundle of calls, or goes on with a purchase that was begun.
   * @throws Fault `PAYMENT_UNKNOWN` with the purchase's id: the same id finds out
   */
  async buy<
    Services extends ServiceMap<Services> = AnyServices,
    Name extends keyof Services & string = keyof Services & string,
  >(
    link: TypedLink<Services>,
    request: BuyRequest<Name>,
  ): Promise<PayerSession<Services[Name]['input'], Services[Name]['output']>> {
    const { service, calls, ...rest } = request;
    const order = { ...rest, lines: [{ service, calls }] };
    return this.#track(() =>
      this.#buy<Services[Name]['input'], Services[Name]['output']>(link, order),
    );
  }

  /**
   * Buys calls of several services with one invoice; what is not used of one pays for no call of
   * another, but all of it is credit together. The calls of the session name their service.
   */
  async buySeveral(link: Link, request: BuySeveralRequest): Promise<PayerSession> {
    return this.#track(() => this.#buy<Json, Json>(link, request));
  }

  async #buy<Input, Output>(link: Link, order: Order): Promise<PayerSession<Input, Output>> {
    return this.#named(order.purchaseId, async (id) => {
      const known = await this.#parts.store.purchase(id);
      if (known) assertSameOrder(link, known, order);
      const purchase = known ?? (await this.#order(link, id, order));
      const done = await this.#complete(link, purchase, order);
      return this.#session(link, done);
    });
  }

  /** Works under the id of a purchase, a new one if there is none; a fault names it. */
  async #named<T>(purchaseId: string | undefined, work: (id: string) => Promise<T>): Promise<T> {
    const id = purchaseId ?? toHex(this.#parts.random.bytes(16));
    try {
      return await work(id);
    } catch (error) {
      if (!isFault(error)) throw error;
      throw new Fault(error.code, { ...error.facts, purchase: id }, error);
    }
  }

  /**
   * Opens a stream of calls that are paid with ticks: buys units, or goes on with a purchase that
   * was begun. One invoice pays for all of them.
   * @throws Fault `TICK_UNSOLD`, `LANE_LENGTH`, `LANE_COUNT`, `LANE_HELD`, and those of `buy`
   */
  async stream<
    Services extends ServiceMap<Services> = AnyServices,
    Name extends keyof Services & string = keyof Services & string,
  >(
    link: TypedLink<Services>,
    request: StreamRequest<Name>,
  ): Promise<PayerStream<Services[Name]['input'], Services[Name]['output']>> {
    const bought = await this.#track(() => this.#buyLanes(link, request));
    return this.#openStream(link, request, [bought]);
  }

  /**
   * Opens a stream over what is left of the lanes bought before; several processes may, each with
   * lanes of its own.
   * @throws Fault `LANE_HELD`, `LANE_EXHAUSTED` when nothing is left
   */
  async resumeStream(link: Link, request: ResumeStreamRequest): Promise<PayerStream> {
    const bought = await this.#bought(link);
    const mine = bought.filter((purchase) => {
      return purchase.service === request.service && lanesOf(purchase) !== undefined;
    });
    const lanes = await Promise.all(mine.map((purchase) => this.#lanes(link, purchase, {})));
    return this.#openStream(link, request, lanes);
  }

  #openStream<Input, Output>(
    link: Link,
    { service, lanes, mostLanes: most }: ResumeStreamRequest & { readonly lanes?: number },
    bought: readonly LanePurchase[],
  ): Promise<PayerStream<Input, Output>> {
    const buyMore = (more: StreamTopUp): Promise<LanePurchase> => {
      const as = lanes === undefined ? more : { lanes, ...more };
      return this.#track(() => this.#buyLanes(link, { ...as, service }));
    };
    return PayerStream.open({ ...this.#parts, link, service, most, buyMore }, bought);
  }

  async #buyLanes(link: Link, request: StreamRequest): Promise<LanePurchase> {
    const { service, units, maxTotalMsat, purchaseId } = request;
    return this.#named(purchaseId, async (id) => {
      const known = await this.#parts.store.purchase(id);
      const from = (known && lanesOf(known)) ?? newLanes(this.#parts.random, request);
      const chains = await makeLanes(this.#parts.clock, { ...request, ...from });
      const lanes = { ...from, anchors: chains.map(({ anchor }) => anchor) };
      const order = { lines: [{ service, calls: units }], maxTotalMsat, lanes };
      if (known) assertSameOrder(link, known, order);
      const purchase = known ?? (await this.#order(link, id, order));
      return this.#lanes(link, await this.#complete(link, purchase, request), { chains });
    });
  }

  async #lanes(
    link: Link,
    purchase: Purchase,
    { chains }: { readonly chains?: readonly Chain[] },
  ): Promise<LanePurchase> {
    const from = lanesOf(purchase);
    if (from === undefined) throw new Fault('STORE_CORRUPT', { what: 'lanes' });
    const moved = await this.#parts.store.movedSessions();
    if (moved.has(purchase.session ?? '')) throw new Fault('SESSION_UNKNOWN', { problem: 'moved' });
    const { calls } = sessionRecord(purchase);
    return {
      ...from,
      key: sessionKey(link, purchase),
      session: this.#session(link, purchase),
      unitMsat: msat(purchase.amountMsat / BigInt(calls)),
      chains: async () => chains ?? (await makeLanes(this.#parts.clock, from)),
    };
  }

  /**
   * Goes on with every payment to this host whose outcome is open, and reports those that
   * succeeded.
   * Orders that were never paid for are left: only their id buys them.
   */
  async resume(link: Link, options: ResumeOptions = {}): Promise<readonly PayerSession[]> {
    const { service, byHand } = options;
    const wanted = service === undefined ? {} : { service };
    const filter = { host: link.url, states: ['paying'] as const, ...wanted };
    const sessions: PayerSession[] = [];
    for (const purchase of await this.#parts.store.purchases(filter)) {
      try {
        const paid = await this.#complete(link, purchase, byHand ? { byHand } : {});
        if (!isTopUp(paid)) sessions.push(this.#session(link, paid));
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#parts.log.warn('purchase not finished', { code: error.code });
      }
    }
    return sessions;
  }

  /**
   * The sessions that were bought from this host before, oldest first; with `ticks` also those that
   * a stream uses, which make no calls of their own.
   */
  async sessions(
    link: Link,
    { ticks = false }: { readonly ticks?: boolean } = {},
  ): Promise<readonly PayerSession[]> {
    return (await this.#bought(link))
      .filter((purchase) => !isTopUp(purchase) && (ticks || lanesOf(purchase) === undefined))
      .map((purchase) => this.#session(link, purchase));
  }

  async #bought(link: Link): Promise<readonly Purchase[]> {
    const { store } = this.#parts;
    const moved = await store.movedSessions();
    const bought = await store.purchases({ host: link.url, states: ['paid'] });
    return bought.filter(({ session = '' }) => !moved.has(session));
  }

  /** What all sessions with a host have left, as it says. Those it does not know are left out. */
  async balance(link: Link, signal?: AbortSignal): Promise<PayerBalance> {
    const asked = (await this.sessions(link)).map(async (session) => {
      try {
        return await session.status(signal ? { signal } : {});
      } catch (error) {
        if (isFault(error) && error.code === 'SESSION_UNKNOWN') return undefined;
        throw error;
      }
    });
    const known = (await Promise.all(asked)).filter((status) => status !== undefined);
    return {
      sessions: known.length,
      callsLeft: known.reduce((calls, status) => calls + status.callsLeft, 0),
      creditMsat: sumMsat(known.map((status) => status.creditMsat)),
    };
  }

  /**
   * A session leaves this profile: its file goes to another profile, once. Here nothing of it can
   * be called, topped up or refunded any more.
   * @returns the text of the file: a secret, whoever has it can spend the credit
   * @throws Fault `PURCHASE_OPEN` while something of it has no outcome, `SESSION_UNKNOWN`
   */
  exportSession(session: string): Promise<string> {
    return exportSession(this.#parts, session);
  }

  /**
   * A session comes to this profile.
   * @returns its host and id
   * @throws Fault `CONFIG_INVALID` for what is not such a file, `PURCHASE_CONFLICT` when the
   * session is here
   */
  importSession(file: string): Promise<{ readonly host: string; readonly session: string }> {
    return importSession(this.#parts, file);
  }

  /** Takes no more orders and waits for those under way. What it was made of stays open. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#running);
  }

  #track<T>(start: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new Fault('USAGE_INVALID', { problem: 'the payer is closed' });
    const work = start();
    this.#running.add(work);
    const end = (): void => void this.#running.delete(work);
    work.then(end, end);
    return work;
  }

  async #order(link: Link, id: string, request: Order): Promise<Purchase> {
    const { lines, maxTotalMsat } = request;
    parseOrderLines(printOrderLines(lines));
    const price = request.lanes
      ? ticksPrice(link, lines[0])
      : sumMsat(lines.map((line) => priceOf(link, line)));
    if (price > maxTotalMsat)
      throw new Fault('PAYMENT_PRICE', { asked: `${price}`, limit: `${maxTotalMsat}` });
    const setup = makeSetup(request, link.key, await this.#keysFor(link), this.#parts.random);
    const inserted = await this.#parts.store.insertPurchase({
      id,
      host: link.url,
      service: namesOf(lines),
      amountMsat: ZERO_MSAT,
      madeAtMs: this.#parts.clock.now(),
      record: printRecord(setup),
    });
    // Another process may have used the id in the meantime.
    assertSameOrder(link, inserted.purchase, request);
    return inserted.purchase;
  }

  #keysFor({ url }: Link): Promise<PayerKeys> {
    const known = this.#keys.get(url);
    if (known) return known;
    const [oldest] = this.#keys.size < MAX_PAYER_KEYS ? [] : this.#keys.keys();
    if (oldest !== undefined) this.#keys.delete(oldest);
    // Keys that could not be made are tried again at the next order.
    const made = this.#parts.keyring.make().catch((error: unknown) => {
      this.#keys.delete(url);
      throw error;
    });
    this.#keys.set(url, made);
    return made;
  }

  /** Brings a purchase or a top-up to its end. */
  async #complete(
    link: Link,
    from: Purchase,
    { byHand, signal }: Pick<BuyRequest, 'byHand' | 'signal'>,
  ): Promise<Purchase> {
    let purchase = from;
    signal?.throwIfAborted();
    if (purchase.state === 'made' && purchase.paymentHash === undefined) {
      purchase = await this.#quote(link, purchase, { byHand: byHand !== undefined, signal });
      // Nothing has been paid yet: it is not paid any more.
      signal?.throwIfAborted();
    }
    if (purchase.state === 'made') purchase = await this.#payments.begin(purchase);
    if (purchase.state === 'paying') {
      const record = parseRecord(purchase.record);
      purchase =
        record.stage === 'session' && record.byHand
          ? await this.#payByHand(link, purchase, byHand)
          : await untilAborted(this.#payments.pay(purchase), signal);
    }
    if (purchase.state === 'failed') purchase = await this.#lookAgain(link, purchase);
    return purchase;
  }

  /** Asks for the quote; a refusal for good ends the purchase. */
  async #quote(
    link: Link,
    purchase: Purchase,
    options: { readonly byHand: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<Purchase> {
    try {
      if (!isTopUp(purchase)) {
        const quoted = await quoteSetUp(this.#parts, link, { purchase, ...options });
        return await this.#payments.update(purchase, quoted);
      }
      const { session = '' } = purchase;
      const key = await this.#keyOf(link, session);
      const change = await quoteTopUp(this.#parts, link, { key, purchase, signal: options.signal });
      return await this.#payments.update(purchase, change);
    } catch (error) {
      const refused = isFault(error) && error.row.money === 'unspent' && error.row.retry !== 'same';
      if (refused) await this.#payments.update(purchase, { state: 'failed' });
      throw error;
    }
  }

  /** The wallet has the last word: a payment that failed here may have succeeded from elsewhere. */
  async #lookAgain(link: Link, purchase: Purchase): Promise<Purchase> {
    const record = parseRecord(purchase.record);
    if (record.stage === 'session' && record.byHand) return this.#payByHand(link, purchase);
    return this.#payments.lookAgain(purchase);
  }

  /** Shows the invoice to a person and waits until the host has the money. */
  async #payByHand(link: Link, purchase: Purchase, byHand?: ByHand): Promise<Purchase> {
    const { id, service, amountMsat: totalMsat } = purchase;
    const { invoice, payByMs, calls } = sessionRecord(purchase);
    const { clock } = this.#parts;
    const session = this.#session(link, purchase);
    const isPaid = async (): Promise<boolean> => (await session.status()).paid;
    if (clock.now() < payByMs) {
      byHand?.show({ purchase: id, service, calls, totalMsat, invoice, payByMs });
    }
    const wait = { clock, payByMs, signal: byHand?.signal, once: byHand === undefined };
    switch (await awaitArrival(isPaid, wait)) {
      case 'paid':
        return this.#payments.update(purchase, { state: 'paid' });
      case 'expired':
        await this.#payments.update(purchase, { state: 'failed' });
        throw new Fault('INVOICE_EXPIRED', { purchase: id });
      case 'open':
        throw new Fault('PAYMENT_UNKNOWN', { purchase: id });
    }
  }

  #session<Input, Output>(link: Link, purchase: Purchase): PayerSession<Input, Output> {
    const key = sessionKey(link, purchase);
    const topUp = (request: TopUpRequest): Promise<void> =>
      this.#track(() => this.#topUp(link, key.session, request));
    return new PayerSession({ ...this.#parts, topUp }, link, key);
  }

  async #keyOf(link: Link, session: string): Promise<SessionKey> {
    const bought = await this.#parts.store.purchaseBySession(session);
    if (bought === undefined) throw new Fault('STORE_CORRUPT', { what: 'top-up' });
    return sessionKey(link, bought);
  }

  /** Buys more calls for a session, or goes on with a top-up that was begun. */
  async #topUp(link: Link, session: string, request: TopUpRequest): Promise<void> {
    const id = request.topUpId ?? toHex(this.#parts.random.bytes(16));
    try {
      const price = priceOf(link, { service: request.service, calls: request.calls });
      const order = { ...request, topUpId: id, priceMsat: price, host: link.url, session };
      const purchase = await orderTopUp(this.#parts, order);
      const paid = await this.#complete(link, purchase, request);
      const key = await this.#keyOf(link, session);
      await awaitCounted(this.#parts, link, { key, purchase: paid, signal: request.signal });
    } catch (error) {
      if (!isFault(error)) throw error;
      throw new Fault(error.code, { ...error.facts, topUpId: id }, error);
    }
  }
}

/** What a payer has left with a host. */
export interface PayerBalance {
  readonly sessions: number;
  readonly callsLeft: number;
  readonly creditMsat: Msat;
}
