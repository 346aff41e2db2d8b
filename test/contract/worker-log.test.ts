/**
 * The contract of worker logs: what a worker has acknowledged comes into the store, whatever ends.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { concat, u32 } from '../../src/base/bytes/index.ts';
import { Fault } from '../../src/base/fault/index.ts';
import { openHostStore, openWorkerLog, type LaneLogFold } from '../../src/port/store/index.ts';
import { UNIT_MSAT, laneImage, laneTerms, spend, type ImageFields } from './lanes-fixtures.ts';
import { directory, faultCode } from './store-fixtures.ts';
import {
  LaneWorker,
  SESSION,
  crash,
  logFiles,
  openIn,
  openWorld,
  versionsIn,
  versionsOf,
} from './worker-log-fixtures.ts';

/** What a worker sends: images, each with the version that its row has in the store. */
function leaps(...entries: readonly (readonly [from: number, image: ImageFields])[]): LaneLogFold {
  const parts = entries.flatMap(([from, image]) => [u32(from).toReversed(), laneImage(image)]);
  return { images: concat(...parts), through: 0 };
}

for (const thread of [true, false]) {
  const name = thread ? 'thread' : 'direct';

  test(`${name}: a log that is closed leaves all it held in the store, and no file`, async (t) => {
    const { store, dir } = await openWorld(t, 3, { thread });
    const worker = await LaneWorker.begin(store, [0, 1]);
    await worker.spend([0, 1]);
    await worker.spend([1]);
    assert.deepEqual(await versionsOf(store), [0, 0, 0], 'only the log has it');
    await worker.log.close();
    assert.equal(await store.closeLaneLog(1), 3n * UNIT_MSAT);
    assert.deepEqual(await versionsOf(store), [1, 2, 0]);
    assert.deepEqual(logFiles(dir), []);
    assert.equal(await store.closeLaneLog(1), 0n, 'once more');
    assert.deepEqual(await store.audit(), []);
  });

  test(`${name}: a flush brings in what was written, once`, async (t) => {
    const { store } = await openWorld(t, 3, { thread });
    const costs: bigint[] = [];
    const fold = async (one: LaneLogFold) => costs.push(await store.foldLanes(1, one));
    const worker = await LaneWorker.begin(store, [0, 1, 2], { fold });
    await worker.spend([0, 1, 2]);
    await worker.spend([0]);
    await worker.log.flush([laneTerms(1, 0).lane]);
    assert.deepEqual(await versionsOf(store), [2, 0, 0]);
    await worker.log.flush();
    assert.deepEqual(await versionsOf(store), [2, 1, 1]);
    await worker.log.flush();
    assert.deepEqual(costs, [2n * UNIT_MSAT, 2n * UNIT_MSAT], 'nothing was left to fold');
    await worker.spend([2]);
    await worker.log.close();
    assert.equal(await store.closeLaneLog(1), UNIT_MSAT);
    assert.deepEqual(await versionsOf(store), [2, 1, 2]);
  });

  test(`${name}: with answers a commit goes into the store, after what the log has`, async (t) => {
    const { store, dir } = await openWorld(t, 2, { thread });
    const worker = await LaneWorker.begin(store, [0, 1]);
    const { lane } = laneTerms(1, 0);
    await worker.spend([0, 1]);
    await worker.spend([0], { answers: [{ lane, n: 1, body: new Uint8Array([5]) }] });
    assert.deepEqual(await versionsOf(store), [2, 0]);
    assert.deepEqual(await store.storedLaneAnswer(lane, 1), new Uint8Array([5]));
    await worker.spend([0, 1]);
    assert.deepEqual(await versionsIn(crash(t, dir)), [3, 2]);
    await worker.log.flush();
    assert.deepEqual(await versionsIn(crash(t, dir)), [3, 2]);
    await worker.log.close();
  });
}

test('a fold brings a lane up by many versions, and a second time changes nothing', async (t) => {
  const { store } = await openWorld(t, 2);
  await store.openLaneLog(1);
  await store.takeLanes([laneTerms(1, 0).lane]);
  const far = leaps([0, { epoch: 1, version: 6, index: 9, spent: 7 }]);
  assert.equal(await store.foldLanes(1, far), 7n * UNIT_MSAT);
  assert.equal(await store.foldLanes(1, far), 0n);
  const near = leaps([0, { epoch: 1, version: 2, index: 3, spent: 3 }]);
  assert.equal(await store.foldLanes(1, near), 0n, 'the store has left it behind');
  const next = leaps([7, { epoch: 1, version: 7, index: 9, spent: 9 }]);
  assert.equal(await store.foldLanes(1, next), 2n * UNIT_MSAT);
  const [row] = await store.lanesOf(SESSION);
  assert.deepEqual([row?.version, row?.index, row?.spent], [8, 9, 9]);
  assert.deepEqual(await store.audit(), []);
});

