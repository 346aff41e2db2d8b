/**
 * Top-ups: a session gets more calls without being stopped. States, beliefs and losses:
 * docs/bundle.md.
 *
 * The top-up is durable before its invoice leaves; the same id gets the same quote. The session
 * grows in the transaction that books the payment.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { jsonObject, parseJson, type Json, type JsonObject } from '../base/json/index.ts';
import { ZERO_MSAT } from '../base/money/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import type { Books, Session } from '../books/index.ts';
import { printTopUpQuote, topUpCode, type TopUpOrder } from '../pay/bundle/index.ts';
import { MAX_SESSION_CALLS, sells, type TopUp } from '../pay/ledger/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { parseAsk } from '../wire/toll/index.ts';
import { boundFingerprint } from './identities.ts';
import { SESSION_LIFE_MS } from './limits.ts';
import type { PaymentWatch } from './payments.ts';
import { makeInvoice, priceLine } from './pricing.ts';
import type { Service } from './service.ts';
import type { Asker, UnpaidPlaces } from './unpaid-places.ts';

/** What the desk works with. */
export interface TopUpParts {
  readonly keys: HostKeys;
  readonly books: Books;
  readonly wallet: Wallet;
  readonly payments: PaymentWatch;
  readonly services: ReadonlyMap<string, Service>;
  readonly clock: Clock;
  readonly places: UnpaidPlaces;
}

/** Where top-ups are ordered. */
export class TopUpDesk {
  readonly #parts: TopUpParts;
  /** Those under way, by session and id: a repeat joins the first. */
  readonly #running = new Map<string, Promise<Json>>();

  constructor(parts: TopUpParts) {
    this.#parts = parts;
  }

  /**
   * Answers a question for more calls.
   * @throws Fault `REQUEST_MALFORMED`, `CODE_*`, `SESSION_*`, `SERVICE_*`, `TOPUP_CONFLICT`,
   * `SETUP_BUSY`, `SETUP_PREPAID`, `SETUP_LIABILITY`, `HOST_WALLET`
   */
  async answer(params: Json, credential: string, address: string): Promise<Json> {
    const { books, payments } = this.#parts;
    const order = readOrder(params);
    const session = await this.#authenticate(order, credential);
    const known = await books.topUpOf(session.terms.session, order.id);
    if (known !== undefined) return this.#again(session, order, known);
    if (!session.state.paid) await payments.refresh().catch(() => undefined);
    const key = `${session.terms.session} ${order.id} ${order.service} ${order.calls}`;
    return this.#running.get(key) ?? this.#start(key, session, order, address);
  }

