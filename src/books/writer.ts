/**
 * Group commit without a timer: what waits is written together as soon as the last commit ended.
 * After a commit that failed or whose outcome is unknown, nothing is written or answered any more.
 * @module
 */
import { Fault, asFault } from '../base/fault/index.ts';
import { heldMsat, imageOf } from '../pay/ledger/index.ts';
import type { CommitGroup, GroupResult, HostStore } from '../port/store/index.ts';
import type { HotSession } from './hot-session.ts';
import { ENOUGH_CHARGES, MAX_COMMIT_JOBS } from './limits.ts';

/** Who waits for a commit. */
export interface Waiting<T> {
  resolve(value: T): void;
  reject(reason: Fault): void;
}

interface Job extends Waiting<GroupResult> {
  readonly group: CommitGroup;
  readonly hot: HotSession | undefined;
  readonly asideMsat: bigint;
}

/** The only one who writes to the store. */
export class Writer {
  readonly #store: HostStore;
  readonly #onBroken: (fault: Fault) => void;
  /** Sessions whose calls changed, and who waits until that is durable. */
  #dirty = new Map<HotSession, Waiting<void>[]>();
  /** Of calls, how many wait. */
  #calls = 0;
  #jobs: Job[] = [];
  readonly #reads: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;
  #broken: Fault | undefined;
  #owedMsat = 0n;

  constructor(store: HostStore, onBroken: (fault: Fault) => void) {
    this.#store = store;
    this.#onBroken = onBroken;
  }

  /** Why nothing is written any more; undefined while all is well. */
  get broken(): Fault | undefined {
    return this.#broken;
  }

  /** Breaks it from outside: another commit of the same store failed. */
  fail(fault: Fault): void {
    if (this.#broken === undefined) this.#break(fault, []);
  }

  /** By how much all that sessions hold has changed since this writer began. */
  get owedMsat(): bigint {
    return this.#owedMsat;
  }

  /** Writes the calls of a session as they are when the commit starts; resolves once durable. */
  image(hot: HotSession): Promise<void> {
    return new Promise((resolve, reject) => this.imageThen(hot, { resolve, reject }));
  }

  /** `image` without a promise. */
  imageThen(hot: HotSession, one: Waiting<void>): void {
    if (this.#broken !== undefined) return one.reject(this.#broken);
    this.#calls++;
    const waiting = this.#dirty.get(hot);
    if (waiting === undefined) {
      this.#dirty.set(hot, [one]);
      hot.pins++;
    } else waiting.push(one);
    this.#start();
  }

  /**
   * Writes a group after the images; resolves with its result once durable. A session that it
   * touches must be in memory and be given as `hot`, except one that it opens. From now until then
   * `asideMsat` is no credit of it.
   */
  group(group: CommitGroup, hot?: HotSession, asideMsat = 0n): Promise<GroupResult> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) return reject(this.#broken);
      this.#jobs.push({ group, hot, asideMsat, resolve, reject });
      if (hot !== undefined) {
        hot.pins++;
        hot.asideMsat += asideMsat;
      }
      this.#start();
    });
  }

  /** Reads while no commit is under way. */
  between<T>(read: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) return reject(this.#broken);
      this.#reads.push(() => read().then(resolve, reject));
      this.#start();
    });
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // One turn of the microtask queue, so that what ends together is written together.
    await Promise.resolve();
    while (this.#dirty.size + this.#jobs.length + this.#reads.length > 0) {
      for (const read of this.#reads.splice(0)) await read();
      if (this.#dirty.size + this.#jobs.length === 0) continue;
      await this.#gather();
      await this.#commit();
    }
    // Without an await after the last look: whoever comes now starts it again.
    this.#running = undefined;
  }

  /** As long as each turn of the event loop brings more calls, they go into the same commit. */
  async #gather(): Promise<void> {
    const { gather } = this.#store;
    if (gather === undefined) return;
    for (let seen = -1; this.#calls > seen && seen < ENOUGH_CHARGES;) {
      seen = this.#calls;
      await gather();
    }
  }

  async #commit(): Promise<void> {
    this.#calls = 0;
    const dirty = [...this.#dirty];
    this.#dirty = new Map();
    const jobs = this.#jobs.splice(0, MAX_COMMIT_JOBS);
    const everyone = [...dirty.flatMap(([, waiting]) => waiting), ...jobs];
    try {
      // Images first: a transfer of the same commit then finds the version they were made from.
      const images = dirty.map(([hot]) => imageGroup(hot));
      const results = await this.#store.commit([...images, ...jobs.map((job) => job.group)]);
      for (const [i, [hot, waiting]] of dirty.entries()) {
        this.#written(hot, waiting, results[i]);
      }
      for (const [i, job] of jobs.entries()) this.#done(job, results[dirty.length + i]);
    } catch (error) {
      this.#break(asFault(error, 'STORE_FAILED'), everyone);
    }
  }

  #written(hot: HotSession, waiting: Waiting<void>[], result: GroupResult | undefined): void {
    if (result?.code !== 'ok') {
      // We are the only writer, so the store cannot know better: something is broken.
      throw new Fault('STORE_FAILED', { reason: result?.code ?? 'a result is missing' });
    }
    this.#update(hot, result);
    for (const one of waiting) one.resolve();
  }

  #done(job: Job, result: GroupResult | undefined): void {
    if (result === undefined) throw new Fault('STORE_FAILED', { reason: 'a result is missing' });
    if (job.hot !== undefined) {
      // What lanes have spent was owed no more before it was in a transfer.
      this.#update(job.hot, result, job.group.closeLanes === undefined);
      job.hot.asideMsat -= job.asideMsat;
    }
    job.resolve(result);
  }

  /** What was written is the row from now on: the next commit is made from it. */
  #update(hot: HotSession, result: GroupResult, counts = true): void {
    hot.pins--;
    for (const { numbers } of result.code === 'ok' ? result.touched : []) {
      if (counts) this.#owedMsat += heldMsat(numbers) - heldMsat(hot.row);
      hot.row = { ...hot.row, ...numbers };
    }
  }

  #break(fault: Fault, inCommit: readonly Waiting<never>[]): void {
    this.#broken = fault;
    const waiting = [...inCommit, ...[...this.#dirty.values()].flat(), ...this.#jobs];
    this.#dirty.clear();
    this.#jobs = [];
    for (const one of waiting) one.reject(fault);
    this.#onBroken(fault);
  }
}

/**
 * The calls of a session, the answers that go with them, and those that are not needed any more.
 */
function imageGroup(hot: HotSession): CommitGroup {
  const { session } = hot.row.terms;
  const calls = imageOf(hot.calls);
  const images = [{ session, version: hot.row.version, calls }];
  const stored = hot.row.calls.entries.filter(
    (entry) => entry.effect === 'once' && entry.kind === 'charged',
  );
  if (stored.length + hot.toStore.length === 0) return { images };
  const answers = hot.toStore.filter((answer) => answer.n >= calls.done);
  hot.toStore = [];
  const kept = new Set(calls.entries.map((entry) => entry.n));
  const forget = stored.filter((entry) => !kept.has(entry.n)).map(({ n }) => ({ session, n }));
  return { images, answers, forget };
}