test('a fold that was not made by the owner is refused as a whole', async (t) => {
  const { store } = await openWorld(t, 3);
  await store.openLaneLog(1);
  await store.takeLanes([0, 1, 2].map((place) => laneTerms(1, place).lane));
  const good = { place: 1, epoch: 1, version: 0, index: 1, spent: 1 };
  assert.equal(await store.foldLanes(1, leaps([0, good])), UNIT_MSAT);
  const other = { place: 2, epoch: 1, version: 3, index: 3, spent: 2 };
  const bad: readonly (readonly [why: string, from: number, ImageFields])[] = [
    ['no such lane', 0, { place: 9, epoch: 1 }],
    ['an earlier owner', 0, { epoch: 0 }],
    ['a later owner', 0, { epoch: 2 }],
    ['an earlier owner, left behind', 0, { place: 1, epoch: 0 }],
    ['from another row', 1, { epoch: 1, version: 1 }],
    ['before the row', 5, { place: 1, epoch: 1, version: 4, index: 9, spent: 9 }],
    ['an index that falls', 1, { place: 1, epoch: 1, version: 4, spent: 0 }],
    ['spent that falls', 1, { place: 1, epoch: 1, version: 4, index: 1 }],
    ['more spent than accepted', 0, { epoch: 1, version: 4, index: 3, spent: 4 }],
    ['longer than the lane', 0, { epoch: 1, version: 4, index: 51, spent: 4 }],
  ];
  for (const [why, from, image] of bad) {
    const folding = store.foldLanes(1, leaps([0, other], [from, image]));
    await assert.rejects(folding, faultCode('STORE_CORRUPT'), why);
  }
  assert.deepEqual(await versionsOf(store), [0, 1, 0]);
  const cut = leaps([0, other]).images.slice(0, -1);
  await assert.rejects(store.foldLanes(1, { images: cut, through: 0 }));
  const unknown = store.foldLanes(2, leaps([0, other]));
  await assert.rejects(unknown, faultCode('STORE_CORRUPT'), 'a worker without a log');
  assert.deepEqual(await versionsOf(store), [0, 1, 0]);
  assert.deepEqual(await spend(store, { ...other, version: 0 }), ['ok'], 'the row is as it was');
});

test('what a store has of a lane in its own log goes before a fold', async (t) => {
  const { store } = await openWorld(t, 1);
  await store.openLaneLog(1);
  await store.takeLanes([laneTerms(1, 0).lane]);
  assert.deepEqual(await spend(store, { epoch: 1, index: 4, spent: 2 }), ['ok']);
  const fold = leaps([1, { epoch: 1, version: 3, index: 6, spent: 6 }]);
  assert.equal(await store.foldLanes(1, fold), 4n * UNIT_MSAT);
  assert.deepEqual(await spend(store, { epoch: 1, version: 3, index: 9, spent: 7 }), [
    'version_stale',
  ]);
  assert.deepEqual(await spend(store, { epoch: 1, version: 4, index: 9, spent: 7 }), ['ok']);
  assert.deepEqual(await versionsOf(store), [5]);
});

test('a lane goes from one worker to another, and both logs are closed', async (t) => {
  const { store, dir } = await openWorld(t, 2);
  const first = await LaneWorker.begin(store, [0, 1]);
  await first.spend([0, 1]);
  await first.log.flush([laneTerms(1, 0).lane]);
  const second = await LaneWorker.begin(store, [0], { number: 2 });
  await second.spend([0]);
  await second.spend([0]);
  await second.log.flush();
  const again = await store.takeLanes([laneTerms(1, 0).lane]);
  assert.deepEqual([again[0]?.epoch, again[0]?.version], [3, 3]);
  first.lanes[0] = { epoch: 3, version: 3 };
  await first.spend([0, 1]);
  assert.deepEqual(await versionsIn(crash(t, dir)), [4, 2]);
  for (const { log, number } of [first, second]) {
    await log.close();
    await store.closeLaneLog(number);
  }
  assert.deepEqual(await versionsOf(store), [4, 2]);
  assert.deepEqual(logFiles(dir), []);
});

test('as long as a log is open, nobody closes it or opens it', async (t) => {
  const { store, dir } = await openWorld(t, 1);
  const worker = await LaneWorker.begin(store, [0]);
  await worker.spend([0]);
  await assert.rejects(store.closeLaneLog(1), faultCode('STORE_OWNED'));
  await assert.rejects(store.openLaneLog(1));
  await worker.spend([0]);
  await store.close();
  await assert.rejects(openIn(dir), (error: unknown) => {
    assert.ok(error instanceof Fault && error.code === 'STORE_OWNED');
    assert.equal(error.facts['file'], join(dir, 'host.db-lanes-1'));
    return true;
  });
  await worker.log.close();
  assert.deepEqual(await versionsIn(dir), [2]);
  assert.deepEqual(logFiles(dir), []);
});

