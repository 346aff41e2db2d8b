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
  /** Writes it; gives what tells the writer. */
  readonly write: () => Promise<() => void>;
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
    const gate = <T>(write: () => Promise<T>): Promise<T> => {
      if (life !== this.#life) return new Promise(() => undefined);
      if (!gated) return write();
      return new Promise((resolve, reject) => {
        const told = async (): Promise<() => void> => {
          const result = await write();
          return () => resolve(result);
        };
        this.#waiting.push({ write: told, reject });
      });
    };
    const { disk } = this;
    const store: HostStore = {
      ...disk,
      commit: (groups: readonly CommitGroup[]): Promise<readonly GroupResult[]> =>
        gate(() => disk.commit(groups)),
      commitLanes: (images, extra) => gate(() => disk.commitLanes(images, extra)),
      takeLanes: (lanes) => gate(() => disk.takeLanes(lanes)),
      close: async () => undefined,
    };
    return { store, gate: () => (gated = true) };
  }

  /** Decides what becomes of the oldest commit that waits; false when there is none. */
  async step(fate: Fate): Promise<boolean> {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return false;
    const tell = fate === 'failed' ? undefined : await waiting.write();
    if (fate === 'durable' && tell !== undefined) tell();
    else waiting.reject(new Fault('STORE_FAILED'));
    return true;
  }

  /** The process dies: the commit under way is written or not, and nobody hears of it. */
  async crash(writes: boolean): Promise<void> {
    this.#life++;
    const [waiting] = this.#waiting.splice(0);
    if (writes && waiting !== undefined) await waiting.write();
  }
}
