/**
 * Group commit of lanes, without a timer: all lanes that calls have touched since the last commit
 * are written together, as soon as that one has ended.
 * @module
 */
import { Fault, asFault } from '../base/fault/index.ts';
import type { LaneTable } from '../pay/tick/index.ts';
import type { HostStore } from '../port/store/index.ts';
import type { Durability } from './durability.ts';
import { ENOUGH_CHARGES } from './limits.ts';

/** What the writer works with. */
export interface LaneWriterContext {
  readonly store: Pick<HostStore, 'commitLanes' | 'gather'>;
  readonly durability: Durability;
  readonly monotonicMs: () => number;
  /** Why nothing is written any more; undefined while all is well. */
  readonly broken: () => Fault | undefined;
  readonly fail: (fault: Fault) => void;
}

/** What the owner of the lanes is told. */
export interface LaneHooks {
  /** Somebody else has taken the lane over. */
  lost(slot: number): void;
  isLost(slot: number): boolean;
  /** A call of the lane has ended. */
  ended(slot: number): void;
}

/** A call that was charged and waits until that is durable. */
interface Charge {
  readonly slot: number;
  readonly entry: number;
  readonly valueMsat: number;
  readonly body: Uint8Array;
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (reason: Fault) => void;
}

interface Joined {
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (reason: unknown) => void;
}

/** The only one who writes lanes. */
export class LaneWriter {
  readonly #context: LaneWriterContext;
  readonly #table: LaneTable;
  readonly #hooks: LaneHooks;
  /** Lanes that were touched since the last commit began, each once. */
  #dirty: number[] = [];
  readonly #isDirty: boolean[] = [];
  #charges: Charge[] = [];
  readonly #joined = new Map<number, Joined[]>();
  /** What was charged and no commit has written yet. */
  #unwrittenMsat = 0;
  /** When the first of the charges that wait was made, and of those that are being written. */
  #waitingSinceMs: number | undefined;
  #writingSinceMs: number | undefined;
  #writtenMsat = 0n;
  #running: Promise<void> | undefined;

  constructor(context: LaneWriterContext, table: LaneTable, hooks: LaneHooks) {
    this.#context = context;
    this.#table = table;
    this.#hooks = hooks;
  }

  /** What was charged and written since this writer began. */
  get writtenMsat(): bigint {
    return this.#writtenMsat;
  }

