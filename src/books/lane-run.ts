/**
 * One run of a call over a lane: exactly one of `charge` and `release` must follow.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
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

  /** Resolves with the answer when it may leave. @param units at most what was reserved */
  charge(body: Uint8Array, units: number = this.#parts.units): Promise<Uint8Array> {
    this.#end();
    const { slot, entry, unitMsat, rerun, unpaid } = this.#parts;
    if (!rerun) return this.#writer.charge({ slot, entry, units, unitMsat, body });
    unpaid();
    this.#writer.reran(slot, entry, body);
    return Promise.resolve(body);
  }

  /** It made no answer. Whoever joined it gets `reason`. */
  release(reason: Fault = new Fault('SERVICE_FAILED')): void {
    this.#end();
    const { slot, entry, rerun, unpaid } = this.#parts;
    unpaid();
    if (rerun) this.#writer.reran(slot, entry, undefined, reason);
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

  #end(): void {
    if (this.#ended) throw new Error('invariant: a call is charged or released once');
    this.#ended = true;
  }
}
