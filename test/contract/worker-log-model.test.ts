/**
 * Workers that commit, flush, die and begin again, with folds that take their time: whatever was
 * acknowledged is in the store once the log is closed, wherever a crash came in between.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Fault } from '../../src/base/fault/index.ts';
import { seededRandom, type Random } from '../../src/base/random/index.ts';
import type { HostStoreFile, LaneLogFold } from '../../src/port/store/index.ts';
import { TICKS, UNIT_MSAT, laneTerms, openLanes } from './lanes-fixtures.ts';
import { LaneWorker, copyCrashed, openIn, versionsIn, versionsOf } from './worker-log-fixtures.ts';

const LANES = 6;
const places = fc.uniqueArray(fc.nat(LANES - 1), { minLength: 1, maxLength: LANES });

type Step =
  | { readonly do: 'commit' | 'crash' | 'flush' | 'once'; readonly places: readonly number[] }
  | { readonly do: 'end' | 'lose' | 'wait' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('commit' as const), places }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), places }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('flush' as const), places }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('once' as const), places }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('end', 'lose', 'wait') }) },
);

test('whatever was acknowledged comes into the store, at every crash', async () => {
  const steps = fc.array(step, { minLength: 20, maxLength: 90, size: 'max' });
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(), async (list, seed) => {
      const dir = mkdtempSync(join(tmpdir(), 'tollcall-worker-log-'));
      const world = await World.open(dir, seededRandom(seed));
      try {
        for (const one of list) await world.do(one);
        await world.do({ do: 'end' });
      } finally {
        await world.close();
        rmSync(dir, { recursive: true, force: true });
      }
    }),
    { numRuns: 12 },
  );
});

class World {
  readonly #dir: string;
  readonly #random: Random;
  readonly #store: HostStoreFile;
  #worker!: LaneWorker;
  #link = { ended: false };
  #costMsat = 0n;
  #flushes: Promise<unknown>[] = [];
  #lose = false;
  #crashes = 0;

  private constructor(dir: string, random: Random, store: HostStoreFile) {
    this.#dir = dir;
    this.#random = random;
    this.#store = store;
  }

  static async open(dir: string, random: Random): Promise<World> {
    const store = await openIn(dir);
    await openLanes(store, 1, LANES);
    const world = new World(dir, random, store);
    await world.#begin();
    return world;
  }

  async do(one: Step): Promise<void> {
    switch (one.do) {
      case 'commit':
        return this.#worker.spend(one.places, undefined, this.#random.below(40));
      case 'once':
        return this.#worker.spend(one.places, { answers: [] });
      case 'crash':
        return this.#crash(one.places);
      case 'flush':
        this.#flushes.push(this.#flush(one.places));
        return undefined;
      case 'wait':
        return this.#passed();
      case 'end':
        return this.#end();
      case 'lose':
        return this.#loseAcknowledgement();
    }
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #begin(): Promise<void> {
    const all = Array.from({ length: LANES }, (_, place) => place);
    const link = { ended: false };
    this.#link = link;
    const fold = (one: LaneLogFold): Promise<void> => this.#fold(one, link);
    this.#worker = await LaneWorker.begin(this.#store, all, { fold });
  }

  /** Comes when it comes, and its answer too; nothing comes of a worker that has ended. */
  async #fold(fold: LaneLogFold, link: { readonly ended: boolean }): Promise<void> {
    await turns(this.#random.below(4));
    if (link.ended) throw new Fault('HOST_STOPPING');
    const images = fold.images.slice();
    this.#costMsat += await this.#store.foldLanes(1, { ...fold, images });
    await turns(this.#random.below(4));
    if (this.#lose) throw new Fault('STORE_FAILED');
  }

  /** Of these lanes, or of all; then the store has what was acknowledged before. */
  async #flush(list: readonly number[]): Promise<void> {
    const before = this.#worker.versions();
    const some = list.length < LANES / 2;
    const lanes = list.map((place) => laneTerms(1, place).lane);
    await this.#worker.log.flush(some ? lanes : undefined);
    const versions = await versionsOf(this.#store);
    for (const [place, version] of before.entries()) {
      assert.ok((some && !list.includes(place)) || (versions[place] ?? 0) >= version);
    }
  }

  /** In the middle of a commit: of each lane that is there or not, of all others it is certain. */
  async #crash(list: readonly number[]): Promise<void> {
    const before = this.#worker.versions();
    const commit = this.#worker.spend(list);
    await turns(this.#random.below(2));
    const dir = join(this.#dir, `${this.#crashes++}`);
    copyCrashed(this.#dir, dir);
    await commit;
    const found = await versionsIn(dir);
    const all = before.map((version, place) => version + (list.includes(place) ? 1 : 0));
    assert.deepEqual(found, found.join() === before.join() ? before : all);
  }

  async #passed(): Promise<void> {
    await Promise.all(this.#flushes);
    this.#flushes = [];
  }

  /** It dies with what it has; the next one begins where it was. */
  async #end(): Promise<void> {
    await this.#passed();
    const { log } = this.#worker;
    await log.close();
    this.#link.ended = true;
    this.#costMsat += await this.#store.closeLaneLog(1);
    const versions = this.#worker.versions();
    assert.deepEqual(await versionsOf(this.#store), versions);
    assert.deepEqual(await this.#store.audit(), []);
    const spent = versions.reduce((sum, version) => sum + Math.min(TICKS, version), 0);
    assert.equal(this.#costMsat, BigInt(spent) * UNIT_MSAT);
    await this.#begin();
  }

  /** A fold is done, and the worker hears of a failure: it writes nothing any more. */
  async #loseAcknowledgement(): Promise<void> {
    await this.#passed();
    await this.#worker.spend([0]);
    this.#lose = true;
    await assert.rejects(this.#worker.log.flush());
    await assert.rejects(this.#worker.spend([0]));
    this.#lose = false;
    await this.#end();
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
