/**
 * Lanes in the books: who pays with ticks. A lane that is used is taken over from the store into a
 * flat table; what calls spend there is written by the lane writer, all touched lanes together.
 * @module
 */
import { fromHex, toHex } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import { LaneTable, type LaneCall, type LaneRow } from '../pay/tick/index.ts';
import type { SessionState, SessionTerms } from '../pay/ledger/index.ts';
import type { HostStore } from '../port/store/index.ts';
import type { WorkBudget } from './budget.ts';
import { LaneRun } from './lane-run.ts';
import { LaneWriter, type LaneWriterContext } from './lane-writer.ts';
import { MAX_JOINERS } from './limits.ts';

/** The session that lanes belong to. */
export interface LaneOwner {
  readonly terms: SessionTerms;
  readonly state: Pick<SessionState, 'paid'>;
}

/** What lanes work with. */
export interface LanesContext extends LaneWriterContext {
  readonly store: Pick<HostStore, 'commitLanes' | 'takeLanes' | 'lanesOf' | 'gather'>;
  readonly budget: WorkBudget;
  /** The time, which never goes back. */
  readonly now: () => UnixMs;
  readonly session: (session: string) => Promise<LaneOwner | undefined>;
  /** @throws Fault when the books are broken or closed */
  readonly check: () => void;
  /** Closes the lanes of a session durably, together with their fold. */
  readonly closeLanes: (session: string) => Promise<void>;
  readonly hotLanes: number;
  readonly answerBytes: number;
}

/** A session that was sold as lanes, as long as one of them is in use. */
export interface LaneSession {
  readonly terms: SessionTerms;
  /** Exact: what a lane is worth together is less than 2^53 millisatoshis. */
  readonly unitMsat: number;
  /** Where its lanes are that are in use. */
  readonly slots: Set<number>;
}

/** What to do with a call over a lane. */
export type LaneAdmission =
  | { readonly kind: 'run'; readonly run: LaneRun }
  | { readonly kind: 'repeat'; readonly answer: Uint8Array | Promise<Uint8Array> };

/** Where a lane stands, for a statement. */
export interface LaneStatement {
  readonly place: number;
  readonly length: number;
  readonly unitMsat: bigint;
  readonly closed: boolean;
  readonly index: number;
  /** x(index): whoever claims an index shows its tick. */
  readonly tip: Uint8Array;
  readonly spent: number;
  readonly done: number;
}

interface Held {
  readonly session: LaneSession;
  readonly place: number;
  /** It was used since the last look for one to let go. */
  used: boolean;
  /** Another owner has taken it: nothing of it is written or answered here any more. */
  lost: boolean;
}

/** The lanes of one host. */
export class Lanes {
  readonly #context: LanesContext;
  readonly #table: LaneTable;
  readonly #writer: LaneWriter;
  /** By slot. */
  readonly #held: (Held | undefined)[] = [];
  readonly #sessions = new Map<string, LaneSession>();
  readonly #loading = new Map<string, Promise<void>>();
  /** Sessions whose lanes are being closed, and who waits for the last call of them. */
  readonly #closing = new Map<string, () => void>();
  #hand = 0;

