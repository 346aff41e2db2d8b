/**
 * The buying role: connect to a host, buy a bundle, call.
 *
 * A purchase is recorded before anything is sent and moves `made` -> `paying` -> `paid` or
 * `failed`.
 * After a crash it goes on from its record: the same set-up message gets the same invoice, and the
 * wallet pays one payment hash once.
 * @module
 */
import { fromHex, toHex } from '../base/bytes/index.ts';
import { Fault, isFault } from '../base/fault/index.ts';
import { sha256 } from '../base/hash/index.ts';
import type { Log } from '../base/log/index.ts';
import { ZERO_MSAT, maxMsat, msat, mulDivCeil, type Msat } from '../base/money/index.ts';
import { unixMs } from '../base/time/index.ts';
import { bundleTotalMsat } from '../pay/price/index.ts';
import type { PayerKeyring, PayerKeys } from '../port/keys/index.ts';
import type { Purchase, PurchaseChange } from '../port/store/index.ts';
import type { Outgoing, Wallet } from '../port/wallet/index.ts';
import { priceFromJson } from '../wire/toll/index.ts';
import {
  INVOICE_MARGIN_MS,
  MAX_FEE_MILLIONTHS,
  MIN_FEE_LIMIT_MSAT,
  PAY_TIMEOUT_MS,
} from './limits.ts';
import { openLink, type Link, type LinkParts, type Trust } from './link.ts';
import { parseRecord, printRecord } from './record.ts';
import { makeSetup, openReply } from './setup.ts';
import { PayerSession } from './session.ts';

/** What a payer is made of. */
export interface PayerParts extends LinkParts {
  readonly wallet: Wallet;
  readonly log: Log;
  readonly keyring: PayerKeyring;
}

/** What to buy. */
export interface BuyRequest {
  readonly service: string;
  readonly calls: number;
  /** The most that all calls together may cost, routing fees left out. */
  readonly maxTotalMsat: Msat;
  /** 16 bytes, hex: the same id is the same purchase, also after a crash. Absent: a new one. */
  readonly purchaseId?: string;
}

/** The buying role. */
export class Payer {
  readonly #parts: PayerParts;
  #keys: Promise<PayerKeys> | undefined;

  constructor(parts: PayerParts) {
    this.#parts = parts;
  }

  /** Meets a host. @throws Fault `HOST_KEY_CHANGED`, `HOST_UNREACHABLE`, `HOST_FOREIGN` */
  connect(url: string, trust: Trust = {}): Promise<Link> {
    return openLink(this.#parts, url, trust);
  }

  /**
   * Buys a bundle of calls, or goes on with a purchase that was begun.
   * @throws Fault `PAYMENT_UNKNOWN` with the purchase's id: the same id finds out
   */
  async buy(link: Link, request: BuyRequest): Promise<PayerSession> {
    const id = request.purchaseId ?? toHex(this.#parts.random.bytes(16));
    try {
      const known = await this.#parts.store.purchase(id);
      if (known) assertSameOrder(link, known, request);
      return await this.#finish(link, known ?? (await this.#order(link, id, request)));
    } catch (error) {
      if (!isFault(error)) throw error;
      throw new Fault(error.code, { ...error.facts, purchase: id }, error);
    }
  }

  /**
   * Goes on with every payment to this host whose outcome is open, and reports those that
   * succeeded.
   * Orders that were never paid for are left: only their id buys them.
   */
  async resume(link: Link): Promise<readonly PayerSession[]> {
    const filter = { host: link.url, states: ['paying'] as const };
    const sessions: PayerSession[] = [];
    for (const purchase of await this.#parts.store.purchases(filter)) {
      try {
        sessions.push(await this.#finish(link, purchase));
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#parts.log.warn('purchase not finished', { code: error.code });
      }
    }
    return sessions;
  }

  /** The sessions that were bought from this host before, oldest first. */
  async sessions(link: Link): Promise<readonly PayerSession[]> {
    const bought = await this.#parts.store.purchases({ host: link.url, states: ['paid'] });
    return bought.map((purchase) => this.#session(link, purchase));
  }

  async #order(link: Link, id: string, request: BuyRequest): Promise<Purchase> {
    const { service, calls, maxTotalMsat } = request;
    const sold = link.description.services.find(({ name }) => name === service);
    if (!sold) throw new Fault('SERVICE_UNKNOWN', { service });
    if (!Number.isInteger(calls) || calls < 1 || calls > sold.max_calls) {
      throw new Fault('SERVICE_QUANTITY', { min: 1, max: sold.max_calls });
    }
    const price = bundleTotalMsat(priceFromJson(sold.price), calls);
    if (price > maxTotalMsat)
      throw new Fault('PAYMENT_PRICE', { asked: `${price}`, limit: `${maxTotalMsat}` });
    // Keys that could not be made are tried again at the next order.
    this.#keys ??= this.#parts.keyring.make().catch((error: unknown) => {
      this.#keys = undefined;
      throw error;
    });
    const setup = makeSetup(request, link.key, await this.#keys, this.#parts.random);
    const inserted = await this.#parts.store.insertPurchase({
      id,
      host: link.url,
      service,
      amountMsat: ZERO_MSAT,
      madeAtMs: this.#parts.clock.now(),
      record: printRecord(setup),
    });
    // Another process may have used the id in the meantime.
    assertSameOrder(link, inserted.purchase, request);
    return inserted.purchase;
  }

