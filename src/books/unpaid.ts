/**
 * Sessions and top-ups whose invoice is not paid yet, and orders that are about to open one.
 * Bounded by whoever opens them: the host stops at a number.
 * @module
 */
import type { UnixMs } from '../base/time/index.ts';
import { ZERO_MSAT, addMsat, type Msat } from '../base/money/index.ts';
import type { SessionTerms } from '../pay/ledger/index.ts';
import type { UnpaidSession } from '../port/store/index.ts';

/** An order that nobody has to pay yet. */
export type Order = Pick<SessionTerms, 'payer' | 'totalMsat'>;

/** Who may still pay. */
export class UnpaidSessions {
  readonly #open: Map<string, UnpaidSession>;
  readonly #orders = new Set<Order>();

  constructor(sessions: readonly UnpaidSession[]) {
    this.#open = new Map(sessions.map((unpaid) => [unpaid.session, unpaid]));
  }

  /** Adds a new session, unless it costs nothing. */
  add(unpaid: UnpaidSession): void {
    if (unpaid.totalMsat > ZERO_MSAT) this.#open.set(unpaid.session, unpaid);
  }

  /** It is paid, or was not opened. */
  delete(session: string): void {
    this.#open.delete(session);
  }

  /** An order counts until its session does; the result ends that. */
  order(order: Order): () => void {
    this.#orders.add(order);
    return () => void this.#orders.delete(order);
  }

  /** How many can still be paid; forgets the others. */
  count(nowMs: UnixMs): number {
    for (const { session, payByMs } of this.#open.values()) {
      if (payByMs <= nowMs) this.#open.delete(session);
    }
    return this.#open.size;
  }

  /** What can still come in by them: all, or of one payer. */
  totalMsat(nowMs: UnixMs, payer?: string): Msat {
    this.count(nowMs);
    let total = ZERO_MSAT;
    for (const order of [...this.#open.values(), ...this.#orders]) {
      if (payer === undefined || order.payer === payer) total = addMsat(total, order.totalMsat);
    }
    return total;
  }
}
