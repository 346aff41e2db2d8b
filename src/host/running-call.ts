/**
 * A call whose handler runs: what the handler sees of it, and how it is cut.
 * @module
 */
import { Fault, isFault } from '../base/fault/index.ts';
import type { CallContext } from './service.ts';

/** One run of a handler. */
export class RunningCall {
  readonly session: string;
  readonly n: bigint;
  readonly #stopping: AbortSignal;
  #cutBy: Fault | undefined;
  #reject: ((reason: Fault) => void) | undefined;
  #limit: AbortController | undefined;

  /** @param stopping aborts when the host cuts all calls */
  constructor(session: string, n: bigint, stopping: AbortSignal) {
    this.session = session;
    this.n = n;
    this.#stopping = stopping;
  }

  /** For the handler. Its signal is made when it is first looked at: few handlers do. */
  get context(): CallContext {
    const { session, n } = this;
    const signal = (): AbortSignal => this.#signal();
    let made: AbortSignal | undefined;
    return {
      session,
      n,
      get signal() {
        return (made ??= signal());
      },
    };
  }

  /** Ends the call from outside: its time is over, or the host stops. */
  cut(fault: Fault): void {
    this.#cutBy ??= fault;
    this.#limit?.abort(this.#cutBy);
    this.#reject?.(this.#cutBy);
  }

  /** @throws Fault when the host has cut all calls */
  check(): void {
    if (!this.#stopping.aborted) return;
    const reason: unknown = this.#stopping.reason;
    throw isFault(reason) ? reason : new Fault('SERVICE_FAILED');
  }

  /** What the handler promised, unless the call is cut first. */
  race<T>(result: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      result.then(resolve, reject);
      this.check();
    });
  }

  #signal(): AbortSignal {
    // One controller for each call: a signal composed with one that lives as long as the host would
    // be kept as long.
    this.#limit = new AbortController();
    if (this.#cutBy !== undefined) this.#limit.abort(this.#cutBy);
    else if (this.#stopping.aborted) this.#limit.abort(this.#stopping.reason);
    return this.#limit.signal;
  }
}
