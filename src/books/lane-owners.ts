/**
 * Who serves a lane: this process as long as it has no workers, else one of them. A lane is granted
 * again only after its last owner has folded all of it and let it go, or has ended and its log is
 * in the store.
 * @module
 */
import { Fault, asFault } from '../base/fault/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import type { SessionState, SessionTerms } from '../pay/ledger/index.ts';
import type { LaneRow } from '../pay/tick/index.ts';
import type { HostStore, LaneLogFold, LaneLogPlace } from '../port/store/index.ts';
import type { LanePlace, LaneStanding, PrimaryLink, WorkerLink } from '../port/workers/index.ts';
import { prepaid, type TakenLane } from './funding.ts';
import { LaneGrants } from './lane-grants.ts';

/** What owners work with. */
export interface LaneOwnersContext {
  readonly store: Pick<
    HostStore,
    'lanesOf' | 'takeLanes' | 'openLaneLog' | 'foldLanes' | 'closeLaneLog' | 'storedLaneAnswer'
  >;
  readonly session: (
    session: string,
  ) => Promise<
    { readonly terms: SessionTerms; readonly state: Pick<SessionState, 'paid'> } | undefined
  >;
  readonly now: () => UnixMs;
  /** @throws Fault when the books are broken or closed */
  readonly check: () => void;
  /** What a worker has answered is not in the store: nothing is written any more. */
  readonly fail: (fault: Fault) => void;
  /** The most lanes that one worker may have; another one is `CALL_BUSY`. */
  readonly mostLanes: number;
}

/** A worker, from the beginning of its log until that is in the store. */
interface Worker {
  readonly number: number;
  link: WorkerLink | undefined;
  ended: boolean;
  /** Its process has ended, and its log is in the store. */
  readonly gone: PromiseWithResolvers<void>;
}

/** The owners of one host's lanes. */
export class LaneOwners {
  readonly #context: LaneOwnersContext;
  readonly #grants = new LaneGrants<Worker>();
  readonly #workers = new Map<number, Worker>();
  /** What is asked about a lane: one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Sessions whose lanes are being closed, and how often. */
  readonly #closing = new Map<string, number>();
  /** How many closes have ended. */
  #closes = 0;
  #foldedMsat = 0n;
  #flushing: Promise<void> | undefined;
  #nextFlush: Promise<void> | undefined;

  constructor(context: LaneOwnersContext) {
    this.#context = context;
  }

  /** What workers have charged since the start, as far as it is in the store. */
  get foldedMsat(): bigint {
    return this.#foldedMsat;
  }

  /** There are workers: they have the lanes. */
  get any(): boolean {
    return this.#workers.size > 0;
  }

