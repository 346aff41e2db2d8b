/**
 * Money that comes in: each payment is booked once, to the session whose invoice it paid.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { Log } from '../base/log/index.ts';
import type { Msat } from '../base/money/index.ts';
import { sessionAccount, stateOf, type TopUp, type Transfer } from '../pay/ledger/index.ts';
import type { HostStore } from '../port/store/index.ts';
import type { Payment, Received } from './books.ts';
import type { HotSession } from './hot-session.ts';
import type { UnpaidSessions } from './unpaid.ts';
import type { Writer } from './writer.ts';

/** What payments work with. */
export interface IncomingContext {
  readonly store: HostStore;
  readonly writer: Writer;
  readonly unpaid: UnpaidSessions;
  readonly log: Log;
  /** Uses a session in memory; undefined when there is none of that id. */
  with<T>(session: string, use: (hot: HotSession) => Promise<T>): Promise<T | undefined>;
  /** The session is in the store no more. */
  gone(session: string): void;
}

/** The payments of a host. */
export class Incoming {
  readonly #context: IncomingContext;
  #cursor: bigint;

  /** @param cursor the wallet's position up to which payments are booked */
  constructor(context: IncomingContext, cursor: bigint) {
    this.#context = context;
    this.#cursor = cursor;
  }

  /** The wallet's position up to which payments are booked. */
  get cursor(): bigint {
    return this.#cursor;
  }

  /** Books a payment. */
  async receive(payment: Payment): Promise<Received> {
    const paid = await this.#paidFor(payment.paymentHash);
    if (paid !== undefined) {
      // In memory first: its version changes with the payment.
      const { session, topUp } = paid;
      const booked = await this.#context.with(session, (hot) => this.#book(payment, hot, topUp));
      if (booked !== undefined) return booked;
    }
    const outcome = (await this.#book(payment, undefined)) ?? 'unattributed';
    // Its session may have been opened meanwhile.
    return (await this.attribute(payment.paymentHash)) ? 'credited' : outcome;
  }

  /** Credits a payment to the session that it was for, if it was unattributed until now. */
  async attribute(paymentHash: string): Promise<boolean> {
    const { store } = this.#context;
    const payment = await store.transfer(paymentHash);
    if (payment?.credit !== 'unattributed') return false;
    const paid = await this.#paidFor(paymentHash);
    if (paid === undefined) return false;
    const { session, topUp } = paid;
    const transfer: Transfer = {
      ...payment,
      id: `attribute:${paymentHash}`,
      debit: 'unattributed',
      credit: sessionAccount(session),
      reason: 'attribute',
    };
    return (
      (await this.#context.with(session, (hot) => this.#attribute(transfer, hot, topUp))) ?? false
    );
  }

  /** Whose invoice it was. */
  async #paidFor(paymentHash: string): Promise<PaidFor | undefined> {
    const { store } = this.#context;
    const row = await store.sessionByPaymentHash(paymentHash);
    if (row !== undefined) return { session: row.terms.session, topUp: undefined };
    const topUp = await store.topUpByPaymentHash(paymentHash);
    return topUp && { session: topUp.session, topUp };
  }

  async #attribute(
    transfer: Transfer,
    hot: HotSession,
    topUp: TopUp | undefined,
  ): Promise<boolean> {
    const group = { transfers: [transfer], ...paidTopUp(topUp, transfer.amountMsat) };
    const { code } = await this.#context.writer.group(group, hot);
    this.#paid(hot, topUp);
    return code === 'ok';
  }

  /** Undefined: its order was forgotten just now, so nothing is booked yet. */
  async #book(
    payment: Payment,
    hot: HotSession | undefined,
    topUp?: TopUp,
  ): Promise<Received | undefined> {
    const { writer, log } = this.#context;
    const { paymentHash, cursor, receivedMsat } = payment;
    const transfers = [receipt(payment, hot)];
    const group = { transfers, cursor, ...paidTopUp(topUp, receivedMsat) };
    const { code } = await writer.group(group, hot);
    if (code === 'ok') {
      this.#advance(cursor);
      if (hot !== undefined) this.#paid(hot, topUp);
      return hot === undefined ? 'unattributed' : 'credited';
    }
    if (code === 'credit_account_unknown' && hot !== undefined) {
      this.#context.gone(hot.row.terms.session);
      return undefined;
    }
    // It is paid already, or was forgotten just now: then this is credit only.
    if (code === 'topup_unknown' && topUp !== undefined) return this.#book(payment, hot);
    // Nothing came in; what comes after it must not wait for ever.
    const nothing = code === 'amount_zero';
    if (!nothing && !code.startsWith('exists')) throw new Fault('MONEY_RANGE', { reason: code });
    if (code === 'exists_with_different_amount') {
      log.error('a payment was reported twice with different amounts', {
        paymentHash,
        amountMsat: payment.receivedMsat,
      });
    }
    await writer.group({ cursor });
    this.#advance(cursor);
    return nothing ? 'unattributed' : 'exists';
  }

  #paid({ row, calls }: HotSession, topUp: TopUp | undefined): void {
    if (topUp !== undefined) this.#context.unpaid.delete(topUp.paymentHash);
    if (stateOf(row, calls).paid) this.#context.unpaid.delete(row.terms.session);
  }

  #advance(cursor: bigint): void {
    if (cursor > this.#cursor) this.#cursor = cursor;
  }
}

/** What a payment was for. */
interface PaidFor {
  readonly session: string;
  readonly topUp: TopUp | undefined;
}

/** With the payment the session grows; one that is too small is credit only. */
function paidTopUp(topUp: TopUp | undefined, receivedMsat: Msat): { readonly topUpPaid?: string } {
  if (topUp === undefined || receivedMsat < topUp.totalMsat) return {};
  return { topUpPaid: topUp.paymentHash };
}

/** Money that came in, named by its payment hash: it is booked once. */
function receipt(payment: Payment, hot: HotSession | undefined): Transfer {
  return {
    id: payment.paymentHash,
    kind: 'posted',
    debit: 'received',
    credit: hot === undefined ? 'unattributed' : sessionAccount(hot.row.terms.session),
    amountMsat: payment.receivedMsat,
    reason: 'receive',
    atMs: payment.paidAtMs,
  };
}
