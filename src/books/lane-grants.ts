/**
 * Which worker has which lane: the bookkeeping alone, in memory of the primary.
 * @module
 */

/** A lane that a worker has. */
export interface Grant<W> {
  /** 16 bytes, hex. */
  readonly lane: string;
  readonly session: string;
  readonly worker: W;
  /** Under which epoch. */
  readonly epoch: number;
}

/** All of them. */
export class LaneGrants<W> {
  readonly #lanes = new Map<string, Grant<W>>();
  readonly #sessions = new Map<string, Set<string>>();
  readonly #counts = new Map<W, number>();

  /** How many a worker has. */
  count(worker: W): number {
    return this.#counts.get(worker) ?? 0;
  }

  /** Who has a lane. */
  workerOf(lane: string): W | undefined {
    return this.#lanes.get(lane)?.worker;
  }

  /** Who has lanes of a session. */
  workersOf(session: string): ReadonlySet<W> {
    return new Set(this.#of(session).map(({ worker }) => worker));
  }

  /** It is this worker's from now on. */
  grant(grant: Grant<W>): void {
    const { lane, session, worker } = grant;
    this.#drop(lane);
    this.#lanes.set(lane, grant);
    const lanes = this.#sessions.get(session) ?? new Set();
    this.#sessions.set(session, lanes.add(lane));
    this.#counts.set(worker, this.count(worker) + 1);
  }

  /** It is free, if that worker has it under exactly that epoch. */
  release(worker: W, { lane, epoch }: Pick<Grant<W>, 'lane' | 'epoch'>): void {
    const held = this.#lanes.get(lane);
    if (held?.worker === worker && held.epoch === epoch) this.#drop(lane);
  }

  /** What a worker has of a session, or all that it has, is free. */
  releaseAll(worker: W, session?: string): void {
    const all = session === undefined ? [...this.#lanes.values()] : this.#of(session);
    for (const grant of all) if (grant.worker === worker) this.#drop(grant.lane);
  }

  #of(session: string): Grant<W>[] {
    return [...(this.#sessions.get(session) ?? [])].flatMap((lane) => this.#lanes.get(lane) ?? []);
  }

  #drop(lane: string): void {
    const held = this.#lanes.get(lane);
    if (held === undefined) return;
    this.#lanes.delete(lane);
    const lanes = this.#sessions.get(held.session);
    lanes?.delete(lane);
    if (lanes?.size === 0) this.#sessions.delete(held.session);
    const count = this.count(held.worker) - 1;
    if (count > 0) this.#counts.set(held.worker, count);
    else this.#counts.delete(held.worker);
  }
}
