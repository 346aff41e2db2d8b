/**
 * Kills a process that writes a worker's log, many times: what it had acknowledged is there.
 * @module
 */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { seededRandom } from '../../src/base/random/index.ts';
import type { HostStoreFile, LaneLogFold } from '../../src/port/store/index.ts';
import { laneTerms } from './lanes-fixtures.ts';
import { faultCode } from './store-fixtures.ts';
import type { Begin, Said } from './worker-log-victim.ts';
import { logFiles, openIn, openWorld, versionsIn, versionsOf } from './worker-log-fixtures.ts';

const KILLS = 16;
const LANES = 4;

test('what a worker acknowledged is in the store after each kill', async (t) => {
  const { store, dir } = await openWorld(t, LANES, { thread: true });
  const random = seededRandom(11);
  const load = loader(t, dir);
  let next = load();
  let commits = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const victim = await next;
    next = load();
    const worker = await begin(store, victim);
    await worker.killAfter(1 + random.below(60));
    await store.closeLaneLog(1);
    const ahead = (await versionsOf(store)).map((found, i) => found - (worker.versions[i] ?? 0));
    assert.ok(
      ahead.every((more) => more >= 0 && more === ahead[0]),
      `ahead ${ahead.join()}`,
    );
    assert.deepEqual(logFiles(dir), []);
    commits += worker.commits;
  }
  await next;
  assert.ok(commits >= KILLS);
  assert.deepEqual(await store.audit(), []);
});

test('as long as a worker lives, its log is its own', async (t) => {
  const { store, dir } = await openWorld(t, LANES, { thread: true });
  const worker = await begin(store, await loader(t, dir)());
  await worker.committed;
  await assert.rejects(store.closeLaneLog(1), faultCode('STORE_OWNED'));
  await worker.leave();
  await store.close();
  await assert.rejects(openIn(dir), faultCode('STORE_OWNED'), 'also for the next primary');
  await worker.killAfter(0);
  const found = await versionsIn(dir);
  assert.ok(found.every((version, i) => version >= (worker.versions[i] ?? 0)));
  assert.deepEqual(logFiles(dir), []);
});

/** Starts processes that wait for a word; all are gone after the test. */
function loader(t: TestContext, dir: string): () => Promise<ChildProcess> {
  const children: ChildProcess[] = [];
  t.after(() => children.forEach((child) => child.kill('SIGKILL')));
  return async () => {
    const child = fork(new URL('./worker-log-victim.ts', import.meta.url), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: { ...process.env, NODE_COMPILE_CACHE: join(dir, 'code') },
    });
    children.push(child);
    await once(child, 'message');
    return child;
  };
}

/** A worker that commits. */
class Victim {
  /** What it has acknowledged. */
  versions: readonly number[];
  commits = 0;
  readonly #child: ChildProcess;
  readonly #store: HostStoreFile;
  readonly #folds: Promise<unknown>[] = [];
  readonly #first = Promise.withResolvers<void>();
  #enough = Infinity;
  #left = false;

  constructor(child: ChildProcess, store: HostStoreFile, versions: readonly number[]) {
    this.#child = child;
    this.#store = store;
    this.versions = versions;
    child.on('message', (said: Said) => {
      if ('fold' in said) this.#folds.push(this.#fold(said.id, said.fold));
      else this.#acknowledged(said.versions);
    });
  }

  /** Its first commit. */
  get committed(): Promise<void> {
    return this.#first.promise;
  }

  /** Kills it when it has committed so often; resolves when all that it has asked is done. */
  async killAfter(commits: number): Promise<void> {
    this.#enough = commits;
    const over = once(this.#child, 'exit');
    if (this.commits >= commits) this.#child.kill('SIGKILL');
    await over;
    assert.equal(this.#child.signalCode, 'SIGKILL', 'it did not end by itself');
    await Promise.all(this.#folds);
  }

  /** The store hears nothing of it any more. */
  async leave(): Promise<void> {
    this.#left = true;
    await Promise.all(this.#folds);
  }

  #acknowledged(versions: readonly number[]): void {
    this.versions = versions;
    this.#first.resolve();
    if (++this.commits === this.#enough) this.#child.kill('SIGKILL');
  }

  async #fold(id: number, fold: LaneLogFold): Promise<void> {
    if (this.#left) return;
    await this.#store.foldLanes(1, fold);
    // It may be gone.
    if (this.#child.connected) this.#child.send(id, () => undefined);
  }
}

async function begin(store: HostStoreFile, child: ChildProcess): Promise<Victim> {
  const log = await store.openLaneLog(1);
  const ids = Array.from({ length: LANES }, (_, place) => laneTerms(1, place).lane);
  const lanes = await store.takeLanes(ids);
  const versions = lanes.map(({ version }) => version);
  const victim = new Victim(child, store, versions);
  const begin: Begin = { log, lanes: lanes.map(({ epoch, version }) => ({ epoch, version })) };
  child.send(begin);
  return victim;
}
