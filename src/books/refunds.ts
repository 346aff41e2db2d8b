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
  type SessionState,
} from '../pay/ledger/index.ts';
import type { HostStore } from '../port/store/index.ts';
import type { RefundRequest } from './books.ts';
import { rowNow, type HotSession } from './hot-session.ts';
import { FREE_REFUNDS, MAX_REFUND_DOUBLINGS, type BooksLimits } from './limits.ts';
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

/** What a request for a refund is held against. */
export type RefundState = Pick<SessionState, 'paid' | 'creditMsat'>;

/** A refund that takes a place. */
interface OpenRefund {
  readonly session: string;
  /** Undefined: it was open when the books were opened, and nobody has looked yet. */
  payer: string | undefined;
}

/** Who asks, and how long it has to wait. */
interface Asker {
  readonly waitMs: number;
  readonly payer: string | undefined;
  /** More calls can still be paid for, at the price of now. */
  readonly topUpOpen: boolean;
}

/** The refunds of a host. */
export class Refunds {
  readonly #context: RefundContext;
  /** Asked for and not ended, by payment hash: the set of sessions and of places that are taken. */
  readonly #open: Map<string, OpenRefund>;
  /** What is being written for a hash: one thing at a time. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(context: RefundContext, open: readonly Refund[]) {
    this.#context = context;
    this.#open = new Map(
      open.map(({ paymentHash, session }) => [paymentHash, { session, payer: undefined }]),
    );
  }

  /** Sets a refund aside; a repeat gets it as it is now. @throws Fault of `Books.refund` */
  ask(request: RefundRequest): Promise<Refund> {
    return this.#inTurn(request.paymentHash, async () => {
      const before = await this.#context.store.refund(request.paymentHash);
      if (before !== undefined) return same(before, request);
      const asker = await this.#asker(request.session);
      return this.#context.with(request.session, (hot) => this.#setAside(request, hot, asker));
    });
  }

  /**
   * Looks at a request whose session has to be closed before it is asked.
   * @throws Fault where it would be refused in a session that stands like this
   */
  async check(request: RefundRequest, state: RefundState): Promise<void> {
    const before = await this.#context.store.refund(request.paymentHash);
    if (before !== undefined) same(before, request);
    else this.#assertAllowed(request, state, await this.#asker(request.session));
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

  async #setAside(request: RefundRequest, hot: HotSession, asker: Asker): Promise<Refund> {
    const { writer } = this.#context;
    const { paymentHash, amountMsat } = request;
    const feeLimitMsat = refundFeeLimit(amountMsat);
    const asked = { ...request, feeLimitMsat, askedAtMs: this.#context.now() } as const;
    const refund: Refund = { ...asked, state: 'refunding', feeMsat: ZERO_MSAT };
    const { paid } = stateOf(hot.row, hot.calls);
    const creditMsat = creditOf(rowNow(hot), hot.calls);
    this.#assertAllowed(request, { paid, creditMsat }, asker);
    this.#open.set(paymentHash, { session: request.session, payer: asker.payer });
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

  #assertAllowed(request: RefundRequest, { paid, creditMsat }: RefundState, asker: Asker): void {
    if (!paid) throw new Fault('SESSION_UNPAID');
    const most = refundableMsat(creditMsat);
    if (most === ZERO_MSAT) throw new Fault('REFUND_DUST', { creditMsat: `${creditMsat}` });
    if (request.amountMsat > most) {
      throw new Fault('REFUND_EXCEEDS', { refundableMsat: `${most}` });
    }
    const { waitMs, payer, topUpOpen } = asker;
    if (waitMs > 0) throw new Fault('REFUND_EARLY', { waitMs });
    const { openRefunds, openRefundsPerPayer } = this.#context.limits;
    const mine = [...this.#open.values()].filter((one) => one.payer === payer).length;
    const full = this.#open.size >= openRefunds || mine >= openRefundsPerPayer;
    if (full || topUpOpen || this.isOpen(request.session)) throw new Fault('REFUND_BUSY');
  }

  async #asker(session: string): Promise<Asker> {
    const { store, limits } = this.#context;
    for (const one of this.#open.values()) one.payer ??= await this.#payerOf(one.session);
    const { lastAskedAtMs, lastPaidAtMs, count, ...totals } = await store.refundTotals(session);
    // The distance: nobody has to wait for days because a clock was set back.
    const sinceMs = Math.abs(this.#context.now() - Math.max(lastAskedAtMs, lastPaidAtMs));
    const waitMs = waitOf(count, limits) - sinceMs;
    const topUpOpen = totals.topUpUntilMs > this.#context.now();
    return { waitMs, topUpOpen, payer: await this.#payerOf(session) };
  }

  async #payerOf(session: string): Promise<string | undefined> {
    return (await this.#context.store.session(session))?.terms.payer;
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

/** From the last refund of a session to the next one: each leaves a row, and many have no use. */
function waitOf(refunds: number, { refundAfterMs }: BooksLimits): number {
  const doublings = Math.min(Math.max(0, refunds - FREE_REFUNDS), MAX_REFUND_DOUBLINGS);
  return refundAfterMs * 2 ** doublings;
}

/** The refund that stands under this hash, if it is the one that is asked for. */
function same(refund: Refund, request: RefundRequest): Refund {
  const { session, invoice, amountMsat } = request;
  const asked =
    refund.session === session && refund.invoice === invoice && refund.amountMsat === amountMsat;
  if (!asked) throw new Fault('REFUND_HASH_USED');
  return refund;
}