  /** The same quote, with the news that it was paid. */
  async #again(session: Session, order: TopUpOrder, known: TopUp): Promise<Json> {
    const { books, payments } = this.#parts;
    const { session: id, codeKey } = session.terms;
    const same = known.service === order.service && known.calls === order.calls;
    if (!same) throw new Fault('TOPUP_CONFLICT');
    // The payer may be faster than the wallet's wake-up.
    if (!known.paid) await payments.refresh().catch(() => undefined);
    const now = (await books.topUpOf(id, order.id)) ?? known;
    // Of one that nobody paid in time the invoice is gone; paid late, it counts all the same.
    const gone = now.reply.length === 0;
    if (gone && !now.paid) throw new Fault('SETUP_EXPIRED', { id: order.id });
    const { code: _, ...quote } = gone ? termsOf(now) : jsonObject(parseJson(now.reply));
    return printTopUpQuote(codeKey, now.paid ? { ...quote, paid: true } : quote);
  }

  #start(key: string, session: Session, order: TopUpOrder, address: string): Promise<Json> {
    const { books, places, clock } = this.#parts;
    const now = clock.now();
    const asker = { address, payer: session.terms.payer };
    const leave = places.begin(asker, books.unpaidCount(now) + this.#running.size, now);
    const running = this.#open(session.terms.session, order, asker).finally(() => {
      this.#running.delete(key);
      leave();
    });
    this.#running.set(key, running);
    return running;
  }

  async #open(id: string, order: TopUpOrder, asker: Asker): Promise<Json> {
    const { books, services, wallet, places } = this.#parts;
    const session = await books.session(id);
    if (!session) throw new Fault('SESSION_UNKNOWN');
    if (!session.state.paid) throw new Fault('SESSION_UNPAID');
    // What was refunded would come back at the price of then.
    const { refundedMsat } = await books.refundTotals(id);
    if (refundedMsat > 0n || session.state.refundingMsat > 0n) throw new Fault('TOPUP_REFUNDED');
    const line = priceLine(services, order);
    const free = line.totalMsat === ZERO_MSAT;
    if (free || session.bought.calls + order.calls > MAX_SESSION_CALLS) {
      throw new Fault('SERVICE_QUANTITY', { reason: free ? 'it costs nothing' : 'too many' });
    }
    places.assertShare(asker, line.totalMsat, books.limits.maxLiabilityMsat);
    const room = await books.room({ payer: session.terms.payer, totalMsat: line.totalMsat });
    try {
      const created = await makeInvoice(wallet, [line], line.totalMsat);
      const { paymentHash, expiresAtMs: payByMs } = created;
      const expiresAtMs = this.#endOf(session);
      const { service, calls, totalMsat } = line;
      const quote = {
        id: order.id,
        session: id,
        service,
        calls,
        total_msat: `${totalMsat}`,
        invoice: created.invoice,
        pay_by_ms: payByMs,
        expires_at_ms: expiresAtMs,
      };
      const reply = utf8(JSON.stringify(printTopUpQuote(session.terms.codeKey, quote)));
      const named = { session: id, id: order.id };
      const terms = { paymentHash, payByMs, expiresAtMs, paid: false };
      const topUp = await books.topUp({ ...line, ...named, ...terms, reply });
      // Another order under the same id was faster.
      if (topUp.service !== service || topUp.calls !== calls) throw new Fault('TOPUP_CONFLICT');
      const { payByMs: endMs, totalMsat: heldMsat } = topUp;
      places.take(asker, { paymentHash: topUp.paymentHash, totalMsat: heldMsat, endMs });
      return parseJson(topUp.reply);
    } finally {
      room.leave();
    }
  }

  /** A top-up prolongs: the session lives as long as one that is bought now. */
  #endOf({ bought }: Session): ReturnType<typeof unixMs> {
    return unixMs(Math.max(bought.expiresAtMs, this.#parts.clock.now() + SESSION_LIFE_MS));
  }

  /** @throws Fault `CODE_MALFORMED`, `SESSION_UNKNOWN`, `CODE_INVALID`, `SERVICE_UNKNOWN` */
  async #authenticate(order: TopUpOrder, credential: string): Promise<Session> {
    const { session: id, salt, code } = parseAsk(credential);
    const session = await this.#parts.books.session(id);
    if (!session) throw new Fault('SESSION_UNKNOWN');
    boundFingerprint(this.#parts.keys, code, (host) =>
      topUpCode(session.terms.codeKey, { host, session: id, salt, ...order }),
    );
    if (!sells(session.terms, order.service)) {
      throw new Fault('SERVICE_UNKNOWN', { sold: session.terms.service });
    }
    return session;
  }
}

/** What is left of a quote without its invoice. */
function termsOf(topUp: TopUp): JsonObject {
  const { id, session, service, calls, totalMsat, payByMs, expiresAtMs } = topUp;
  const times = { pay_by_ms: payByMs, expires_at_ms: expiresAtMs };
  return { id, session, service, calls, total_msat: `${totalMsat}`, ...times };
}

const ID = /^[0-9a-f]{32}$/;

/** @throws Fault `REQUEST_MALFORMED` */
function readOrder(params: Json): TopUpOrder {
  try {
    const { id, service, calls } = jsonObject(params);
    if (typeof id === 'string' && ID.test(id) && typeof service === 'string') {
      if (Number.isSafeInteger(calls) && Number(calls) > 0) {
        return { id, service, calls: Number(calls) };
      }
    }
  } catch {
    // Reported below.
  }
  throw new Fault('REQUEST_MALFORMED', { where: 'top-up' });
}
