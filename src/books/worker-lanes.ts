/**
 * The lanes of a worker process: taken from the primary, written into a log of its own.
 * @module
 */
import { Fault, asFault } from '../base/fault/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { HostStore } from '../port/store/index.ts';
import type { LaneStanding, PrimaryLink, WorkerDuty } from '../port/workers/index.ts';
import { WorkBudget } from './budget.ts';
import { prepaid, type TakenLane } from './funding.ts';
import { Lanes } from './lanes.ts';
import { BOOKS_LIMITS, MAX_RELEASED, type BooksLimits } from './limits.ts';
import { steadyTime } from './steady-time.ts';

/** Thrown for a lane that another worker has: its calls are passed on to that one. */
export class LaneElsewhere extends Error {
  override readonly name = 'LaneElsewhere';
  readonly worker: number;

  constructor(worker: number) {
    super(`worker ${worker} has the lane`);
    this.worker = worker;
  }
}

/** The log of a worker. */
export interface WorkerLog extends Pick<HostStore, 'commitLanes' | 'gather'> {
  /** Resolves when all that was written before is in the store: of these lanes, or of all. */
  flush(lanes?: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** What the lanes of a worker work with. */
export interface WorkerLanesOptions {
  readonly primary: PrimaryLink;
  readonly log: WorkerLog;
  readonly clock: Clock;
  readonly limits?: Partial<BooksLimits>;
  /**
   * Called once, when a write failed or its outcome is unknown, or what was written did not come
   * into the store: end the process. Until then every method rejects with Fault `HOST_BROKEN`.
   */
  readonly onBroken: (fault: Fault) => void;
}

/** Lanes that leave together. */
interface Leaving {
  readonly lanes: { readonly lane: string; readonly epoch: number }[];
  readonly released: PromiseWithResolvers<void>;
}

/** The lanes of one worker, and what its primary asks of it. */
export class WorkerLanes implements WorkerDuty {
  readonly limits: BooksLimits;
  readonly lanes: Lanes;
  readonly #primary: PrimaryLink;
  readonly #log: WorkerLog;
  readonly #onBroken: (fault: Fault) => void;
  /** Served no more, and not released yet. */
  readonly #leaving = new Map<string, Promise<void>>();
  #next: Leaving | undefined;
  #releasing: Promise<void> | undefined;
  #broken: Fault | undefined;
  #closed = false;

  constructor({ primary, log, clock, limits, onBroken }: WorkerLanesOptions) {
    this.limits = { ...BOOKS_LIMITS, ...limits };
    this.#primary = primary;
    this.#log = log;
    this.#onBroken = onBroken;
    this.lanes = new Lanes({
      store: {
        commitLanes: (images, extra) => log.commitLanes(images, extra),
        ...(log.gather === undefined ? {} : { gather: log.gather }),
        storedLaneAnswer: (lane, n) => primary.storedLaneAnswer(lane, n),
      },
      budget: new WorkBudget(this.limits),
      answerBytes: this.limits.answerBytes,
      hotLanes: this.limits.hotLanes,
      durability: this.limits.durability,
      now: steadyTime(clock),
      monotonicMs: () => clock.monotonicMs(),
      check: () => this.assertOpen(),
      broken: () => this.#broken,
      fail: (fault) => this.#fail(fault),
      timer: (ms, fire) => clock.timer(ms, fire),
      take: (lane) => this.#take(lane),
      left: (lane) => this.#left(lane),
      rowsOf: notHere,
      // The rows are the primary's to close.
      closeLanes: () => Promise.resolve(),
    });
  }

  /** @throws Fault `HOST_BROKEN`, `HOST_STOPPING` */
  assertOpen(): void {
    if (this.#broken !== undefined) throw new Fault('HOST_BROKEN', {}, this.#broken);
    if (this.#closed) throw new Fault('HOST_STOPPING');
  }

  /** Brings what was charged and answered into the store. */
  async flush(session: string | undefined): Promise<readonly LaneStanding[]> {
    this.assertOpen();
    const standing = session === undefined ? [] : this.lanes.standing(session);
    const lanes = [...standing.map(({ lane }) => lane), ...this.#leaving.keys()];
    await this.#fold(session === undefined ? undefined : lanes);
    return standing;
  }

  /** Serves the lanes of a session no more; resolves when they are released. */
  async close(session: string): Promise<void> {
    await this.lanes.close(session);
    await this.#released();
  }

  /**
   * Lets a lane go that is served here, so that another worker can take it: new calls are
   * `LANE_MOVED`, those under way end first. Resolves when it is released.
   */
  async letGo(lane: Uint8Array): Promise<void> {
    await this.lanes.letGo(lane);
    await this.#released();
  }

  /** Waits for what is under way to be durable and in the store, then closes the log. */
  async stop(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.lanes.idle();
    this.lanes.reject(new Fault('HOST_STOPPING'));
    if (this.#broken === undefined) await this.#fold();
    await this.#log.close();
  }

  async #take(lane: string): Promise<TakenLane> {
    // What was charged under the epoch before has to be in the store.
    while (this.#leaving.has(lane)) await this.#leaving.get(lane);
    const place = await this.#primary.take(lane);
    if (place.kind === 'elsewhere') throw new LaneElsewhere(place.worker);
    const { row, terms } = place;
    return { row, terms, funding: prepaid(terms, { paid: true }) };
  }

  /** What leaves in one turn is released together, once all of it is in the store. */
  #left(lane: { readonly lane: string; readonly epoch: number }): void {
    this.#next ??= { lanes: [], released: Promise.withResolvers() };
    this.#next.lanes.push(lane);
    this.#leaving.set(lane.lane, this.#next.released.promise);
    this.#releasing ??= this.#release();
    // Who takes or closes a lane meanwhile hears of a failure, and the process ends.
    for (const one of [this.#releasing, this.#next.released.promise]) one.catch(() => undefined);
  }

  async #release(): Promise<void> {
    await Promise.resolve();
    for (let batch = this.#next; batch !== undefined; batch = this.#next) {
      this.#next = undefined;
      const { lanes, released } = batch;
      await this.#fold(lanes.map(({ lane }) => lane)).catch((error: unknown) => {
        released.reject(error);
        throw error;
      });
      for (let from = 0; from < lanes.length; from += MAX_RELEASED) {
        this.#primary.release(lanes.slice(from, from + MAX_RELEASED));
      }
      for (const { lane } of lanes) this.#leaving.delete(lane);
      released.resolve();
    }
    // Without an await after the last look: what leaves now starts it again.
    this.#releasing = undefined;
  }

  async #released(): Promise<void> {
    await this.#releasing;
  }

  async #fold(lanes?: readonly string[]): Promise<void> {
    try {
      await this.#log.flush(lanes);
    } catch (error) {
      this.#fail(asFault(error, 'STORE_FAILED'));
      throw error;
    }
  }

  #fail(fault: Fault): void {
    if (this.#broken !== undefined) return;
    this.#broken = fault;
    this.lanes.reject(fault);
    this.#onBroken(fault);
  }
}

function notHere(): never {
  throw new Error('invariant: the primary states where lanes stand');
}
