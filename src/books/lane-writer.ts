/**
 * Group commit of lanes, without a timer: all lanes that calls have touched since the last commit
 * are written together, as soon as that one has ended.
 * @module
 */
import { Fault, asFault } from '../base/fault/index.ts';
import type { EntryMark, LaneTable } from '../pay/tick/index.ts';
import type { HostStore, StoredLaneAnswer } from '../port/store/index.ts';
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

/** A call with effect once that waits until it is durable that it began, or how it ended. */
interface Step {
  readonly slot: number;
  readonly entry: number;
  /** Why there is no answer; undefined when it begins. */
  readonly reason: Fault | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: Fault) => void;
}

/** What calls with effect once add to a commit: it is a transaction then, and not logged. */
interface OnceWork {
  readonly answers: StoredLaneAnswer[];
  readonly steps: Step[];
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
  /** Undefined as long as no call with effect once is among what waits. */
  #once: OnceWork | undefined;
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
    const fault = this.#refusal(slot);
    if (fault !== undefined) {
      this.release(slot, entry, false, fault);
      return Promise.reject(fault);
    }
    this.#table.charge(slot, entry, units);
    const valueMsat = units * call.unitMsat;
    return new Promise((resolve, reject) => {
      if (this.#table.isOnce(entry)) this.#store(slot, entry, body);
      else if (this.#mayLeaveNow(valueMsat)) resolve(body);
      this.#charges.push({ slot, entry, valueMsat, body, resolve, reject });
      this.#unwrittenMsat += valueMsat;
      this.#touch(slot);
    });
  }

  /** Resolves when it is durable that a call with effect once was started; else it is undone. */
  async start(slot: number, entry: number): Promise<void> {
    const fault = this.#refusal(slot);
    if (fault === undefined) return this.#step({ slot, entry, reason: undefined });
    this.release(slot, entry, false, fault);
    throw fault;
  }

  /** A call with effect once has ended without a charge; resolves when that is durable. */
  async settle(call: {
    readonly slot: number;
    readonly entry: number;
    readonly mark: typeof EntryMark.failed | typeof EntryMark.unknown;
    /** What whoever joined it is told then. */
    readonly reason: Fault;
  }): Promise<void> {
    const { slot, entry, mark, reason } = call;
    const fault = this.#refusal(slot);
    if (fault !== undefined) {
      this.release(slot, entry, false, fault);
      throw fault;
    }
    this.#table.end(slot, entry, mark);
    return this.#step({ slot, entry, reason });
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
    for (const { reject } of this.#once?.steps ?? []) reject(fault);
    this.#once = undefined;
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
      const once = this.#once;
      [this.#dirty, this.#charges, this.#once] = [[], [], undefined];
      for (const slot of slots) this.#isDirty[slot] = false;
      [this.#writingSinceMs, this.#waitingSinceMs] = [this.#waitingSinceMs, undefined];
      try {
        const broken = this.#context.broken();
        if (broken !== undefined) throw broken;
        const extra = once && { answers: once.answers };
        this.#written(slots, await store.commitLanes(this.#pack(slots), extra));
        this.#charged(charges);
        if (once !== undefined) this.#stepped(once.steps);
      } catch (error) {
        const fault = asFault(error, 'STORE_FAILED');
        for (const { reject } of charges) reject(fault);
        for (const { reject } of once?.steps ?? []) reject(fault);
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
    for (let seen = -1; this.#waiting > seen && seen < ENOUGH_CHARGES;) {
      seen = this.#waiting;
      await gather();
    }
  }

  get #waiting(): number {
    return this.#charges.length + (this.#once?.steps.length ?? 0);
  }

  /** Why nothing of a lane is written any more. */
  #refusal(slot: number): Fault | undefined {
    return this.#hooks.isLost(slot) ? new Fault('LANE_MOVED') : this.#context.broken();
  }

  /** The lane goes into the next commit. */
  #touch(slot: number): void {
    if (this.#isDirty[slot] !== true) {
      this.#isDirty[slot] = true;
      this.#dirty.push(slot);
    }
    this.#running ??= this.#run();
  }

  #step(step: Omit<Step, 'resolve' | 'reject'>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#once ??= { answers: [], steps: [] };
      this.#once.steps.push({ ...step, resolve, reject });
      this.#touch(step.slot);
    });
  }

  /** The answer goes into the commit of its charge. */
  #store(slot: number, entry: number, body: Uint8Array): void {
    this.#once ??= { answers: [], steps: [] };
    const n = this.#table.entries.n[entry] ?? 0;
    this.#once.answers.push({ lane: this.#table.id(slot), n, body });
  }

  #written(slots: readonly number[], results: Uint8Array): void {
    if (results.length !== slots.length) throw new Fault('STORE_FAILED');
    for (const [i, slot] of slots.entries()) {
      if (results[i] === 0) this.#table.written(slot);
      else this.#hooks.lost(slot);
    }
    this.#writingSinceMs = undefined;
  }

  #charged(charges: readonly Charge[]): void {
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

  #stepped(steps: readonly Step[]): void {
    for (const { slot, entry, reason, resolve, reject } of steps) {
      const moved = this.#hooks.isLost(slot) ? new Fault('LANE_MOVED') : undefined;
      if (reason !== undefined) {
        this.#table.ended(slot, entry);
        this.#end(slot, entry, undefined, moved ?? reason);
      } else if (moved !== undefined) this.release(slot, entry, false, moved);
      if (moved === undefined) resolve();
      else reject(moved);
    }
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
