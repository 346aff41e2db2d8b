/**
 * Logs of workers as they ought to be, over a store in memory: a log keeps every image, a fold
 * writes them one after the other, and skips what the store has left behind.
 * @module
 */
import assert from 'node:assert/strict';
import { concat } from '../../src/base/bytes/index.ts';
import { Fault } from '../../src/base/fault/index.ts';
import { msat, type Msat } from '../../src/base/money/index.ts';
import type { WorkerLog } from '../../src/books/index.ts';
import { readImage } from '../../src/pay/tick/index.ts';
import {
  openHostStore,
  type HostStore,
  type LaneExtra,
  type LaneLogPlace,
} from '../../src/port/store/index.ts';
import type { PrimaryLink } from '../../src/port/workers/index.ts';
import type { Gate } from './step-line.ts';

/** The logs of all workers and the store behind them, on a disk that outlives all processes. */
export interface WorkerLogs {
  /** The store, for whoever looks at it from outside. */
  readonly disk: HostStore;
  /** What the store does with the logs. */
  store(): Pick<HostStore, 'openLaneLog' | 'foldLanes' | 'closeLaneLog'>;
  /** The log that a worker process writes; its durable writes wait at the gate. */
  open(worker: Beginning): Promise<WorkerLog>;
  /** The process of a worker is gone. */
  ended(worker: number): Promise<void>;
  /** All processes are gone; the store is opened again, and has what logs hold. */
  restart(): Promise<void>;
  /** It is over. */
  close(): Promise<void>;
}

/** A worker process that begins. */
export interface Beginning {
  readonly worker: number;
  readonly place: LaneLogPlace;
  readonly gate: Gate;
  readonly primary: PrimaryLink;
}

/** Logs in memory. */
export class ModelLogs implements WorkerLogs {
  readonly disk: HostStore;
  readonly #session: string;
  readonly #logs = new Map<number, Uint8Array[]>();

  private constructor(disk: HostStore, session: string) {
    this.disk = disk;
    this.#session = session;
  }

  /** @param session the only one whose lanes are used */
  static async make(session: string): Promise<ModelLogs> {
    return new ModelLogs(await openHostStore({ file: ':memory:', thread: false }), session);
  }

  store(): Pick<HostStore, 'openLaneLog' | 'foldLanes' | 'closeLaneLog'> {
    return {
      openLaneLog: async (worker) => {
        assert.ok(!this.#logs.has(worker), 'a worker has one log');
        this.#logs.set(worker, []);
        return { file: `${worker}`, id: new Uint8Array(16) };
      },
      foldLanes: (worker, fold) => {
        assert.ok(this.#logs.has(worker), 'a fold comes before the end of the log');
        return this.#write(fold.images, fold.extra);
      },
      closeLaneLog: async (worker) => {
        const written = await this.#write(concat(...(this.#logs.get(worker) ?? [])));
        this.#logs.delete(worker);
        return written;
      },
    };
  }

  async open({ worker, gate, primary }: Beginning): Promise<WorkerLog> {
    const written = this.#logs.get(worker) ?? assert.fail('it was begun');
    let ahead: Uint8Array[] = [];
    return {
      commitLanes: async (images, extra) => {
        const all = split(images);
        if (extra === undefined) {
          await gate.pass(async () => {
            written.push(...all);
            ahead.push(...all);
          });
        } else {
          const lanes = new Set(all.map(laneOf));
          const due = ahead.filter((image) => lanes.has(laneOf(image)));
          await primary.fold({ images: concat(...due, images), through: 0, extra });
          ahead = ahead.filter((image) => !due.includes(image));
        }
        return new Uint8Array(all.length);
      },
      flush: async (lanes) => {
        const due = ahead.filter((image) => lanes?.includes(laneOf(image)) ?? true);
        if (due.length === 0) return;
        await primary.fold({ images: concat(...due), through: 0 });
        ahead = ahead.filter((image) => !due.includes(image));
      },
      close: async () => undefined,
    };
  }

  async ended(): Promise<void> {
    // Memory is nobody's.
  }

  async restart(): Promise<void> {
    for (const worker of this.#logs.keys()) await this.store().closeLaneLog(worker);
  }

  close(): Promise<void> {
    return this.disk.close();
  }

  async #write(images: Uint8Array, extra?: LaneExtra): Promise<Msat> {
    const before = await this.#spentMsat();
    for (const image of split(images)) {
      if (await this.#isOld(image)) continue;
      const [result = 0] = await this.disk.commitLanes(image, extra && answersOf(image, extra));
      if (result !== 0) throw new Fault('STORE_CORRUPT', { result });
    }
    return msat((await this.#spentMsat()) - before);
  }

  /** The store has left it behind. */
  async #isOld(image: Uint8Array): Promise<boolean> {
    const { lane, version } = readImage(image, 0) ?? assert.fail();
    const rows = await this.disk.lanesOf(this.#session);
    return rows.some((row) => row.terms.lane === lane && version < row.version);
  }

  async #spentMsat(): Promise<bigint> {
    const rows = await this.disk.lanesOf(this.#session);
    return rows.reduce((sum, { spent, terms }) => sum + BigInt(spent) * terms.unitMsat, 0n);
  }
}

function laneOf(image: Uint8Array): string {
  return (readImage(image, 0) ?? assert.fail()).lane;
}

function answersOf(image: Uint8Array, { answers }: LaneExtra): LaneExtra {
  return { answers: answers.filter(({ lane }) => lane === laneOf(image)) };
}

function split(images: Uint8Array): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at < images.length;) {
    const { end } = readImage(images, at) ?? assert.fail();
    all.push(images.slice(at, end));
    at = end;
  }
  return all;
}
