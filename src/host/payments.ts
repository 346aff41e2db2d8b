/**
 * Brings the wallet's payments into the books. The wallet's wake-ups are hints; what counts is its
 * list, read from where the books stand.
 * @module
 */
import type { Log } from '../base/log/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Books } from '../books/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { PAYMENTS_PER_READ, PAYMENT_POLL_MS, WALLET_AWAY_MS } from './limits.ts';

/** What the watch works with. */
export interface PaymentParts {
  readonly wallet: Wallet;
  readonly books: Books;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of each payment once it is booked. */
  readonly credited: (paymentHash: string) => void;
}

/** The watch over incoming payments. */
export class PaymentWatch {
  readonly #wallet: Wallet;
  readonly #books: Books;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #credited: (paymentHash: string) => void;
  #reading: Promise<void> | undefined;
  /** The read after the one under way. */
  #next: Promise<void> | undefined;
  #stops: (() => void)[] = [];
  #stopped = false;
  #answeredAtMs: number;

  constructor(parts: PaymentParts) {
    this.#wallet = parts.wallet;
    this.#books = parts.books;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#credited = parts.credited;
    this.#answeredAtMs = parts.clock.monotonicMs();
  }

  /** The wallet has answered lately: it is asked every `PAYMENT_POLL_MS`. */
  get walletAnswers(): boolean {
    return this.#clock.monotonicMs() - this.#answeredAtMs < WALLET_AWAY_MS;
  }

  /** Books what was paid while nobody looked, then keeps watching. */
  async start(): Promise<void> {
    const wake = (): void => void this.refresh().catch(() => undefined);
    this.#stops = [this.#wallet.onReceived(wake), this.#poll(wake)];
    await this.refresh();
  }

  /**
   * Books everything that the wallet had received when this was called. It waits for at most two
   * reads, the one under way and the next, which all who ask meanwhile share.
   */
  async refresh(): Promise<void> {
    const running = this.#reading;
    if (running === undefined) return this.#start();
    this.#next ??= running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#start();
      });
    return this.#next;
  }

  /** Stops watching and waits for a read that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const stop of this.#stops) stop();
    await this.#reading?.catch(() => undefined);
    await this.#next?.catch(() => undefined);
  }

  async #start(): Promise<void> {
    this.#reading = this.#read();
    try {
      await this.#reading;
    } finally {
      this.#reading = undefined;
    }
  }

  async #read(): Promise<void> {
    try {
      while (!this.#stopped && (await this.#readSome())) {
        // Until the list is empty.
      }
    } catch (error) {
      this.#log.warn('payments could not be read; trying again', {}, error);
      throw error;
    }
  }

  async #readSome(): Promise<boolean> {
    const cursor = this.#books.walletCursor();
    const list = await this.#wallet.receivedAfter(cursor, PAYMENTS_PER_READ);
    this.#answeredAtMs = this.#clock.monotonicMs();
    for (const payment of list) {
      const outcome = await this.#books.received(payment);
      const { paymentHash, receivedMsat } = payment;
      this.#credited(paymentHash);
      this.#log.info(`payment ${outcome}`, { paymentHash, amountMsat: receivedMsat });
    }
    // A wallet that does not go forward is asked again by the next poll only.
    return list.length === PAYMENTS_PER_READ && this.#books.walletCursor() > cursor;
  }

  #poll(wake: () => void): () => void {
    let cancel = (): void => undefined;
    const next = (): void => {
      cancel = this.#clock.timer(PAYMENT_POLL_MS, () => {
        wake();
        next();
      });
    };
    next();
    return () => cancel();
  }
}
