/**
 * Where the calls of a session wait for a number: one after the other, in the order in which they
 * came, as long as the window is full.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import { untilAborted } from './abort.ts';
import { MAX_WAITING_CALLS } from './limits.ts';

/** The queue of one session. */
export class Turnstile {
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #inside = 0;
  readonly #wakes: (() => void)[] = [];

  /** Calls that went through and have not ended. */
  get inside(): number {
    return this.#inside;
  }

  /**
   * Waits for its turn, then does `attempt`; whoever comes later waits meanwhile. Call `leave` when
   * the call has ended.
   * @throws Fault `CALL_BUSY` when too many wait; what `attempt` throws; the signal's reason
   */
  async enter<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING_CALLS) {
      throw new Fault('CALL_BUSY', { waiting: this.#waiting });
    }
    const before = this.#last;
    const turn = Promise.withResolvers<void>();
    this.#last = turn.promise;
    this.#waiting++;
    try {
      await untilAborted(before, signal);
      const result = await attempt();
      this.#inside++;
      return result;
    } finally {
      this.#waiting--;
      // Who gives up waiting does not let others pass before those that came first.
      void before.then(turn.resolve);
    }
  }

  /** A call has ended: its place may be free. */
  leave(): void {
    this.#inside--;
    for (const wake of this.#wakes.splice(0)) wake();
  }

  /** Resolves when the next call ends. */
  async nextLeaves(signal: AbortSignal | undefined): Promise<void> {
    const next = Promise.withResolvers<void>();
    this.#wakes.push(next.resolve);
    await untilAborted(next.promise, signal);
  }
}
