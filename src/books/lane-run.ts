/**
 * One run of a call over a lane: exactly one of `charge`, `release`, `undo`, `forget` and `read`
 * must follow; with effect once `started` comes before its handler runs.
 * @module
 */
import { Fault, asFault } from '../base/fault/index.ts';
import { EntryMark } from '../pay/tick/index.ts';
import type { LaneWriter } from './lane-writer.ts';

/** Which call it is. */
export interface LaneRunParts {
  readonly slot: number;
  readonly entry: number;
  /** What was reserved: the most that it can be charged. */
  readonly units: number;
  readonly unitMsat: number;
  /** It was charged before and its answer is gone: nothing more is charged. */
  readonly rerun: boolean;
  /** Its service has effect once, and it was not charged before. */
  readonly once: boolean;
  /** Books a run that nobody pays for. */
  readonly unpaid: () => void;
}

/** A run. */
export class LaneRun {
  readonly #writer: LaneWriter;
  readonly #parts: LaneRunParts;
  #ended = false;

  constructor(writer: LaneWriter, parts: LaneRunParts) {
    this.#writer = writer;
    this.#parts = parts;
  }

  /** Whether it was charged before. */
  get rerun(): boolean {
    return this.#parts.rerun;
  }

  /** Whether `started` has to resolve before its handler runs. */
  get once(): boolean {
    return this.#parts.once;
  }

  /**
   * Effect once: resolves when it is durable that it was started. Else it has ended, and must not
   * run.
   */
  async started(): Promise<void> {
    const { slot, entry } = this.#parts;
    try {
      await this.#writer.start(slot, entry);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** Resolves with the answer when it may leave. @param cost never more than was reserved counts */
  charge(body: Uint8Array, cost: number = this.#parts.units): Promise<Uint8Array> {
    this.#end();
    const { slot, entry, unitMsat, rerun, unpaid } = this.#parts;
    const units = Math.min(cost, this.#parts.units);
    if (!rerun) return this.#writer.charge({ slot, entry, units, unitMsat, body });
    unpaid();
    this.#writer.reran(slot, entry, body);
    return Promise.resolve(body);
  }

  /**
   * It made no answer. Whoever joined it gets `reason`; with effect once when that is durable: what
   * was told must not be called unknown after a crash.
   */
  async release(reason: Fault = new Fault('SERVICE_FAILED')): Promise<void> {
    this.#end();
    const { slot, entry, rerun, once, unpaid } = this.#parts;
    unpaid();
    if (rerun) this.#writer.reran(slot, entry, undefined, reason);
    // Whether a handler that was cut has done its work nobody knows: its number is dead.
    else if (once) await this.#writer.settle({ slot, entry, mark: EntryMark.failed, reason });
    // A host that stops has cut the call: the payer sends it again.
    else this.#writer.release(slot, entry, reason.code !== 'HOST_STOPPING', reason);
  }

  /** It did not start after all: nothing of it is remembered. */
  undo(reason: Fault): void {
    this.#end();
    const { slot, entry, rerun } = this.#parts;
    if (rerun) this.#writer.reran(slot, entry, undefined, reason);
    else this.#writer.release(slot, entry, false, reason);
  }

  /** Effect once: it was cut, and nobody knows what came of it. Not charged, never run again. */
  async forget(): Promise<void> {
    this.#end();
    const { slot, entry } = this.#parts;
    const reason = new Fault('CALL_OUTCOME_UNKNOWN');
    await this.#writer.settle({ slot, entry, mark: EntryMark.unknown, reason });
  }

  /** Effect once, charged before: its stored answer. */
  async read(stored: () => Promise<Uint8Array | undefined>): Promise<Uint8Array> {
    this.#end();
    const { slot, entry } = this.#parts;
    const found = await stored().catch((error: unknown) => asFault(error, 'STORE_FAILED'));
    if (found instanceof Uint8Array) {
      this.#writer.reran(slot, entry, found);
      return found;
    }
    // It can go while it is looked up, when the payer declares the call resolved.
    const reason = found ?? new Fault('CALL_FORGOTTEN');
    this.#writer.reran(slot, entry, undefined, reason);
    throw reason;
  }

  #end(): void {
    if (this.#ended) throw new Error('invariant: a call is charged or released once');
    this.#ended = true;
  }
}
