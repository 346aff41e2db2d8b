/**
 * Handlers under way: checks the input, runs the handler within its time, checks the result.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import { MAX_JSON_DEPTH, parseJson, type Json } from '../base/json/index.ts';
import type { Log } from '../base/log/index.ts';
import type { Clock } from '../base/time/index.ts';
import { MAX_ANSWER_BYTES, type HostLimits } from './limits.ts';
import { RunningCall, type CallName } from './running-call.ts';
import type { Maybe, Service } from './service.ts';

/** What runs work with. */
export interface RunsParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: HostLimits;
}

/** How a handler ended: its answer, or a fault of the service. */
export type Ended = Uint8Array | { readonly fault: Fault };
/** The same, perhaps later. */
export type Ran = Maybe<Ended>;

/** All runs of a host. */
export class Runs {
  readonly #parts: RunsParts;
  readonly #stopping = new AbortController();
  /** Runs that take their time: they can be cut. */
  readonly #waiting = new Set<RunningCall>();
  /** Handlers that still run although their call has ended. */
  #overdue = 0;

  constructor(parts: RunsParts) {
    this.#parts = parts;
  }

  /** Handlers that go on after their call was cut. */
  get overdue(): number {
    return this.#overdue;
  }

  /** Cuts all runs, and those that come. */
  cut(fault: Fault): void {
    this.#stopping.abort(fault);
    for (const running of this.#waiting) running.cut(fault);
  }

  /**
   * Checks the input and runs the handler: its result as bytes, or a fault of the service; never
   * later than its time limit. What was charged before is answered without looking at it again.
   */
  run(service: Service, input: Json, call: CallName): Ran {
    const running = new RunningCall(call, this.#stopping.signal);
    try {
      const { accept, run } = service.steps;
      const accepted = accept(input);
      const result =
        accepted instanceof Promise
          ? accepted.then((value) => run(value, running.context))
          : run(accepted, running.context);
      if (result instanceof Promise) return this.#wait(running, service, result);
      // A call that the host has cut is not charged, whatever came of it.
      running.check();
      return encode(result);
    } catch (error) {
      return this.#failed(service, running, error);
    }
  }

  async #wait(running: RunningCall, service: Service, result: Promise<Json>): Promise<Ended> {
    const timeoutMs = service.timeoutMs ?? this.#parts.limits.callTimeoutMs;
    const cancel = this.#parts.clock.timer(timeoutMs, () => {
      running.cut(new Fault('SERVICE_TIMEOUT'));
    });
    this.#waiting.add(running);
    let returned = false;
    const gone = (): void => {
      if (this.#waiting.has(running)) returned = true;
      else this.#overdue--;
    };
    result.then(gone, gone);
    try {
      return encode(await running.race(result));
    } catch (error) {
      return this.#failed(service, running, error);
    } finally {
      this.#waiting.delete(running);
      // A handler that goes on after its call was cut keeps its place until it ends.
      if (!returned) this.#overdue++;
      cancel();
    }
  }

  #failed(service: Service, { context }: RunningCall, error: unknown): Ended {
    const { session, n } = context;
    const fault = asFault(error, 'SERVICE_FAILED');
    const facts = { service: service.name, session, n, code: fault.code };
    this.#parts.log.warn('call failed', facts, error);
    return { fault };
  }
}

function encode(result: Json): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(result);
  } catch (error) {
    throw new Fault('SERVICE_FAILED', { reason: 'the result is not JSON' }, error);
  }
  text ??= 'null';
  // Only text that can be parsed again under the same rules may be charged: long ones can be too
  // deep, and half a character is written as an escape.
  if (text.length > 2 * MAX_JSON_DEPTH || text.includes('\\ud')) assertReadable(text);
  const body = utf8(text);
  if (body.length > MAX_ANSWER_BYTES)
    throw new Fault('SERVICE_FAILED', { reason: 'answer too large' });
  return body;
}

function assertReadable(text: string): void {
  try {
    parseJson(text);
  } catch (error) {
    throw new Fault('SERVICE_FAILED', { reason: 'the result is not JSON' }, error);
  }
}
