/**
 * Lanes in the books: who pays with ticks. A lane that is used is taken over from the store into a
 * flat table; what calls spend there is written by the lane writer, all touched lanes together.
 * @module
 */
import { fromHex, toHex } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import { LaneTable, hasStarted, type LaneCall, type LaneRow } from '../pay/tick/index.ts';
import type { SessionTerms } from '../pay/ledger/index.ts';
import type { HostStore } from '../port/store/index.ts';
import type { LaneStanding } from '../port/workers/index.ts';
import type { WorkBudget } from './budget.ts';
import type { Funding, TakenLane } from './funding.ts';
import { recoverRun, type LaneRecoverContext } from './lane-recover.ts';
import { LaneRun, type LaneRunParts } from './lane-run.ts';
import { LaneWriter, type LaneWriterContext } from './lane-writer.ts';
import { MAX_JOINERS } from './limits.ts';
import type { Recover } from './recovered.ts';

/** What lanes work with. */
export interface LanesContext extends LaneWriterContext, LaneRecoverContext {
  readonly store: Pick<HostStore, 'commitLanes' | 'gather' | 'storedLaneAnswer'>;
  readonly budget: WorkBudget;
  /** The time, which never goes back. */
  readonly now: () => UnixMs;
  /**
   * Takes a lane over.
   * @throws Fault `LANE_UNKNOWN`, `LANE_CLOSED`, `SESSION_UNPAID`; whatever says that it is served
   * elsewhere
   */
  readonly take: (lane: string) => Promise<TakenLane>;
  /** The lanes of a session, by their places, with all that was charged elsewhere. */
  readonly rowsOf: HostStore['lanesOf'];
  /** Closes the lanes of a session durably, together with their fold. */
  readonly closeLanes: (session: string) => Promise<void>;
  /** A lane that was taken is not served here any more; all that was answered of it is written. */
  readonly left?: (lane: { readonly lane: string; readonly epoch: number }) => void;
  readonly hotLanes: number;
  readonly answerBytes: number;
}

/** A session that was sold as lanes, as long as one of them is in use. */
export interface LaneSession {
  readonly terms: SessionTerms;
  readonly funding: Funding;
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
  /** Its ticks, those too that are not money yet. */
  readonly length: number;
  /** It was used since the last look for one to let go. */
  used: boolean;
  /** Another owner has taken it: nothing of it is written or answered here any more. */
  lost: boolean;
  /** It is let go as soon as its calls under way have ended; it takes no more of them. */
  leaving: PromiseWithResolvers<void> | undefined;
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
  #recover: Recover = async () => 'unknown';
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