  async #finish(link: Link, from: Purchase): Promise<PayerSession> {
    let purchase = from;
    if (purchase.state === 'made' && purchase.session === undefined) {
      purchase = await this.#setUp(link, purchase);
    }
    if (purchase.state === 'made') purchase = await this.#update(purchase, { state: 'paying' });
    if (purchase.state === 'paying') purchase = await this.#pay(purchase);
    if (purchase.state === 'failed') purchase = await this.#lookAgain(purchase);
    return this.#session(link, purchase);
  }

  /** Sends the order and checks the quote; a refusal for good ends the purchase. */
  async #setUp(link: Link, purchase: Purchase): Promise<Purchase> {
    const record = parseRecord(purchase.record);
    if (record.stage !== 'setup') throw new Fault('STORE_CORRUPT', { what: 'purchase record' });
    try {
      const reply = await link.ask('toll.setup', record.request);
      const { network } = await this.#parts.wallet.info();
      const { keyring, clock, store } = this.#parts;
      const check = {
        host: link.key,
        service: purchase.service,
        network,
        nowMs: clock.now(),
        keyring,
      };
      const quote = await openReply(reply, record, check);
      const other = await store.purchaseBySession(quote.session);
      // The host chooses the session's id; it must not name what another host has sold.
      if (other && other.id !== purchase.id) throw new Fault('HOST_TERMS', { where: 'session' });
      return await this.#update(purchase, {
        session: quote.session,
        paymentHash: quote.paymentHash,
        amountMsat: quote.totalMsat,
        record: printRecord(quote.record),
      });
    } catch (error) {
      const refused = isFault(error) && error.row.money === 'unspent' && error.row.retry !== 'same';
      if (refused) await this.#update(purchase, { state: 'failed' });
      throw error;
    }
  }

  /** The wallet has the last word: a payment that failed here may have succeeded from elsewhere. */
  async #lookAgain(purchase: Purchase): Promise<Purchase> {
    const { paymentHash, id } = purchase;
    const known =
      paymentHash === undefined ? undefined : await this.#parts.wallet.outgoing(paymentHash);
    if (known?.state === 'paid') return this.#update(purchase, { state: 'paid' });
    if (known?.state === 'pending') throw new Fault('PAYMENT_UNKNOWN', { purchase: id });
    throw new Fault(known?.reason ?? 'PAYMENT_FAILED', { purchase: id });
  }

  /** Pays the invoice of a purchase; what the wallet knows already is not paid again. */
  async #pay(purchase: Purchase): Promise<Purchase> {
    const { wallet } = this.#parts;
    const { paymentHash = '', amountMsat } = purchase;
    const known = await wallet.outgoing(paymentHash);
    const outcome = known && known.state !== 'pending' ? known : await this.#start(purchase);
    switch (outcome.state) {
      case 'paid':
        if (toHex(sha256(fromHex(outcome.preimage, 'preimage'))) !== paymentHash) {
          throw new Fault('WALLET_BROKEN', { where: 'preimage' });
        }
        this.#parts.log.info('bundle paid', { paymentHash, amountMsat, feeMsat: outcome.feeMsat });
        return this.#update(purchase, { state: 'paid' });
      case 'failed':
        await this.#update(purchase, { state: 'failed' });
        throw new Fault(outcome.reason, { purchase: purchase.id });
      case 'pending':
        throw new Fault('PAYMENT_UNKNOWN', { purchase: purchase.id });
    }
  }

  async #start(purchase: Purchase): Promise<Outgoing> {
    const { wallet, clock } = this.#parts;
    const record = parseRecord(purchase.record);
    if (record.stage !== 'session') throw new Fault('STORE_CORRUPT', { what: 'purchase record' });
    try {
      if (unixMs(record.payByMs - INVOICE_MARGIN_MS) < clock.now())
        throw new Fault('INVOICE_EXPIRED');
      return await wallet.pay({
        invoice: record.invoice,
        maxFeeMsat: feeLimit(purchase.amountMsat),
        timeoutMs: PAY_TIMEOUT_MS,
      });
    } catch (error) {
      // A refusal before anything was sent ends the purchase, unless an earlier try is still open.
      const refused = isFault(error) && error.row.money === 'unspent';
      const open = await wallet.outgoing(purchase.paymentHash ?? '');
      if (open) return open;
      if (refused) await this.#update(purchase, { state: 'failed' });
      throw error;
    }
  }

  /**
   * Writes a change. If another process was faster, its state is what counts; but that it was paid
   * always does.
   */
  async #update(
    purchase: Purchase,
    change: Omit<PurchaseChange, 'id' | 'version'>,
  ): Promise<Purchase> {
    const { id, version } = purchase;
    const updated = await this.#parts.store.updatePurchase({ id, version, ...change });
    if (updated.kind === 'unknown') throw new Fault('STORE_CORRUPT', { what: 'purchase' });
    const overtaken = updated.kind === 'stale' && change.state === 'paid';
    if (overtaken && updated.purchase.state !== 'paid')
      return this.#update(updated.purchase, change);
    return updated.purchase;
  }

  #session(link: Link, purchase: Purchase): PayerSession {
    const record = parseRecord(purchase.record);
    const { session, service, paymentHash } = purchase;
    if (record.stage !== 'session' || session === undefined || paymentHash === undefined) {
      throw new Fault('STORE_CORRUPT', { what: 'purchase record' });
    }
    const { codeKey } = record;
    return new PayerSession(this.#parts, link, { session, service, codeKey, paymentHash });
  }
}

/** @throws Fault `PURCHASE_CONFLICT` when the id stands for another order */
function assertSameOrder(link: Link, known: Purchase, request: BuyRequest): void {
  const { service, calls } = request;
  const same =
    known.host === link.url &&
    known.service === service &&
    parseRecord(known.record).calls === calls;
  if (!same) throw new Fault('PURCHASE_CONFLICT', { purchase: known.id });
}

function feeLimit(amountMsat: Msat): Msat {
  return maxMsat(mulDivCeil(amountMsat, MAX_FEE_MILLIONTHS, 1_000_000n), msat(MIN_FEE_LIMIT_MSAT));
}
