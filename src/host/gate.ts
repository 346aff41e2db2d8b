/**
 * Where calls come in: counts those under way, measures them, and closes behind the last one.
 * @module
 */
import { Fault, asFault } from '../base/fault/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Call, CallAnswer } from './call.ts';
import type { HostLimits } from './limits.ts';
import { outcomeOf, type CallMeter, type Outcome } from './meter.ts';
import type { Runs } from './runs.ts';

/** What a gate works with. */
export interface GateParts {
  readonly clock: Clock;
  readonly limits: Pick<HostLimits, 'runningCalls'>;
  readonly runs: Runs;
  /** Told of each call; absent where nobody looks. */
  readonly meter: CallMeter | undefined;
  /** Serves a call that has come in. */
  readonly serve: (call: Call) => Promise<CallAnswer>;
}

/** The gate. */
export class CallGate {
  readonly #parts: GateParts;
  #running = 0;
  readonly #idle: (() => void)[] = [];
  #closed = false;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /**
   * Serves one call.
   * @throws Fault the refusal, or what became of the call
   */
  serve(call: Call): Promise<CallAnswer> {
    const { meter } = this.#parts;
    return meter === undefined ? this.#take(call) : this.#metered(call, meter);
  }

  /** Calls under way, and handlers that go on after their call was cut. */
  get running(): number {
    return this.#running + this.#parts.runs.overdue;
  }

  /** It takes no more calls. */
  get stopping(): boolean {
    return this.#closed;
  }

  /**
   * Takes no more calls; those under way may go on for `graceMs`, then they are cut and released.
   */
  async stop(graceMs: number, cut: () => void = () => undefined): Promise<void> {
    this.#closed = true;
    if (this.#running === 0) return;
    const { clock, runs } = this.#parts;
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    const cancel = clock.timer(graceMs, () => {
      runs.cut(new Fault('HOST_STOPPING'));
      cut();
    });
    await idle;
    cancel();
  }

  async #metered(call: Call, meter: CallMeter): Promise<CallAnswer> {
    const { clock } = this.#parts;
    const startMs = clock.monotonicMs();
    const count = (outcome: Outcome): void => {
      if (call.elsewhere !== true)
        meter.count(call.service, outcome, clock.monotonicMs() - startMs);
    };
    try {
      const answer = await this.#take(call);
      count(answer.balance.chargedMsat > 0n ? 'charged' : 'uncharged');
      return answer;
    } catch (error) {
      count(outcomeOf(asFault(error).code));
      throw error;
    }
  }

  async #take(call: Call): Promise<CallAnswer> {
    const { limits, serve } = this.#parts;
    if (this.#closed) throw new Fault('HOST_STOPPING');
    if (this.running >= limits.runningCalls) throw new Fault('CALL_BUSY');
    this.#running++;
    try {
      return await serve(call);
    } finally {
      if (--this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }
}