  /** From now on this is asked about calls that an earlier owner had started. */
  recoverWith(recover: Recover): void {
    this.#recover = recover;
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
    if (held.lost || held.leaving !== undefined) throw new Fault('LANE_MOVED');
    held.used = true;
    const table = this.#table;
    this.#accept(slot, held, tick);
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
      rerun: kind !== 'run',
      once: kind === 'run' && call.once === true,
    });
    if (kind === 'read') {
      const { store } = this.#context;
      const lane = table.id(slot);
      const answer = run.read(() => store.storedLaneAnswer(lane, call.n));
      return { kind: 'repeat', answer };
    }
    this.#assertOpen(held.session, run);
    return { kind: 'run', run };
  }

  /** What was charged and written since these lanes were opened. */
  get spentMsat(): bigint {
    return this.#writer.writtenMsat;
  }

  /** Where the lanes of a session stand; those in memory as they are now. Empty for a bundle. */
  async statement(session: string): Promise<readonly LaneStatement[]> {
    this.#context.check();
    const rows = await this.#context.rowsOf(session);
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

  /**
   * Lets a lane go; resolves once it is in memory no more. New calls are `LANE_MOVED`, those under
   * way end first.
   */
  async letGo(lane: Uint8Array): Promise<void> {
    await this.#loading.get(toHex(lane))?.catch(() => undefined);
    const slot = this.#table.slotOf(lane);
    if (slot < 0) return;
    const held = this.#at(slot);
    held.leaving ??= Promise.withResolvers();
    if (this.isFree(slot)) this.#drop(slot);
    await held.leaving.promise;
  }

  /**
   * Loads the lanes of a session where a crash has cut calls: closing them then waits until it is
   * known what has to be charged. Of those that are served elsewhere it knows nothing.
   */
  async loadCut(session: string): Promise<void> {
    const rows = await this.#context.rowsOf(session);
    const cut = rows.filter(({ closed, entries }) => !closed && hasStarted(entries));
    const loads = cut.map(({ terms }) => this.load(fromHex(terms.lane, 'lane')).catch(asFault));
    await Promise.all(loads);
  }

  /** How far the lanes of a session are that are in memory. */
  standing(session: string): readonly LaneStanding[] {
    const table = this.#table;
    return [...(this.#sessions.get(session)?.slots ?? [])].map((slot) => ({
      lane: table.id(slot),
      index: table.index(slot),
      tip: table.tip(slot),
      done: table.done(slot),
    }));
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
    const { take, check } = this.#context;
    const taken = await take(lane);
    check();
    if (this.#closing.has(taken.terms.session)) throw new Fault('LANE_CLOSED');
    if (this.#table.count >= this.#context.hotLanes) this.#evict();
    this.#bringIn(taken);
  }

  #bringIn({ row, terms, funding }: TakenLane): void {
    const known = this.#sessions.get(terms.session);
    const unitMsat = Number(row.terms.unitMsat);
    const session = known ?? { terms, funding, unitMsat, slots: new Set() };
    this.#sessions.set(terms.session, session);
    const { place, length } = row.terms;
    const backed = Math.min(length, session.funding.backed(place));
    const slot = this.#table.add({ ...row, terms: { ...row.terms, length: backed } });
    session.slots.add(slot);
    this.#held[slot] = { session, place, length, used: true, lost: false, leaving: undefined };
    for (const entry of this.#table.cut(slot)) this.#endCut(slot, entry, session);
  }

  /** Ends a call that an earlier owner had started. */
  #endCut(slot: number, entry: number, session: LaneSession): void {
    const { n, units } = this.#table.entries;
    const call = { service: session.terms.service, session: this.#table.id(slot) };
    const parts = { slot, entry, units: units[entry] ?? 0, rerun: false, once: true };
    const run = this.#run(session, parts);
    const cut = { run, call: { ...call, n: BigInt(n[entry] ?? 0) }, recover: this.#recover };
    void recoverRun(this.#context, cut);
  }

  #run({ terms, unitMsat }: LaneSession, call: Omit<LaneRunParts, 'unitMsat' | 'unpaid'>): LaneRun {
    const { budget, monotonicMs } = this.#context;
    const startMs = monotonicMs();
    const unpaid = (): void => {
      const nowMs = monotonicMs();
      budget.spend(terms.payer, nowMs - startMs, nowMs);
    };
    return new LaneRun(this.#writer, { ...call, unitMsat, unpaid });
  }

  /** Hashes for ticks that prove to be none are work that nobody pays for. */
  #accept(slot: number, held: Held, tick: { index: number; secret: Uint8Array }): void {
    const { budget, monotonicMs } = this.#context;
    const { payer } = held.session.terms;
    const index = this.#table.index(slot);
    // The next tick is the usual case, and costs one hash.
    const far = tick.index > index + 1;
    const startMs = far ? monotonicMs() : 0;
    if (far) budget.check(payer, startMs);
    let refusal = this.#table.accept(slot, tick.index, tick.secret);
    // More of the lane may be money by now.
    if (refusal === 'TICK_INDEX' && this.#lengthen(slot, held)) {
      refusal = this.#table.accept(slot, tick.index, tick.secret);
    }
    if (refusal === undefined) return;
    const nowMs = monotonicMs();
    if (refusal === 'TICK_INVALID') budget.spend(payer, far ? nowMs - startMs : 0, nowMs);
    throw new Fault(refusal, { index });
  }

  #lengthen(slot: number, { session, place, length }: Held): boolean {
    return this.#table.lengthen(slot, Math.min(length, session.funding.backed(place)));
  }

  /** Only what is new is refused: what was charged before is answered. */
  #assertOpen({ terms, funding }: LaneSession, run: LaneRun): void {
    const { now, budget, monotonicMs } = this.#context;
    try {
      if (this.#closing.has(terms.session)) throw new Fault('LANE_CLOSED');
      if (run.rerun) return;
      const refusal = funding.refusal(now());
      if (refusal !== undefined) throw new Fault(refusal);
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
    const { session, lost, leaving } = this.#at(slot);
    if ((lost || leaving !== undefined) && this.isFree(slot)) this.#drop(slot);
    if (this.#closing.size > 0) this.#checkClosed(session.terms.session);
  }

  #checkClosed(session: string): void {
    const slots = [...(this.#sessions.get(session)?.slots ?? [])];
    const closed = this.#closing.get(session);
    if (closed === undefined || !slots.every((slot) => this.isFree(slot))) return;
    // In this turn: the answer of a repeat that is read would be one more call under way.
    for (const slot of slots) this.#at(slot).leaving ??= Promise.withResolvers();
    closed();
  }

  /** No call of a lane in memory is under way. */
  isFree(slot: number): boolean {
    return this.#table.running(slot) === 0;
  }

  /**
   * A lane in memory may be served elsewhere: no call is under way, and at most the last one can be
   * asked for again. Its answers stay behind, and would be made again there, at no cost.
   */
  mayMove(slot: number): boolean {
    return this.isFree(slot) && this.#table.numbers(slot) <= 1;
  }

  /** Lets go of lanes that were not used since the last look: a sixteenth of all, or none. */
  #evict(): void {
    let wanted = Math.ceil(this.#context.hotLanes / 16);
    for (let looks = 2 * this.#held.length; looks > 0 && wanted > 0; looks--) {
      this.#hand = (this.#hand + 1) % this.#held.length;
      const held = this.#held[this.#hand];
      if (held === undefined || !this.isFree(this.#hand)) continue;
      if (held.used) held.used = false;
      else {
        this.#drop(this.#hand);
        wanted--;
      }
    }
  }

  #drop(slot: number): void {
    const { session, leaving } = this.#at(slot);
    const { terms, slots } = session;
    leaving?.resolve();
    this.#context.left?.({ lane: this.#table.id(slot), epoch: this.#table.epoch(slot) });
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