  /** Charges a call; resolves with its answer when that may leave. */
  charge(call: {
    readonly slot: number;
    readonly entry: number;
    readonly units: number;
    readonly unitMsat: number;
    readonly body: Uint8Array;
  }): Promise<Uint8Array> {
    const { slot, entry, units, body } = call;
    const fault = this.#hooks.isLost(slot) ? new Fault('LANE_MOVED') : this.#context.broken();
    if (fault !== undefined) {
      this.release(slot, entry, false, fault);
      return Promise.reject(fault);
    }
    this.#table.charge(slot, entry, units);
    const valueMsat = units * call.unitMsat;
    return new Promise((resolve, reject) => {
      if (this.#mayLeaveNow(valueMsat)) resolve(body);
      this.#charges.push({ slot, entry, valueMsat, body, resolve, reject });
      this.#unwrittenMsat += valueMsat;
      if (this.#isDirty[slot] !== true) {
        this.#isDirty[slot] = true;
        this.#dirty.push(slot);
      }
      this.#running ??= this.#run();
    });
  }

  /** The call made no answer: what it reserved is credit again. */
  release(slot: number, entry: number, trace: boolean, reason: Fault): void {
    this.#table.release(slot, entry, trace);
    this.#end(slot, entry, undefined, reason);
  }

  /** A rerun has ended, with its answer or without. */
  reran(slot: number, entry: number, answer: Uint8Array | undefined, reason?: Fault): void {
    this.#table.reran(slot, entry, answer);
    this.#end(slot, entry, answer, reason ?? new Fault('CALL_RERUN_FAILED'));
  }

  /** Waits for the answer of a call under way; undefined when `max` wait already. */
  join(entry: number, max: number): Promise<Uint8Array> | undefined {
    const joined = this.#joined.get(entry) ?? [];
    if (joined.length >= max) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    promise.catch(() => undefined);
    joined.push({ resolve, reject });
    this.#joined.set(entry, joined);
    return promise;
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Whoever waits is told why there is no answer. */
  reject(fault: Fault): void {
    for (const { reject } of this.#charges.splice(0)) reject(fault);
    for (const joined of this.#joined.values()) for (const { reject } of joined) reject(fault);
    this.#joined.clear();
  }

  async #run(): Promise<void> {
    // One turn of the microtask queue, so that what ends together is written together.
    await Promise.resolve();
    const { store, fail } = this.#context;
    while (this.#dirty.length > 0) {
      await this.#gather();
      const slots = this.#dirty;
      const charges = this.#charges;
      [this.#dirty, this.#charges] = [[], []];
      for (const slot of slots) this.#isDirty[slot] = false;
      [this.#writingSinceMs, this.#waitingSinceMs] = [this.#waitingSinceMs, undefined];
      try {
        const broken = this.#context.broken();
        if (broken !== undefined) throw broken;
        this.#written(slots, charges, await store.commitLanes(this.#pack(slots)));
      } catch (error) {
        const fault = asFault(error, 'STORE_FAILED');
        for (const { reject } of charges) reject(fault);
        this.reject(fault);
        this.#dirty = [];
        fail(fault);
      }
    }
    // Without an await after the last look: whoever comes now starts it again.
    this.#running = undefined;
  }

  /** As long as each turn of the event loop brings more calls, they go into the same commit. */
  async #gather(): Promise<void> {
    const { gather } = this.#context.store;
    if (gather === undefined) return;
    for (let seen = -1; this.#charges.length > seen && seen < ENOUGH_CHARGES;) {
      seen = this.#charges.length;
      await gather();
    }
  }

  #written(slots: readonly number[], charges: readonly Charge[], results: Uint8Array): void {
    if (results.length !== slots.length) throw new Fault('STORE_FAILED');
    for (const [i, slot] of slots.entries()) {
      if (results[i] === 0) this.#table.written(slot);
      else this.#hooks.lost(slot);
    }
    this.#writingSinceMs = undefined;
    let writtenMsat = 0;
    for (const { slot, entry, body, valueMsat, resolve, reject } of charges) {
      this.#unwrittenMsat -= valueMsat;
      this.#table.charged(slot, entry, body);
      if (this.#hooks.isLost(slot)) {
        const fault = new Fault('LANE_MOVED');
        reject(fault);
        this.#end(slot, entry, undefined, fault);
      } else {
        writtenMsat += valueMsat;
        resolve(body);
        this.#end(slot, entry, body);
      }
    }
    this.#writtenMsat += BigInt(writtenMsat);
  }

  #end(slot: number, entry: number, answer: Uint8Array | undefined, reason?: Fault): void {
    if (this.#joined.size > 0) {
      for (const { resolve, reject } of this.#joined.get(entry) ?? []) {
        if (answer === undefined) reject(reason);
        else resolve(answer);
      }
      this.#joined.delete(entry);
    }
    this.#hooks.ended(slot);
  }

  #mayLeaveNow(valueMsat: number): boolean {
    const { durability, monotonicMs } = this.#context;
    if (durability.kind === 'commit') return false;
    const nowMs = monotonicMs();
    this.#waitingSinceMs ??= nowMs;
    const young = nowMs - (this.#writingSinceMs ?? this.#waitingSinceMs) <= durability.maxMs;
    return young && this.#unwrittenMsat + valueMsat <= Number(durability.maxMsat);
  }

  #pack(slots: readonly number[]): Uint8Array {
    let size = 0;
    for (const slot of slots) size += this.#table.imageBytes(slot);
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const slot of slots) at = this.#table.writeImage(slot, view, bytes, at);
    return bytes;
  }
}