  constructor(context: LanesContext) {
    this.#context = context;
    this.#table = new LaneTable(context.answerBytes);
    this.#writer = new LaneWriter(context, this.#table, {
      lost: (slot) => {
        this.#at(slot).lost = true;
      },
      isLost: (slot) => this.#at(slot).lost,
      ended: (slot) => this.#ended(slot),
    });
  }

  /** Where a lane is in memory; -1: `load` it. @param lane 16 bytes */
  slotOf(lane: Uint8Array): number {
    return this.#table.slotOf(lane);
  }

  /** The session of a lane in memory, and its place there. */
  lane(slot: number): { readonly session: LaneSession; readonly place: number } {
    return this.#at(slot);
  }

  /** Units that a lane in memory can spend, and units that it has at all. */
  balance(slot: number): { readonly credit: number; readonly left: number } {
    return { credit: this.#table.credit(slot), left: this.#table.unitsLeft(slot) };
  }

  /**
   * Takes a lane over and brings it into memory; gives its slot. In a later turn it may have left
   * again: look with `slotOf`.
   * @throws Fault `LANE_UNKNOWN`, `LANE_CLOSED`, `SESSION_UNPAID`
   */
  async load(lane: Uint8Array): Promise<number> {
    const name = toHex(lane);
    for (;;) {
      this.#context.check();
      // Looked up where the caller goes on: others that are loaded may have taken its place.
      const slot = this.#table.slotOf(lane);
      if (slot >= 0) return slot;
      const loading =
        this.#loading.get(name) ?? this.#load(name).finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
      await loading;
    }
  }

  /**
   * Admits a call over a lane in memory, its code checked: accepts its tick, then reserves. What
   * was charged before is answered even while the lane is being closed, or after its end.
   * @throws Fault, in order of precedence: `LANE_MOVED`, `TICK_*`, `CALL_*`, `LANE_EXHAUSTED`,
   * `TICK_SHORT`, `CALL_BUSY`, `LANE_CLOSED`, `SESSION_EXPIRED`, `CALL_BUDGET`
   */
  admit(slot: number, call: LaneCall, tick: { index: number; secret: Uint8Array }): LaneAdmission {
    this.#context.check();
    const held = this.#at(slot);
    const { terms } = held.session;
    if (held.lost) throw new Fault('LANE_MOVED');
    held.used = true;
    const table = this.#table;
    this.#accept(slot, terms.payer, tick);
    const judged = table.judge(slot, call);
    if (judged.kind === 'refused') {
      throw new Fault(judged.code, { n: call.n, units: call.units, credit: table.credit(slot) });
    }
    const { entry, kind } = judged;
    if (kind === 'join') return { kind: 'repeat', answer: this.#join(entry, call.n) };
    if (kind === 'repeat') return { kind, answer: table.entries.answer(entry) ?? missing() };
    const run = this.#run(held.session, {
      slot,
      entry,
      units: call.units,
      rerun: kind === 'rerun',
    });
    this.#assertOpen(terms, run);
    return { kind: 'run', run };
  }

  /** What was charged and written since these lanes were opened. */
  get spentMsat(): bigint {
    return this.#writer.writtenMsat;
  }

  /** Where the lanes of a session stand; those in memory as they are now. Empty for a bundle. */
  async statement(session: string): Promise<readonly LaneStatement[]> {
    this.#context.check();
    const rows = await this.#context.store.lanesOf(session);
    return rows.map((row) => this.#statementOf(row));
  }

  /**
   * Closes the lanes of a session for good: calls under way end first, then what was spent is
   * folded into its account. What is left is credit of the session.
   */
  async close(session: string): Promise<void> {
    this.#context.check();
    const idle = new Promise<void>((resolve) => {
      const before = this.#closing.get(session);
      this.#closing.set(session, () => {
        before?.();
        resolve();
      });
    });
    this.#checkClosed(session);
    await idle;
    await Promise.all([...this.#loading.values()].map((loading) => loading.catch(() => undefined)));
    try {
      await this.#context.closeLanes(session);
    } finally {
      this.#closing.delete(session);
      for (const slot of this.#sessions.get(session)?.slots ?? []) this.#drop(slot);
    }
  }

  /** Resolves when nothing waits for a commit any more. */
  idle(): Promise<void> {
    return this.#writer.idle();
  }

  /** The books are broken or closed: whoever waits is told. */
  reject(fault: Fault): void {
    this.#writer.reject(fault);
  }

  async #load(lane: string): Promise<void> {
    const { store, session: find } = this.#context;
    const [row] = await store.takeLanes([lane]);
    if (row === undefined) throw new Fault('LANE_UNKNOWN');
    const { session: id } = row.terms;
    if (row.closed || this.#closing.has(id)) throw new Fault('LANE_CLOSED');
    const session = await find(id);
    this.#context.check();
    if (session === undefined) throw new Error('invariant: a lane has a session');
    if (!session.state.paid) throw new Fault('SESSION_UNPAID');
    if (this.#table.count >= this.#context.hotLanes) this.#evict();
    this.#bringIn(row, session.terms);
  }

  #bringIn(row: LaneRow, terms: SessionTerms): void {
    const known = this.#sessions.get(terms.session);
    const unitMsat = Number(row.terms.unitMsat);
    const session = known ?? { terms, unitMsat, slots: new Set() };
    this.#sessions.set(terms.session, session);
    const slot = this.#table.add(row);
    session.slots.add(slot);
    this.#held[slot] = { session, place: row.terms.place, used: true, lost: false };
  }

  #run(
    { terms, unitMsat }: LaneSession,
    call: { slot: number; entry: number; units: number; rerun: boolean },
  ): LaneRun {
    const { budget, monotonicMs } = this.#context;
    const startMs = monotonicMs();
    const unpaid = (): void => {
      const nowMs = monotonicMs();
      budget.spend(terms.payer, nowMs - startMs, nowMs);
    };
    return new LaneRun(this.#writer, { ...call, unitMsat, unpaid });
  }

  /** Hashes for ticks that prove to be none are work that nobody pays for. */
  #accept(slot: number, payer: string, tick: { index: number; secret: Uint8Array }): void {
    const { budget, monotonicMs } = this.#context;
    const index = this.#table.index(slot);
    // The next tick is the usual case, and costs one hash.
    const far = tick.index > index + 1;
    const startMs = far ? monotonicMs() : 0;
    if (far) budget.check(payer, startMs);
    const refusal = this.#table.accept(slot, tick.index, tick.secret);
    if (refusal === undefined) return;
    const nowMs = monotonicMs();
    if (refusal === 'TICK_INVALID') budget.spend(payer, far ? nowMs - startMs : 0, nowMs);
    throw new Fault(refusal, { index });
  }

  /** Only what is new is refused: what was charged before is answered. */
  #assertOpen(terms: SessionTerms, run: LaneRun): void {
    const { now, budget, monotonicMs } = this.#context;
    try {
      if (this.#closing.has(terms.session)) throw new Fault('LANE_CLOSED');
      if (run.rerun) return;
      if (now() >= terms.expiresAtMs) throw new Fault('SESSION_EXPIRED');
      budget.check(terms.payer, monotonicMs());
    } catch (error) {
      run.undo(asFault(error));
      throw error;
    }
  }

  #join(entry: number, n: number): Promise<Uint8Array> {
    const joined = this.#writer.join(entry, MAX_JOINERS);
    if (joined === undefined) throw new Fault('CALL_BUSY', { n });
    return joined;
  }

  #statementOf(row: LaneRow): LaneStatement {
    const { place, length, unitMsat } = row.terms;
    const slot = this.#table.slotOf(fromHex(row.terms.lane, 'lane'));
    const fixed = { place, length, unitMsat, closed: row.closed };
    // Another owner may have written more than is known here.
    if (slot < 0 || this.#table.index(slot) < row.index || this.#table.done(slot) < row.done) {
      return { ...fixed, index: row.index, tip: row.tip, spent: row.spent, done: row.done };
    }
    const table = this.#table;
    // What waits for its commit is not stated: it may still be lost.
    const index = table.index(slot);
    return { ...fixed, index, tip: table.tip(slot), spent: row.spent, done: table.done(slot) };
  }

  /** A call of the lane has ended. */
  #ended(slot: number): void {
    const { session, lost } = this.#at(slot);
    if (lost && this.#isFree(slot)) this.#drop(slot);
    if (this.#closing.size > 0) this.#checkClosed(session.terms.session);
  }

  #checkClosed(session: string): void {
    const slots = [...(this.#sessions.get(session)?.slots ?? [])];
    if (slots.every((slot) => this.#isFree(slot))) this.#closing.get(session)?.();
  }

  #isFree(slot: number): boolean {
    return this.#table.running(slot) === 0;
  }

  /** Lets go of lanes that were not used since the last look: a sixteenth of all, or none. */
  #evict(): void {
    let wanted = Math.ceil(this.#context.hotLanes / 16);
    for (let looks = 2 * this.#held.length; looks > 0 && wanted > 0; looks--) {
      this.#hand = (this.#hand + 1) % this.#held.length;
      const held = this.#held[this.#hand];
      if (held === undefined || !this.#isFree(this.#hand)) continue;
      if (held.used) held.used = false;
      else {
        this.#drop(this.#hand);
        wanted--;
      }
    }
  }

  #drop(slot: number): void {
    const { terms, slots } = this.#at(slot).session;
    this.#table.remove(slot);
    this.#held[slot] = undefined;
    slots.delete(slot);
    if (slots.size === 0) this.#sessions.delete(terms.session);
  }

  #at(slot: number): Held {
    const held = this.#held[slot];
    if (held === undefined) throw new Error('invariant: the lane is in memory');
    return held;
  }
}

function missing(): never {
  throw new Error('invariant: the answer of a repeat is held');
}
