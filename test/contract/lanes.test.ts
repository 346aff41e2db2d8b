/**
 * The contract of lanes in a host's store, on each adapter, with a spend log and without.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { concat } from '../../src/base/bytes/index.ts';
import { unixMs } from '../../src/base/time/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import { newLaneRow } from '../../src/pay/tick/index.ts';
import { openHostStore, type HostStore } from '../../src/port/store/index.ts';
import { laneImage, laneTerms, openLanes, spend, tip } from './lanes-fixtures.ts';
import {
  calls,
  directory,
  entry,
  faultCode,
  hex,
  receive,
  refund,
  terms,
} from './store-fixtures.ts';

const ADAPTERS = [
  { name: 'in process', thread: false, spendLog: true },
  { name: 'in process, without a log', thread: false, spendLog: false },
  { name: 'in a thread', thread: true, spendLog: true },
  { name: 'in a thread, without a log', thread: true, spendLog: false },
] as const;

type Case = (store: HostStore, reopen: () => Promise<HostStore>) => Promise<void>;

const SESSION = hex(1, 16);
const LANE = laneTerms(1, 0).lane;

const CASES: Readonly<Record<string, Case>> = {
  'lanes are sold with their session, and come back': async (store, reopen) => {
    await openLanes(store, 1, 3);
    const expected = [0, 1, 2].map((place) => newLaneRow(laneTerms(1, place)));
    assert.deepEqual(await store.lanesOf(SESSION), expected);
    const again = await reopen();
    assert.deepEqual(await again.lanesOf(SESSION), expected);
    assert.deepEqual(await again.lanesOf(hex(9, 16)), []);
  },

  'an image is the row, also after opening again': async (store, reopen) => {
    await openLanes(store, 1, 2);
    const image = { index: 5, spent: 3, done: 1, entries: [1, 3, 2] };
    assert.deepEqual(await spend(store, image), ['ok']);
    assert.deepEqual(await spend(store, { version: 1, index: 7, spent: 4, done: 2 }), ['ok']);
    const [row, other] = await (await reopen()).lanesOf(SESSION);
    const found = { version: 2, index: 7, spent: 4, done: 2, tip: tip(0, 7) };
    assert.deepEqual(row, { ...newLaneRow(laneTerms(1, 0)), ...found });
    assert.deepEqual(other, newLaneRow(laneTerms(1, 1)));
  },

  'each image is refused for its own reason': async (store) => {
    await openLanes(store, 1, 3);
    const first = { index: 9, spent: 4, done: 2 };
    assert.deepEqual(await spend(store, first, { place: 1, index: 1 }), ['ok', 'ok']);
    const next = { ...first, version: 1 };
    const results = await spend(
      store,
      { ...next, s: 7 },
      { ...next, place: 1, epoch: 1 },
      { place: 2, version: 1 },
    );
    assert.deepEqual(results, ['lane_unknown', 'epoch_stale', 'version_stale']);
    for (const back of [{ index: 8 }, { spent: 3 }, { done: 1 }]) {
      assert.deepEqual(await spend(store, { ...next, ...back }), ['image_backwards']);
    }
    assert.deepEqual(await spend(store, { ...next, spent: 10 }), ['image_overspent']);
    assert.deepEqual(await spend(store, { ...next, index: 51 }), ['image_overlong']);
    assert.deepEqual(await spend(store, first), ['version_stale'], 'a repeat');
    const mixed = await spend(store, { place: 2, index: 1 }, first, { ...next, done: 1 });
    assert.deepEqual(mixed, ['ok', 'version_stale', 'image_backwards']);
    const versions = (await store.lanesOf(SESSION)).map(({ version }) => version);
    assert.deepEqual(versions, [1, 1, 1]);
  },

  'of two owners one writes, whatever both send': async (store) => {
    await openLanes(store, 1, 1);
    const [mine] = await store.takeLanes([LANE]);
    assert.equal(mine?.epoch, 1);
    assert.deepEqual(await spend(store, { epoch: 1, index: 5, spent: 5 }), ['ok']);
    const [theirs] = await store.takeLanes([LANE]);
    assert.deepEqual([theirs?.epoch, theirs?.version, theirs?.spent], [2, 1, 5]);
    const outcomes = await Promise.all([
      spend(store, { epoch: 1, version: 1, index: 9, spent: 9 }),
      spend(store, { epoch: 2, version: 1, index: 6, spent: 6 }),
    ]);
    assert.deepEqual(outcomes, [['epoch_stale'], ['ok']]);
    assert.deepEqual(await store.takeLanes([hex(4, 16), LANE, LANE]).then((all) => all.length), 1);
  },

  'what lanes have spent is served, and no credit': async (store) => {
    await openLanes(store, 1, 2);
    await spend(store, { index: 50, spent: 40 }, { place: 1, index: 10, spent: 10 });
    const { servedMsat, creditMsat } = await store.sheet();
    assert.deepEqual([servedMsat, creditMsat], [150n, 850n]);
    assert.equal(await store.prepaidMsat(hex(5, 32)), 850n);
    assert.equal((await store.account(`session:${SESSION}`))?.heldMsat, 150n);
    const refused = await store.commit([{ transfers: [refund('r', 1, 851n)] }]);
    assert.equal(refused[0]?.code, 'overdraft');
    const taken = await store.commit([{ transfers: [refund('r', 1, 850n)] }]);
    assert.equal(taken[0]?.code, 'ok');
    assert.deepEqual(await store.expiredSessions(unixMs(9001), 5), []);
  },

  'closing serves what was spent, before the transfers of the group': async (store, reopen) => {
    await openLanes(store, 1, 2);
    await spend(store, { index: 50, spent: 40 }, { place: 1, index: 10, spent: 10 });
    const closeLanes = { session: SESSION, atMs: unixMs(77) };
    const over = await store.commit([{ closeLanes, transfers: [refund('r', 1, 851n)] }]);
    assert.equal(over[0]?.code, 'overdraft');
    assert.deepEqual(
      await spend(store, { version: 1, index: 50, spent: 41 }),
      ['ok'],
      'still open',
    );
    const [closed] = await store.commit([{ closeLanes, transfers: [refund('r', 1, 847n)] }]);
    assert.ok(closed?.code === 'ok');
    assert.deepEqual(closed.touched[0]?.session, SESSION);
    assert.equal(closed.touched[0].numbers.counters.debitsPostedMsat, 153n);
    assert.deepEqual(await spend(store, { version: 2, index: 50, spent: 50 }), ['lane_closed']);
    assert.equal((await store.account('served'))?.creditsPostedMsat, 153n);
    const transfer = await store.transfer(`serve:${SESSION}:lanes:51`);
    assert.deepEqual([transfer?.amountMsat, transfer?.atMs], [153n, 77]);
    const again = await reopen();
    const rows = await again.lanesOf(SESSION);
    assert.deepEqual(
      rows.map(({ epoch, closed: shut, spent }) => [epoch, shut, spent]),
      [
        [1, true, 41],
        [1, true, 10],
      ],
    );
    const twice = await again.commit([{ closeLanes }]);
    assert.equal(twice[0]?.code, 'ok');
    assert.deepEqual(await again.lanesOf(SESSION), rows);
    assert.deepEqual((await again.takeLanes([LANE]))[0], rows[0]);
    const nobody = { session: hex(8, 16), atMs: unixMs(1) };
    assert.equal((await again.commit([{ closeLanes: nobody }]))[0]?.code, 'session_unknown');
  },

  'closing while images come: all that was acknowledged is served': async (store) => {
    await openLanes(store, 1, 1);
    const written: Promise<string[]>[] = [];
    let closed: Promise<unknown> = Promise.resolve();
    for (let version = 0; version < 20; version++) {
      written.push(spend(store, { version, index: version + 1, spent: version + 1 }));
      if (version === 10) {
        closed = store.commit([{ closeLanes: { session: SESSION, atMs: unixMs(1) } }]);
      }
    }
    await closed;
    const outcomes = (await Promise.all(written)).flat();
    assert.deepEqual(new Set(outcomes), new Set(['ok', 'lane_closed']));
    const acknowledged = outcomes.filter((outcome) => outcome === 'ok').length;
    assert.equal((await store.account('served'))?.creditsPostedMsat, 3n * BigInt(acknowledged));
  },

  'a lane and the calls of its session go side by side': async (store, reopen) => {
    await openLanes(store, 1, 1);
    const image = { session: SESSION, version: 2n, calls: calls(2, entry(0n), entry(1n)) };
    const [results] = await Promise.all([
      store.commit([{ images: [image] }]),
      spend(store, { index: 10, spent: 10 }),
    ]);
    assert.equal(results[0]?.code, 'ok');
    assert.equal((await store.sheet()).servedMsat, 230n);
    assert.equal(
      (await store.commit([{ transfers: [refund('r', 1, 771n)] }]))[0]?.code,
      'overdraft',
    );
    assert.equal((await store.commit([{ transfers: [refund('r', 1, 770n)] }]))[0]?.code, 'ok');
    const row = await (await reopen()).session(SESSION);
    assert.deepEqual([row?.foldedMsat, row?.calls], [200n, image.calls]);
  },

  'what is no image is refused, and nothing of it is written': async (store) => {
    await openLanes(store, 1, 1);
    const bytes = concat(laneImage({ index: 1 }), new Uint8Array(71));
    await assert.rejects(store.commitLanes(bytes), faultCode('BYTES_MALFORMED'));
    assert.deepEqual(await spend(store, { index: 1 }), ['ok']);
    assert.deepEqual(await store.commitLanes(new Uint8Array(0)), new Uint8Array(0));
  },

  'an order that nobody paid goes with its lanes': async (store) => {
    await store.commit([{ open: terms(3), lanes: [laneTerms(3, 0)] }]);
    assert.deepEqual(await spend(store, { s: 3, index: 1 }), ['ok']);
    const [beforeMs, fromMs] = [unixMs(5000), unixMs(0)];
    const gone = await store.lapse({ fromMs, beforeMs, dropBeforeMs: beforeMs, keep: 0 });
    assert.deepEqual(gone, [hex(3, 16)]);
    assert.deepEqual(await spend(store, { s: 3 }), ['lane_unknown']);
  },

  'an expired session is found by what its lanes have left': async (store) => {
    await openLanes(store, 1, 1);
    await store.commit([{ transfers: [refund('r', 1, 850n)] }]);
    await spend(store, { index: 50, spent: 49 });
    assert.deepEqual(await store.expiredSessions(unixMs(9001), 5), [SESSION]);
    await spend(store, { version: 1, index: 50, spent: 50 });
    assert.deepEqual(await store.expiredSessions(unixMs(9001), 5), []);
    await store.commit([{ transfers: [{ ...receive(1, 1n), id: 'more' }] }]);
    assert.deepEqual(await store.expiredSessions(unixMs(9001), 5), [SESSION]);
  },
};

for (const adapter of ADAPTERS) {
  for (const [title, run] of Object.entries(CASES)) {
    test(`${adapter.name}: ${title}`, async (t) => runCase(t, adapter, run));
  }
}

async function runCase(
  t: TestContext,
  { thread, spendLog }: { thread: boolean; spendLog: boolean },
  run: Case,
): Promise<void> {
  const options = { file: join(directory(t), 'host.db'), thread, spendLog, spendLogBytes: 65_536 };
  let store = await openHostStore(options);
  const reopen = async (): Promise<HostStore> => {
    await store.close();
    store = await openHostStore(options);
    return store;
  };
  try {
    await run(store, reopen);
    assert.ok(isBalanced(await store.sheet()));
    assert.deepEqual(await store.audit(), []);
  } finally {
    await store.close();
  }
}