test('a log that was closed, or begun anew, is not opened', async (t) => {
  const { store } = await openWorld(t, 1);
  const fold = async (): Promise<void> => undefined;
  const late = await store.openLaneLog(1);
  await store.closeLaneLog(1);
  await assert.rejects(openWorkerLog(late, { fold }), faultCode('STORE_OWNED'));
  const next = await store.openLaneLog(1);
  assert.notDeepEqual(next.id, late.id);
  await assert.rejects(openWorkerLog(late, { fold }), faultCode('STORE_OWNED'));
  const log = await openWorkerLog(next, { fold });
  await assert.rejects(openWorkerLog(next, { fold }), faultCode('STORE_OWNED'), 'twice');
  await log.close();
});

test('after a fold that fails nothing is written any more', async (t) => {
  const { store } = await openWorld(t, 1);
  const refuse = (): Promise<never> => Promise.reject(new Fault('STORE_FULL'));
  const worker = await LaneWorker.begin(store, [0], { fold: refuse });
  await worker.spend([0]);
  await assert.rejects(worker.log.flush(), faultCode('STORE_FULL'));
  await assert.rejects(worker.spend([0]), faultCode('STORE_FULL'));
  await assert.rejects(worker.log.flush(), faultCode('STORE_FULL'));
  await worker.log.close();
  assert.equal(await store.closeLaneLog(1), UNIT_MSAT);
});

test('a commit waits when both halves are full and the store is slow', async (t) => {
  const { store } = await openWorld(t, 1);
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const fold = async (one: LaneLogFold): Promise<void> => {
    asked.resolve();
    await gate.promise;
    await store.foldLanes(1, one);
  };
  const worker = await LaneWorker.begin(store, [0], { fold });
  // Eight blocks of a page each go into a half.
  for (let i = 0; i < 16; i++) await worker.spend([0]);
  await asked.promise;
  assert.deepEqual(await versionsOf(store), [0]);
  let over = false;
  const commit = worker.spend([0]).then(() => (over = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(over, false);
  gate.resolve();
  await commit;
  assert.ok((await versionsOf(store))[0] === 16);
  await worker.log.close();
});

test('a backup holds what was flushed, and knows of no log', async (t) => {
  const { store } = await openWorld(t, 2);
  const worker = await LaneWorker.begin(store, [0, 1]);
  await worker.spend([0, 1]);
  await worker.log.flush();
  await worker.spend([0]);
  const file = join(directory(t), 'host.db');
  await store.backup(file);
  const copy = await openHostStore({ file, thread: false, spendLogBytes: 65_536 });
  t.after(() => copy.close());
  assert.deepEqual(await versionsOf(copy), [1, 1]);
  assert.deepEqual(await copy.audit(), []);
  const other = await LaneWorker.begin(copy, [0]);
  await other.spend([0]);
  await other.log.close();
  await copy.closeLaneLog(1);
  assert.deepEqual(await versionsOf(copy), [2, 1]);
  await worker.log.close();
});

test('a store in memory has no logs', async (t) => {
  const store = await openHostStore({ file: ':memory:', thread: false });
  t.after(() => store.close());
  await assert.rejects(store.openLaneLog(1), /invariant/);
  assert.equal(await store.closeLaneLog(1), 0n);
});

for (const spendLogBytes of [65_536, 1 << 20]) {
  test(`more lanes than one fold takes, in a log of ${spendLogBytes} bytes`, async (t) => {
    const all = Array.from({ length: 1200 }, (_, place) => place);
    const { store, dir } = await openWorld(t, all.length, { thread: true, spendLogBytes });
    const folds: number[] = [];
    const fold = async (one: LaneLogFold): Promise<void> => {
      folds.push(one.images.length / (4 + laneImage({}).length));
      await store.foldLanes(1, one);
    };
    const worker = await LaneWorker.begin(store, all, { fold });
    for (let round = 0; round < 12; round++) {
      const some = all.filter((place) => place % 3 !== round % 3);
      await worker.spend(some);
      if (round % 5 === 4) await worker.log.flush();
    }
    const again = await openIn(crash(t, dir));
    t.after(() => again.close());
    assert.deepEqual(await versionsOf(again), worker.versions());
    assert.ok(folds.length > 0 && Math.max(...folds) <= 512);
    await worker.log.close();
    await store.closeLaneLog(1);
    assert.deepEqual(await versionsOf(store), worker.versions());
  });
}
