/**
 * The contract of stored answers of calls over lanes, on each adapter, with a log and without.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes/index.ts';
import { unixMs } from '../../src/base/time/index.ts';
import { EntryMark } from '../../src/pay/tick/index.ts';
import {
  openHostStore,
  type HostStore,
  type StoredLaneAnswer,
} from '../../src/port/store/index.ts';
import { laneTerms, openLanes, spend, spendOnce, type ImageFields } from './lanes-fixtures.ts';
import { directory, hex } from './store-fixtures.ts';

const ADAPTERS = [
  { name: 'in process', thread: false, spendLog: true },
  { name: 'in process, without a log', thread: false, spendLog: false },
  { name: 'in a thread', thread: true, spendLog: true },
] as const;

type Case = (store: HostStore, reopen: () => Promise<HostStore>) => Promise<void>;

const SESSION = hex(1, 16);
const [LANE, OTHER] = [laneTerms(1, 0).lane, laneTerms(1, 1).lane];

function answers(...numbers: number[]): StoredLaneAnswer[] {
  return numbers.map((n) => ({ lane: LANE, n, body: utf8(`answer ${n}`) }));
}

/** A lane on which so many calls were charged, and these are remembered with their answers. */
function once(spent: number, entries: readonly number[], more: ImageFields = {}): ImageFields {
  return { index: 20, spent, entries, mark: EntryMark.answered, ...more };
}

async function found(store: HostStore, lane = LANE): Promise<(string | undefined)[]> {
  const bodies = [0, 1, 2].map((n) => store.storedLaneAnswer(lane, n));
  return (await Promise.all(bodies)).map((body) => body && new TextDecoder().decode(body));
}

const CASES: Readonly<Record<string, Case>> = {
  'an answer is there with its charge, until it is resolved': async (store, reopen) => {
    await openLanes(store, 1, 2);
    assert.deepEqual(await spendOnce(store, [once(2, [0, 1])], answers(0, 1)), ['ok']);
    assert.deepEqual(await found(store), ['answer 0', 'answer 1', undefined]);
    assert.deepEqual(await found(store, OTHER), [undefined, undefined, undefined]);
    const again = await reopen();
    assert.deepEqual(await found(again), ['answer 0', 'answer 1', undefined]);
    const next = once(3, [1, 2], { version: 1, done: 1 });
    assert.deepEqual(await spendOnce(again, [next], answers(2)), ['ok']);
    assert.deepEqual(await found(again), [undefined, 'answer 1', 'answer 2']);
  },

  'one that is resolved already is not kept': async (store) => {
    await openLanes(store, 1, 1);
    assert.deepEqual(await spendOnce(store, [once(1, [], { done: 1 })], answers(0)), ['ok']);
    assert.deepEqual(await found(store), [undefined, undefined, undefined]);
  },

  'an image that is refused leaves no answer, the others theirs': async (store) => {
    await openLanes(store, 1, 2);
    const stale = once(1, [0], { epoch: 7 });
    const other = once(1, [0], { place: 1 });
    const both = [...answers(0), { lane: OTHER, n: 0, body: utf8('other') }];
    assert.deepEqual(await spendOnce(store, [stale, other], both), ['epoch_stale', 'ok']);
    assert.deepEqual(await found(store), [undefined, undefined, undefined]);
    assert.deepEqual(await found(store, OTHER), ['other', undefined, undefined]);
  },

  'images with extra go over those in the log, and under later ones': async (store, reopen) => {
    await openLanes(store, 1, 1);
    assert.deepEqual(await spend(store, { index: 20, spent: 1 }), ['ok']);
    const started = { version: 1, index: 20, spent: 1, entries: [0], mark: EntryMark.started };
    assert.deepEqual(await spendOnce(store, [started], []), ['ok']);
    assert.deepEqual(await spendOnce(store, [once(2, [0], { version: 2 })], answers(0)), ['ok']);
    assert.deepEqual(await spend(store, once(3, [0], { version: 3 })), ['ok']);
    const again = await reopen();
    assert.deepEqual(await found(again), ['answer 0', undefined, undefined]);
    const [row] = await again.lanesOf(SESSION);
    assert.deepEqual([row?.version, row?.spent], [4, 3]);
  },

  'a closed lane answers nothing': async (store) => {
    await openLanes(store, 1, 1);
    await spendOnce(store, [once(1, [0])], answers(0));
    await store.commit([{ closeLanes: { session: SESSION, atMs: unixMs(1) } }]);
    assert.deepEqual(await found(store), [undefined, undefined, undefined]);
  },
};

for (const { name, ...adapter } of ADAPTERS) {
  for (const [title, run] of Object.entries(CASES)) {
    test(`${name}: ${title}`, async (t) => {
      const options = { file: join(directory(t), 'host.db'), spendLogBytes: 65_536, ...adapter };
      let store = await openHostStore(options);
      const reopen = async (): Promise<HostStore> => {
        await store.close();
        store = await openHostStore(options);
        return store;
      };
      try {
        await run(store, reopen);
        assert.deepEqual(await store.audit(), []);
      } finally {
        await store.close();
      }
    });
  }
}

test('the audit finds what no image can have written', async () => {
  const store = await openHostStore({ file: ':memory:', thread: false });
  await openLanes(store, 1, 1);
  await spendOnce(store, [once(1, [0])], []);
  const { lane } = laneTerms(1, 0);
  assert.deepEqual(await store.audit(), [`lane ${lane}: the answer of call 0 is missing`]);
  const marked = { index: 20, spent: 2, version: 1, entries: [0], mark: 7 };
  await spendOnce(store, [marked], []);
  const problems = await store.audit();
  assert.deepEqual(problems, [`lane ${lane}: nobody can tell what became of a call`]);
  await store.close();
});