  /** Begins the log of a worker whose process will start; `ended` must follow. */
  async begin(worker: number): Promise<LaneLogPlace> {
    this.#context.check();
    if (this.#workers.has(worker)) throw new Error('invariant: a worker begins when it has ended');
    const gone = Promise.withResolvers<void>();
    gone.promise.catch(() => undefined);
    this.#workers.set(worker, { number: worker, link: undefined, ended: false, gone });
    try {
      return await this.#context.store.openLaneLog(worker);
    } catch (error) {
      this.#workers.delete(worker);
      throw error;
    }
  }

  /** Its process runs: gives what it may ask for. After its end that does nothing any more. */
  join(link: WorkerLink): PrimaryLink {
    const worker = this.#workers.get(link.worker);
    if (worker === undefined || worker.link !== undefined) {
      throw new Error('invariant: a worker joins once, after it began');
    }
    worker.link = link;
    return {
      take: (lane) => this.#inTurn(lane, () => this.#take(worker, lane)),
      fold: (fold) => this.#fold(worker, fold),
      storedLaneAnswer: (lane, n) => this.#context.store.storedLaneAnswer(lane, n),
      release: (lanes) => {
        if (!worker.ended) for (const lane of lanes) this.#grants.release(worker, lane);
      },
    };
  }

  /**
   * The process of a worker has ended: brings its log into the store, and only then its lanes are
   * free. Takes of them wait meanwhile.
   */
  ended(number: number): Promise<void> {
    const worker = this.#workers.get(number);
    if (worker === undefined) return Promise.resolve();
    if (!worker.ended) {
      worker.ended = true;
      void this.#end(worker);
    }
    return worker.gone.promise;
  }

  /** Takes a lane for this process. @throws Fault `LANE_MOVED` when there are workers */
  takeHere(lane: string): Promise<TakenLane> {
    if (this.any) throw new Fault('LANE_MOVED');
    return this.#takeRow(lane);
  }

  /** Brings what workers have charged into the store. Whoever asks during one shares the next. */
  flush(): Promise<void> {
    this.#nextFlush ??= this.#flushNext();
    return this.#nextFlush;
  }

  /** The lanes of a session as their owners know them, by their places. */
  async rowsOf(session: string): Promise<readonly LaneRow[]> {
    const workers = [...this.#grants.workersOf(session)];
    const standing = await this.#ask(workers, (link) => link.flush(session));
    const known = new Map(standing.flat().map((one) => [one.lane, one]));
    const rows = await this.#context.store.lanesOf(session);
    return rows.map((row) => withStanding(row, known.get(row.terms.lane)));
  }

  /**
   * Closes the lanes of a session: workers serve them no more and have folded them, nobody takes
   * one, then `commit` closes their rows.
   */
  async close(session: string, commit: () => Promise<void>): Promise<void> {
    this.#closing.set(session, (this.#closing.get(session) ?? 0) + 1);
    try {
      const workers = [...this.#grants.workersOf(session)];
      await this.#ask(workers, (link) => link.close(session));
      for (const worker of workers) this.#grants.releaseAll(worker, session);
      await commit();
    } finally {
      this.#closes++;
      const others = (this.#closing.get(session) ?? 0) - 1;
      if (others > 0) this.#closing.set(session, others);
      else this.#closing.delete(session);
    }
  }

  /** Resolves when the logs of all workers that have ended are in the store. */
  async idle(): Promise<void> {
    const ended = [...this.#workers.values()].filter((worker) => worker.ended);
    await Promise.allSettled(ended.map(({ gone }) => gone.promise));
  }

  async #flushNext(): Promise<void> {
    await this.#flushing?.catch(() => undefined);
    this.#nextFlush = undefined;
    const asked = this.#ask([...this.#workers.values()], (link) => link.flush(undefined));
    this.#flushing = asked.then(() => undefined);
    await this.#flushing;
  }

  async #take(worker: Worker, lane: string): Promise<LanePlace> {
    for (;;) {
      assertAlive(worker);
      const owner = this.#grants.workerOf(lane);
      if (owner !== undefined && owner !== worker) {
        if (!owner.ended) return { kind: 'elsewhere', worker: owner.number };
        await owner.gone.promise;
        continue;
      }
      if (this.#grants.count(worker) >= this.#context.mostLanes) throw new Fault('CALL_BUSY');
      const closes = this.#closes;
      const { row, terms } = await this.#takeRow(lane);
      // A later turn: it may have ended, or a close may have begun, which looks at grants.
      assertAlive(worker);
      const { session } = terms;
      if (this.#closing.has(session)) throw new Fault('LANE_CLOSED');
      // One has ended meanwhile: the row may be from before.
      if (closes !== this.#closes) continue;
      this.#grants.grant({ lane, session, worker, epoch: row.epoch });
      return { kind: 'here', row, terms };
    }
  }

  async #takeRow(lane: string): Promise<TakenLane> {
    const { store, session: find, check, now } = this.#context;
    check();
    const [row] = await store.takeLanes([lane]);
    if (row === undefined) throw new Fault('LANE_UNKNOWN');
    if (row.closed) throw new Fault('LANE_CLOSED');
    const session = await find(row.terms.session);
    check();
    if (session === undefined) throw new Error('invariant: a lane has a session');
    const { terms, state } = session;
    const funding = prepaid(terms, state);
    if (funding.refusal(now()) === 'SESSION_UNPAID') throw new Fault('SESSION_UNPAID');
    return { row, terms, funding };
  }

  #fold(worker: Worker, fold: LaneLogFold): Promise<void> {
    if (worker.ended) return Promise.reject(new Fault('HOST_STOPPING'));
    return this.#count(this.#context.store.foldLanes(worker.number, fold));
  }

  async #end(worker: Worker): Promise<void> {
    const { number, gone } = worker;
    try {
      await this.#count(this.#context.store.closeLaneLog(number));
      this.#grants.releaseAll(worker);
      this.#workers.delete(number);
      gone.resolve();
    } catch (error) {
      gone.reject(error);
    }
  }

  /** What was answered must come into the store: else it could be spent again. */
  async #count(writing: Promise<bigint>): Promise<void> {
    try {
      this.#foldedMsat += await writing;
    } catch (error) {
      const fault = asFault(error, 'STORE_FAILED');
      this.#context.fail(fault);
      throw fault;
    }
  }

  /** One that ends meanwhile has done its part once its log is in the store. */
  async #ask<T>(
    workers: readonly Worker[],
    ask: (link: WorkerLink) => Promise<T>,
  ): Promise<readonly T[]> {
    const asked = workers.map(async ({ link, ended, gone }) => {
      if (link === undefined) return [];
      const end = async (why?: unknown): Promise<readonly T[]> => {
        // It lives, and has too much to do.
        const fault = why === undefined ? undefined : asFault(why);
        if (fault?.code === 'CALL_BUSY') throw fault;
        return gone.promise.then(() => []);
      };
      return ended ? end() : ask(link).then((told) => [told], end);
    });
    return (await Promise.all(asked)).flat();
  }

  async #inTurn<T>(lane: string, work: () => Promise<T>): Promise<T> {
    while (this.#turns.has(lane)) await this.#turns.get(lane)?.catch(() => undefined);
    const mine = work();
    this.#turns.set(lane, mine);
    try {
      return await mine;
    } finally {
      this.#turns.delete(lane);
    }
  }
}

/** What its payer has said may be further than what was written. */
function withStanding(row: LaneRow, standing: LaneStanding | undefined): LaneRow {
  if (standing === undefined || row.closed) return row;
  const done = Math.max(row.done, standing.done);
  if (standing.index < row.index) return { ...row, done };
  return { ...row, done, index: standing.index, tip: standing.tip };
}

/** Nobody hears it. */
function assertAlive(worker: Worker): void {
  if (worker.ended) throw new Fault('HOST_STOPPING');
}
