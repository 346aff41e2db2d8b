/**
 * What the tests of worker logs have in common: a store, and the log of a worker that has all lanes
 * of a session.
 * @module
 */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { concat } from '../../src/base/bytes/index.ts';
import {
  openHostStore,
  openWorkerLog,
  type HostStoreFile,
  type LaneExtra,
  type LaneLogFold,
  type WorkerLogFile,
} from '../../src/port/store/index.ts';
import { TICKS, laneImage, laneTerms, openLanes, type ImageFields } from './lanes-fixtures.ts';
import { directory, hex } from './store-fixtures.ts';

/** The session whose lanes the worker has. */
export const SESSION = hex(1, 16);

/** How the store of a test is opened. */
export interface StoreKind {
  readonly thread?: boolean;
  readonly spendLogBytes?: number;
}

/** Opens the store in a directory. */
export function openIn(dir: string, kind: StoreKind = {}): Promise<HostStoreFile> {
  const { thread = false, spendLogBytes = 65_536 } = kind;
  return openHostStore({ file: join(dir, 'host.db'), thread, spendLogBytes });
}

/** A worker that has lanes, and how far each of them is. */
export class LaneWorker {
  readonly log: WorkerLogFile;
  readonly number: number;
  /** The epoch and the version of each lane. */
  readonly lanes: { epoch: number; version: number }[];

  private constructor(number: number, log: WorkerLogFile, lanes: LaneWorker['lanes']) {
    this.number = number;
    this.log = log;
    this.lanes = lanes;
  }

  /** Begins a log and takes lanes. @param fold what stands between the log and the store */
  static async begin(
    store: HostStoreFile,
    places: readonly number[],
    { number = 1, fold }: { number?: number; fold?: (fold: LaneLogFold) => Promise<unknown> } = {},
  ): Promise<LaneWorker> {
    const place = await store.openLaneLog(number);
    const send = fold ?? ((one: LaneLogFold) => store.foldLanes(number, one));
    const log = await openWorkerLog(place, {
      fold: async (one) => {
        await send(one);
      },
    });
    const rows = await store.takeLanes(places.map((lane) => laneTerms(1, lane).lane));
    const lanes: LaneWorker['lanes'] = [];
    for (const { terms, epoch, version } of rows) lanes[terms.place] = { epoch, version };
    return new LaneWorker(number, log, lanes);
  }

  /** Commits one image of each of these lanes; each has spent as much as its version says. */
  async spend(places: readonly number[], extra?: LaneExtra, entries = 0): Promise<void> {
    const images = places.map((place) => laneImage(this.#next(place, entries)));
    const results = await this.log.commitLanes(concat(...images), extra);
    if (results.length !== places.length || results.some((result) => result !== 0)) {
      throw new Error(`refused: ${results.join()}`);
    }
    for (const place of places) this.#lane(place).version++;
  }

  /** The versions of its lanes. */
  versions(): number[] {
    return this.lanes.map(({ version }) => version);
  }

  #next(place: number, entries: number): ImageFields {
    const { epoch, version } = this.#lane(place);
    const units = Math.min(TICKS, version + 1);
    const done = version;
    const numbers = Array.from({ length: Math.min(entries, units) }, (_, i) => done + i);
    return { place, epoch, version, index: units, spent: units, done, entries: numbers };
  }

  #lane(place: number): { epoch: number; version: number } {
    const lane = this.lanes[place];
    if (lane === undefined) throw new Error(`it does not have lane ${place}`);
    return lane;
  }
}

/** A store with lanes, closed after the test. */
export async function openWorld(
  t: TestContext,
  count: number,
  kind: StoreKind = {},
): Promise<{ readonly store: HostStoreFile; readonly dir: string }> {
  const dir = directory(t);
  const store = await openIn(dir, kind);
  t.after(() => store.close().catch(() => undefined));
  await openLanes(store, 1, count);
  return { store, dir };
}

/** The files as they are now, in another directory: as after a crash. Locks are gone. */
export function crash(t: TestContext, from: string): string {
  const dir = directory(t);
  copyCrashed(from, dir);
  return dir;
}

/** The same, into a directory that is made when it is missing. */
export function copyCrashed(from: string, dir: string): void {
  mkdirSync(dir, { recursive: true });
  for (const name of readdirSync(from)) {
    const left = /^host\.db(-wal|-spend|-lanes-\d+)?$/.test(name);
    if (left) copyFileSync(join(from, name), join(dir, name));
  }
}

/** The versions of the lanes in a store that is opened for it; all rules must hold. */
export async function versionsIn(dir: string): Promise<number[]> {
  const store = await openIn(dir);
  try {
    const problems = await store.audit();
    if (problems.length > 0) throw new Error(problems.join());
    return await versionsOf(store);
  } finally {
    await store.close();
  }
}

/** The versions of the lanes in a store. */
export async function versionsOf(store: HostStoreFile): Promise<number[]> {
  return (await store.lanesOf(SESSION)).map(({ version }) => version);
}

/** All that the log of a worker has left is gone. */
export function logFiles(dir: string): string[] {
  return readdirSync(dir).filter((name) => name.includes('-lanes-'));
}
