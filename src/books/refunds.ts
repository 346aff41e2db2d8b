/**
 * Refunds in the books: the money is set aside before anyone pays, and leaves or returns once.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import { ZERO_MSAT, minMsat } from '../base/money/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import {
  creditOf,
  refundEndTransfers,
  refundFeeLimit,
  refundTransfers,
  refundableMsat,
  setAsideMsat,
  stateOf,
  type Refund,
  type RefundEnd,
} from '../pay/ledger/index.ts';
import type { HostStore } from '../port/store/index.ts';
import type { RefundRequest } from './books.ts';
import { rowNow, type HotSession } from './hot-session.ts';
import type { BooksLimits } from './limits.ts';
import type { Writer } from './writer.ts';

/** What refunds work with. */
export interface RefundContext {
  readonly store: HostStore;
  readonly writer: Writer;
  readonly limits: BooksLimits;
  /** Uses a session in memory; it has to be pinned before the first await. */
  with<T>(session: string, use: (hot: HotSession) => Promise<T>): Promise<T>;
  now(): UnixMs;
}

/** The refunds of a host. */
export class Refunds {
  readonly #context: RefundContext;
  /** Asked for and not ended, by payment hash: the set of sessions and of places that are taken. */
  readonly #open: Map<string, Pick<Refund, 'session'>>;
  /** What is being written for a hash: one thing at a time. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(context: RefundContext, open: readonly Refund[]) {
    this.#context = context;
    this.#open = new Map(open.map((refund) => [refund.paymentHash, refund]));
  }

  /** Sets a refund aside; a repeat gets it as it is now. @throws Fault of `Books.refund` */
  ask(request: RefundRequest): Promise<Refund> {
    return this.#inTurn(request.paymentHash, async () => {
      const before = await this.#context.store.refund(request.paymentHash);
      if (before !== undefined) return same(before, request);
      const { session } = request;
      const { lastAskedAtMs } = await this.#context.store.refundTotals(session);
      const paidAtMs = await this.#paidAtMs(session);
      // The distance: nobody has to wait for days because a clock was set back.
      const sinceMs = Math.abs(this.#context.now() - Math.max(lastAskedAtMs, paidAtMs));
      return this.#context.with(session, (hot) => this.#setAside(request, hot, sinceMs));
    });
  }

  /** A refund has ended; a repeat changes nothing. */
  end(paymentHash: string, end: RefundEnd): Promise<Refund> {
    return this.#inTurn(paymentHash, async () => {
      const refund = await this.#context.store.refund(paymentHash);
      if (refund === undefined) throw new Error('invariant: what ends was asked for');
      if (refund.state === 'refunding') {
        await this.#context.with(refund.session, (hot) => this.#end(refund, end, hot));
      }
      this.#open.delete(paymentHash);
      return (await this.#context.store.refund(paymentHash)) ?? refund;
    });
  }

  /** Is a refund of this session under way? */
  isOpen(session: string): boolean {
    return [...this.#open.values()].some((refund) => refund.session === session);
  }

  async #setAside(request: RefundRequest, hot: HotSession, sinceMs: number): Promise<Refund> {
    const { limits, writer } = this.#context;
    const { paymentHash, amountMsat, session } = request;
    const feeLimitMsat = refundFeeLimit(amountMsat);
    const asked = { ...request, feeLimitMsat, askedAtMs: this.#context.now() } as const;
    const refund: Refund = { ...asked, state: 'refunding', feeMsat: ZERO_MSAT };
    if (!stateOf(hot.row, hot.calls).paid) throw new Fault('SESSION_UNPAID');
    const creditMsat = creditOf(rowNow(hot), hot.calls);
    const most = refundableMsat(creditMsat);
    if (most === ZERO_MSAT) throw new Fault('REFUND_DUST', { creditMsat: `${creditMsat}` });
    if (amountMsat > most) throw new Fault('REFUND_EXCEEDS', { refundableMsat: `${most}` });
    const waitMs = limits.refundAfterMs - sinceMs;
    if (waitMs > 0) throw new Fault('REFUND_EARLY', { waitMs });
    if (this.isOpen(session) || this.#open.size >= limits.openRefunds) {
      throw new Fault('REFUND_BUSY');
    }
    this.#open.set(paymentHash, refund);
    const transfers = refundTransfers(refund);
    const { code } = await writer.group({ refund, transfers }, hot, setAsideMsat(refund));
    if (code === 'ok') return refund;
    // All that the ledger could refuse was checked before.
    throw new Fault('HOST_BROKEN', { reason: code });
  }

  async #end(refund: Refund, told: RefundEnd, hot: HotSession): Promise<void> {
    const { paymentHash, feeLimitMsat } = refund;
    const end: RefundEnd =
      told.state === 'failed' ? told : { ...told, feeMsat: minMsat(told.feeMsat, feeLimitMsat) };
    const transfers = refundEndTransfers(refund, end, this.#context.now());
    const group = { transfers, refundEnd: { paymentHash, end } };
    const { code } = await this.#context.writer.group(group, hot);
    if (code !== 'ok') throw new Fault('HOST_BROKEN', { reason: code });
  }

  /** When the session was paid for; the payment's transfer is named by its hash. */
  async #paidAtMs(session: string): Promise<number> {
    const row = await this.#context.store.session(session);
    const payment = row && (await this.#context.store.transfer(row.terms.paymentHash));
    return payment?.atMs ?? 0;
  }

  async #inTurn<T>(paymentHash: string, work: () => Promise<T>): Promise<T> {
    for (;;) {
      const before = this.#turns.get(paymentHash);
      if (before === undefined) break;
      await before.catch(() => undefined);
    }
    const mine = work();
    this.#turns.set(paymentHash, mine);
    try {
      return await mine;
    } finally {
      this.#turns.delete(paymentHash);
    }
  }
}

/** The refund that stands under this hash, if it is the one that is asked for. */
function same(refund: Refund, request: RefundRequest): Refund {
  const { session, invoice, amountMsat } = request;
  const asked =
    refund.session === session && refund.invoice === invoice && refund.amountMsat === amountMsat;
  if (!asked) throw new Fault('REFUND_HASH_USED');
  return refund;
}
