/**
 * A host's store in memory that outlives crashes, and whose commits wait until the test lets them
 * through, fails them, or crashes before or after they became durable.
 * @module
 */
import { Fault } from '../../src/base/fault/index.ts';
import {
  openHostStore,
  type CommitGroup,
  type GroupResult,
  type HostStore,
} from '../../src/port/store/index.ts';

/** What happens to the oldest commit that waits. */
export type Fate =
  /** Durable, and the writer hears of it. */
  | 'durable'
  /** Not written; the writer hears of a failure. */
  | 'failed'
  /** Written, but the writer hears of a failure. */
  | 'ambiguous';

interface Waiting {
  readonly groups: readonly CommitGroup[];
  resolve(results: readonly GroupResult[]): void;
  reject(error: unknown): void;
}

/** The disk of one host, whoever runs on it. */
export class GatedDisk {
  readonly disk: HostStore;
  readonly #waiting: Waiting[] = [];
  #life = 0;

  private constructor(disk: HostStore) {
    this.disk = disk;
  }

  /** An empty disk. */
  static async make(): Promise<GatedDisk> {
    return new GatedDisk(await openHostStore({ file: ':memory:', thread: false }));
  }

  /** Commits that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** A store on this disk for a new process; commits go through at once until `gate` is called. */
  open(): { readonly store: HostStore; readonly gate: () => void } {
    const life = this.#life;
    let gated = false;
    const commit = (groups: readonly CommitGroup[]): Promise<readonly GroupResult[]> => {
      if (life !== this.#life) return new Promise(() => undefined);
      if (!gated) return this.disk.commit(groups);
      return new Promise((resolve, reject) => this.#waiting.push({ groups, resolve, reject }));
    };
    const store: HostStore = { ...this.disk, commit, close: async () => undefined };
    return { store, gate: () => (gated = true) };
  }

  /** Decides what becomes of the oldest commit that waits; false when there is none. */
  async step(fate: Fate): Promise<boolean> {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return false;
    const results = fate === 'failed' ? undefined : await this.disk.commit(waiting.groups);
    if (fate === 'durable' && results !== undefined) waiting.resolve(results);
    else waiting.reject(new Fault('STORE_FAILED'));
    return true;
  }

  /** The process dies: the commit under way is written or not, and nobody hears of it. */
  async crash(writes: boolean): Promise<void> {
    this.#life++;
    const [waiting] = this.#waiting.splice(0);
    if (writes && waiting !== undefined) await this.disk.commit(waiting.groups);
  }
}
