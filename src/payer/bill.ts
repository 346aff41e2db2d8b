/**
 * Paying by hand: a person pays the invoice with a wallet of their own, such as a phone, and the
 * host says when the money has arrived. Nobody here has a preimage, so nobody here could prove the
 * payment: the person's wallet can.
 * @module
 */
import { isFault } from '../base/fault/index.ts';
import type { Msat } from '../base/money/index.ts';
import type { Clock } from '../base/time/index.ts';
import { BILL_GRACE_MS, BILL_POLL_MS } from './limits.ts';

/** What a person is to pay. */
export interface Bill {
  /** The purchase's id: the same id shows the same invoice again. */
  readonly purchase: string;
  readonly service: string;
  readonly calls: number;
  readonly totalMsat: Msat;
  /** BOLT 11 text. */
  readonly invoice: string;
  /** Later its wallet refuses to pay it. */
  readonly payByMs: number;
}

/** Who shows the invoice, and for how long. */
export interface ByHand {
  readonly show: (bill: Bill) => void;
  /** Ends the waiting, not the purchase: `PAYMENT_UNKNOWN` with its id. */
  readonly signal?: AbortSignal;
}

/** What is known of a payment that somebody else makes. */
export type Arrival =
  | 'paid'
  /** It can be paid still, or the host cannot be asked. */
  | 'open'
  /** The invoice has expired, and the host says that nothing arrived in time. */
  | 'expired';

/** How long to wait for it. */
export interface ArrivalWait {
  readonly clock: Clock;
  readonly payByMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Asks once and waits for nobody. */
  readonly once: boolean;
}

/**
 * Asks until the money is there or can come no more. A host that does not answer is asked again.
 * @param isPaid what the host says
 */
export async function awaitArrival(
  isPaid: () => Promise<boolean>,
  { clock, payByMs, signal, once }: ArrivalWait,
): Promise<Arrival> {
  for (;;) {
    // Before the question: what the host does not know of then is late.
    const late = clock.now() >= payByMs + BILL_GRACE_MS;
    const paid = await isPaid().catch((error: unknown) => {
      if (!isFault(error)) throw error;
      return undefined;
    });
    if (paid === true) return 'paid';
    if (late) return paid === undefined ? 'open' : 'expired';
    if (once || signal?.aborted) return 'open';
    try {
      await clock.sleep(BILL_POLL_MS, signal);
    } catch {
      return 'open';
    }
  }
}
