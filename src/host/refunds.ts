/**
 * Refunds: the spender asks, the money is set aside, the wallet pays, and whatever happens in
 * between it is paid once or comes back. States, beliefs and losses: docs/refunds.md.
 * @module
 */
import { fromHex, toHex } from '../base/bytes/index.ts';
import { Fault, asFault, isFault } from '../base/fault/index.ts';
import { sha256 } from '../base/hash/index.ts';
import { jsonObject, type Json } from '../base/json/index.ts';
import type { Log } from '../base/log/index.ts';
import { ZERO_MSAT, parseMsat, type Msat } from '../base/money/index.ts';
import type { Clock } from '../base/time/index.ts';
import { decodeInvoice, invoiceExpiresAtMs, type Invoice } from '../bitcoin/bolt/index.ts';
import type { Books } from '../books/index.ts';
import { refundCode } from '../pay/bundle/index.ts';
import type { Refund, RefundEnd } from '../pay/ledger/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import type { Outgoing, Wallet } from '../port/wallet/index.ts';
import { parseAsk } from '../wire/toll/index.ts';
import { boundFingerprint } from './identities.ts';
import {
  MAX_INVOICE_TEXT,
  MAX_REFUND_CLTV_BLOCKS,
  MAX_REFUND_EXPIRY_MS,
  MAX_REFUND_ROUTE_BLOCKS,
  MIN_REFUND_EXPIRY_MS,
  REFUND_ANSWER_MS,
  REFUND_CERTAIN_MS,
  REFUND_PAY_MS,
  REFUND_POLL_MS,
} from './limits.ts';

/** What the refund desk works with. */
export interface RefundParts {
  readonly keys: HostKeys;
  readonly wallet: Wallet;
  readonly books: Books;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where refunds are asked for, and seen through to their end. */
export class RefundDesk {
  readonly #parts: RefundParts;
  /** Refunds that are being paid or looked up right now, by payment hash: one look at a time. */
  readonly #running = new Map<string, Promise<void>>();
  /**
   * Refunds of which a request may still be on its way to the wallet: those of an earlier process,
   * and those whose request was not answered. That they failed is not certain before their invoice
   * has expired: the request could arrive later and start the payment again.
   */
  readonly #unsure = new Set<string>();
  /** Invoices of refunds under way, by their text: whoever waits asks again and again. */
  readonly #invoices = new Map<string, Invoice>();
  #stopped = false;
  #stopPolling = (): void => undefined;

  constructor(parts: RefundParts) {
    this.#parts = parts;
  }

  /** Goes on with every refund that has not ended, now and again and again. */
  async start(): Promise<void> {
    for (const refund of await this.#parts.books.openRefunds()) {
      this.#unsure.add(refund.paymentHash);
    }
    this.#poll(0);
  }

