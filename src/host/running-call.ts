/**
 * A call whose handler runs: what the handler sees of it, and how it is cut.
 * @module
 */
import { Fault, isFault } from '../base/fault/index.ts';
import type { CallContext } from './service.ts';

/** Which call it is. */
export type CallName = Pick<CallContext, 'session' | 'n'>;

/** For the handler: what it does not look at is not made. */
class LazyContext implements CallContext {
  readonly #name: CallName;
  readonly #running: RunningCall;

  constructor(name: CallName, running: RunningCall) {
    this.#name = name;
    this.#running = running;
  }

  get session(): string {
    return this.#name.session;
  }

  get n(): bigint {
    return this.#name.n;
  }

  get signal(): AbortSignal {
    return this.#running.signal();
  }
}

/** One run of a handler. */
export class RunningCall {
  /** What the handler sees. */
  readonly context: CallContext;
  readonly #stopping: AbortSignal;
  #cutBy: Fault | undefined;
  #reject: ((reason: Fault) => void) | undefined;
  #limit: AbortController | undefined;

  /** @param stopping aborts when the host cuts all calls */
  constructor(name: CallName, stopping: AbortSignal) {
    this.context = new LazyContext(name, this);
    this.#stopping = stopping;
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

  /** Aborts when the call is cut. */
  signal(): AbortSignal {
    if (this.#limit !== undefined) return this.#limit.signal;
    // One controller for each call: a signal composed with one that lives as long as the host would
    // be kept as long.
    this.#limit = new AbortController();
    if (this.#cutBy !== undefined) this.#limit.abort(this.#cutBy);
    else if (this.#stopping.aborted) this.#limit.abort(this.#stopping.reason);
    return this.#limit.signal;
  }
}