  /** Stops; what does not end in `graceMs` stays set aside and is found again at the next start. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#stopPolling();
    await this.#inTime(Promise.allSettled(this.#running.values()), graceMs);
  }

  /**
   * Answers a request for a refund; a repeat gets the same refund as it is then.
   * @throws Fault `REQUEST_MALFORMED`, `CODE_*`, `SESSION_*`, `REFUND_*`, `HOST_WALLET`
   */
  async answer(params: Json, credential: string): Promise<Json> {
    const { text, amountMsat } = readParams(params);
    const session = await this.#authenticate(credential, text, amountMsat);
    const invoice = this.#invoices.get(text) ?? readInvoice(text);
    const { paymentHash } = invoice;
    const asked = { session, paymentHash, invoice: text, amountMsat };
    const known = await this.#parts.books.refundOf(paymentHash);
    if (known === undefined) await this.#check(invoice, amountMsat);
    const refund = await this.#parts.books.refund(asked);
    if (refund.state === 'refunding') {
      this.#invoices.set(text, invoice);
      await this.#inTime(this.#advance(refund), REFUND_ANSWER_MS);
    }
    return describe((await this.#parts.books.refundOf(paymentHash)) ?? refund);
  }

  /** The session whose owner asks. */
  async #authenticate(credential: string, invoice: string, amountMsat: Msat): Promise<string> {
    const { session: id, salt, code } = parseAsk(credential);
    const session = await this.#parts.books.session(id);
    if (!session) throw new Fault('SESSION_UNKNOWN');
    boundFingerprint(this.#parts.keys, code, (host) =>
      refundCode(session.terms.codeKey, { host, session: id, salt, invoice, amountMsat }),
    );
    return id;
  }

  /** What can be said against a new invoice, in order of precedence. */
  async #check(invoice: Invoice, amountMsat: Msat): Promise<void> {
    const { wallet, clock } = this.#parts;
    const { paymentHash } = invoice;
    const [{ network, nodeId }, own, paid] = await fromWallet(
      Promise.all([wallet.info(), wallet.incoming(paymentHash), wallet.outgoing(paymentHash)]),
    );
    if (invoice.network !== network) throw new Fault('REFUND_NETWORK', { network });
    if (invoice.payee === nodeId || own !== undefined) throw new Fault('REFUND_OWN');
    const asked = invoice.amountMsat ?? amountMsat;
    if (amountMsat === ZERO_MSAT || asked !== amountMsat) throw new Fault('REFUND_AMOUNT');
    if (paid !== undefined) throw new Fault('REFUND_HASH_USED');
    if (invoiceExpiresAtMs(invoice) < clock.now() + MIN_REFUND_EXPIRY_MS) {
      throw new Fault('REFUND_EXPIRED');
    }
    if (invoiceExpiresAtMs(invoice) > clock.now() + MAX_REFUND_EXPIRY_MS) {
      throw new Fault('REFUND_LONG', { maxMs: MAX_REFUND_EXPIRY_MS });
    }
    const max = MAX_REFUND_CLTV_BLOCKS;
    const blocks = invoice.minFinalCltvExpiryBlocks;
    if (blocks > max || blocks + longestHintBlocks(invoice) > MAX_REFUND_ROUTE_BLOCKS) {
      throw new Fault('REFUND_CLTV', { max });
    }
  }

  /** Pays, or finds out what became of the payment. */
  #advance(refund: Refund): Promise<void> {
    const { paymentHash } = refund;
    const running = this.#running.get(paymentHash) ?? this.#look(refund);
    this.#running.set(paymentHash, running);
    return running;
  }

  async #look(refund: Refund): Promise<void> {
    const { paymentHash, amountMsat } = refund;
    try {
      // What was read before may have ended since; what has failed is never paid again.
      const now = await this.#parts.books.refundOf(paymentHash);
      if (now?.state !== 'refunding') return void this.#invoices.delete(refund.invoice);
      const end = await this.#outcome(refund);
      if (end === undefined) return;
      await this.#parts.books.refundEnded(paymentHash, end);
      this.#unsure.delete(paymentHash);
      this.#invoices.delete(refund.invoice);
      this.#parts.log.info(`payment of a refund: ${end.state}`, { paymentHash, amountMsat });
    } catch (error) {
      // Nothing is certain: it stays set aside and is looked up again.
      this.#parts.log.warn('a refund could not be looked up', { paymentHash }, error);
    } finally {
      this.#running.delete(paymentHash);
    }
  }

  /** How it ended, if that is certain. */
  async #outcome(refund: Refund): Promise<RefundEnd | undefined> {
    const known = await this.#parts.wallet.outgoing(refund.paymentHash);
    const end = known === undefined ? await this.#pay(refund) : ended(refund, known);
    if (end?.state !== 'failed' || !this.#unsure.has(refund.paymentHash)) return end;
    const expiredAtMs = invoiceExpiresAtMs(this.#invoiceOf(refund));
    return this.#parts.clock.now() > expiredAtMs + REFUND_CERTAIN_MS ? end : undefined;
  }

  #invoiceOf({ invoice: text }: Refund): Invoice {
    const invoice = this.#invoices.get(text) ?? decodeInvoice(text);
    this.#invoices.set(text, invoice);
    return invoice;
  }

  async #pay(refund: Refund): Promise<RefundEnd | undefined> {
    const { wallet } = this.#parts;
    try {
      return ended(refund, await wallet.pay(payRequest(refund)));
    } catch (error) {
      if (!isFault(error) || error.row.money !== 'unspent') {
        this.#unsure.add(refund.paymentHash);
        throw error;
      }
      // What a wallet refuses before it has started anything has failed, unless it had started.
      const open = await wallet.outgoing(refund.paymentHash);
      return open ? ended(refund, open) : { state: 'failed', reason: error.code };
    }
  }

  async #inTime(work: Promise<unknown>, limitMs: number): Promise<void> {
    const late = new AbortController();
    const limit = this.#parts.clock.sleep(limitMs, late.signal).catch(() => undefined);
    await Promise.race([work, limit]);
    late.abort();
  }

  #poll(afterMs: number): void {
    if (this.#stopped) return;
    this.#stopPolling = this.#parts.clock.timer(afterMs, () => {
      void this.#lookAtAll().finally(() => this.#poll(REFUND_POLL_MS));
    });
  }

  async #lookAtAll(): Promise<void> {
    try {
      for (const refund of await this.#parts.books.openRefunds()) {
        if (!this.#stopped) void this.#advance(refund);
      }
    } catch (error) {
      this.#parts.log.warn('open refunds could not be read', {}, asFault(error));
    }
  }
}

function payRequest(refund: Refund): Parameters<Wallet['pay']>[0] {
  const { invoice, amountMsat, feeLimitMsat: maxFeeMsat } = refund;
  return { invoice, amountMsat, maxFeeMsat, timeoutMs: REFUND_PAY_MS };
}

/** The end that a payment says; none while it is open, or when its proof is none. */
function ended(refund: Refund, payment: Outgoing): RefundEnd | undefined {
  switch (payment.state) {
    case 'pending':
      return undefined;
    case 'failed':
      return { state: 'failed', reason: payment.reason };
    case 'paid': {
      const preimage = fromHex(payment.preimage, 'preimage');
      if (toHex(sha256(preimage)) !== refund.paymentHash) {
        throw new Fault('WALLET_BROKEN', { where: 'preimage' });
      }
      return { state: 'refunded', feeMsat: payment.feeMsat };
    }
  }
}

function longestHintBlocks({ routes }: Invoice): number {
  const lengths = routes.map((hops) =>
    hops.reduce((blocks, hop) => blocks + hop.cltvExpiryDeltaBlocks, 0),
  );
  return Math.max(0, ...lengths);
}

function readParams(params: Json): { readonly text: string; readonly amountMsat: Msat } {
  try {
    const { invoice: text, amount_msat: amount } = jsonObject(params);
    if (typeof text !== 'string' || text.length > MAX_INVOICE_TEXT) throw new Error('invoice');
    return { text, amountMsat: parseMsat(amount) };
  } catch {
    throw new Fault('REQUEST_MALFORMED', { name: 'params' });
  }
}

function readInvoice(text: string): Invoice {
  try {
    return decodeInvoice(text);
  } catch (error) {
    throw new Fault('REFUND_INVOICE', { reason: asFault(error).code });
  }
}

async function fromWallet<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw new Fault('HOST_WALLET', {}, error);
  }
}

function describe(refund: Refund): Json {
  const { paymentHash, state, amountMsat, feeMsat, reason } = refund;
  return {
    payment_hash: paymentHash,
    state,
    amount_msat: amountMsat.toString(),
    fee_msat: feeMsat.toString(),
    ...(reason === undefined ? {} : { reason }),
  };
}
