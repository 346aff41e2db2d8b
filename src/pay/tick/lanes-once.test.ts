/**
 * The table of lanes with calls of effect once: what images say of them, and what becomes of what
 * was started when an owner ends; against a plain model.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { utf8 } from '../../base/bytes/index.ts';
import { msat } from '../../base/money/index.ts';
import { seededRandom } from '../../base/random/index.ts';
import {
  ChainReader,
  EntryMark,
  LaneTable,
  checkLaneImage,
  laneId,
  makeChain,
  newLaneRow,
  readEntries,
  readImage,
  startedUnits,
  type LaneCall,
  type LaneRow,
} from './index.ts';

const LENGTH = 100;
const CHAIN = makeChain(seededRandom(1).bytes(32), LENGTH);
const ALL = new ChainReader(CHAIN).secret(LENGTH);
const ANSWER = utf8('answer');

function row(): LaneRow {
  const session = 'ab'.repeat(16);
  const lane = laneId(session, 0);
  const { anchor } = CHAIN;
  return newLaneRow({ lane, session, place: 0, anchor, length: LENGTH, unitMsat: msat(5) });
}

function call(n: number, change: Partial<LaneCall> = {}): LaneCall {
  return { n, done: 0, units: 1, digest: Uint32Array.of(n, 2, 3, 4), once: true, ...change };
}

/** A lane of which everything is revealed, in a table of its own. */
class Lane {
  readonly table = new LaneTable(4096);
  readonly slot: number;
  stands: LaneRow;

  constructor(stands: LaneRow = row()) {
    this.stands = stands;
    this.slot = this.table.add(stands);
    assert.equal(this.table.accept(this.slot, LENGTH, ALL), undefined);
  }

  judged(asked: LaneCall): string {
    const judgement = this.table.judge(this.slot, asked);
    return judgement.kind === 'refused' ? judgement.code : judgement.kind;
  }

  start(n: number, units = 1): number {
    const judgement = this.table.judge(this.slot, call(n, { units }));
    assert(judgement.kind === 'run');
    return judgement.entry;
  }

  commit(): void {
    const { table, slot } = this;
    const bytes = new Uint8Array(table.imageBytes(slot));
    assert.equal(table.writeImage(slot, new DataView(bytes.buffer), bytes, 0), bytes.length);
    const image = readImage(bytes, 0) ?? assert.fail();
    assert.equal(checkLaneImage(this.stands, image), undefined);
    const { terms, version } = this.stands;
    this.stands = { ...this.stands, ...image, terms, version: version + 1 };
    table.written(slot);
  }

  /** What images say, by number. */
  marks(): Record<string, number> {
    return Object.fromEntries(readEntries(this.stands.entries).map(({ n, mark }) => [n, mark]));
  }
}

test('what was written before there were marks is charged, and its answer made again', () => {
  const entries = new Uint8Array(24);
  const view = new DataView(entries.buffer);
  view.setUint32(0, 3, true);
  view.setUint32(4, 100_000_000, true);
  for (const word of [3, 2, 3, 4].keys())
    view.setUint32(8 + 4 * word, [3, 2, 3, 4][word] ?? 0, true);
  assert.deepEqual(readEntries(entries), [{ n: 3, units: 100_000_000, mark: EntryMark.charged }]);
  assert.equal(startedUnits(entries), 0);
  const lane = new Lane({ ...row(), entries });
  assert.equal(lane.judged(call(3)), 'rerun');
});

test('a started call is in images, and what it may cost is reserved in them', () => {
  const lane = new Lane();
  lane.start(0, 40);
  lane.commit();
  assert.deepEqual(readEntries(lane.stands.entries), [
    { n: 0, units: 40, mark: EntryMark.started },
  ]);
  assert.deepEqual([lane.stands.spent, startedUnits(lane.stands.entries)], [0, 40]);
  assert.equal(lane.table.credit(lane.slot), 60);
  const { index, done, entries, epoch, tip } = lane.stands;
  const image = { epoch, version: 1, index, done, tip, entries, spent: 61 };
  assert.equal(checkLaneImage(lane.stands, image), 'image_overspent');
  assert.equal(checkLaneImage(lane.stands, { ...image, spent: 60 }), undefined);
});

test('a call under way is not in images, as long as it has no effect of once', () => {
  const lane = new Lane();
  assert.equal(lane.judged(call(0, { once: false })), 'run');
  lane.commit();
  assert.deepEqual(lane.marks(), {});
});

const ENDS: readonly [
  what: string,
  end: (table: LaneTable, slot: number, entry: number) => void,
  mark: number,
  again: string,
][] = [
  ['charged', (table, slot, entry) => table.charge(slot, entry, 1), EntryMark.answered, 'read'],
  [
    'failed',
    (table, slot, entry) => table.end(slot, entry, EntryMark.failed),
    EntryMark.failed,
    'CALL_FAILED',
  ],
  [
    'of unknown outcome',
    (table, slot, entry) => table.end(slot, entry, EntryMark.unknown),
    EntryMark.unknown,
    'CALL_OUTCOME_UNKNOWN',
  ],
];
for (const [what, end, mark, again] of ENDS) {
  test(`a call that is ${what}: told when it is durable, and never anything else`, () => {
    const lane = new Lane();
    const { table, slot } = lane;
    const entry = lane.start(0);
    lane.commit();
    end(table, slot, entry);
    assert.equal(lane.judged(call(0)), 'join');
    lane.commit();
    assert.equal(table.running(slot), 1, 'its lane stays until somebody was told');
    table.ended(slot, entry);
    assert.equal(table.running(slot), 0);
    assert.deepEqual(lane.marks(), { 0: mark });
    assert.equal(table.credit(slot), mark === EntryMark.answered ? 99 : 100);
    const later = new Lane(lane.stands);
    for (const one of [lane, later]) {
      assert.equal(one.judged(call(0, { digest: Uint32Array.of(9, 9, 9, 9) })), 'CALL_CONFLICT');
      assert.equal(one.judged(call(0)), again);
    }
    assert.equal(new Lane(lane.stands).judged(call(0, { done: 1 })), 'CALL_FORGOTTEN');
  });
}

test('a stored answer is read as often as it is asked for, and kept', () => {
  const lane = new Lane();
  const { table, slot } = lane;
  const entry = lane.start(0);
  table.charge(slot, entry, 1);
  table.ended(slot, entry);
  for (let i = 0; i < 9; i++) {
    assert.equal(lane.judged(call(0)), 'read');
    assert.equal(lane.judged(call(0)), 'join');
    table.reran(slot, entry, undefined);
  }
  assert.equal(lane.judged(call(0)), 'read');
  table.reran(slot, entry, ANSWER);
  assert.equal(lane.judged(call(0)), 'repeat');
});

test('a started call that the payer has given up stays in images: it can be charged', () => {
  const lane = new Lane();
  const entry = lane.start(0, 7);
  assert.equal(lane.judged(call(1, { done: 1 })), 'run');
  lane.commit();
  const later = new Lane(lane.stands);
  assert.equal(later.table.cut(later.slot).length, 2);
  lane.table.charge(lane.slot, entry, 7);
  lane.commit();
  assert.deepEqual(lane.marks(), { 1: EntryMark.started });
  lane.table.charged(lane.slot, entry, ANSWER);
  assert.equal(lane.stands.spent, 7);
});

type Step =
  | { readonly kind: 'call'; readonly n: number; readonly units: number }
  | { readonly kind: 'charge' | 'fail' | 'forget' | 'undo'; readonly pick: number }
  | { readonly kind: 'resolve'; readonly by: number }
  | { readonly kind: 'restart' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('call' as const), n: fc.nat(9), units: fc.nat(9) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('charge' as const, 'fail' as const, 'forget' as const, 'undo' as const),
      pick: fc.nat(9),
    }),
  },
  fc.record({ kind: fc.constant('resolve' as const), by: fc.nat(4) }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

/** Ends that leave a number dead, and what a repeat gets. */
const DEAD = { fail: 'CALL_FAILED', forget: 'CALL_OUTCOME_UNKNOWN' } as const;

test('no number runs again once it was charged, has failed or is unknown', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let lane = new Lane();
      let running = new Map<number, { entry: number; units: number }>();
      const over = new Map<number, string>();
      let [done, spent] = [0, 0];
      const ends = (kind: 'charge' | 'fail' | 'forget', entry: number, units: number): void => {
        const { table, slot } = lane;
        if (kind === 'charge') table.charge(slot, entry, units);
        else table.end(slot, entry, kind === 'fail' ? EntryMark.failed : EntryMark.unknown);
        lane.commit();
        table.ended(slot, entry);
      };
      for (const one of steps) {
        const { table, slot } = lane;
        if (one.kind === 'restart') {
          const before = [...running].map(([n, { units }]) => `${n} ${units}`).toSorted();
          lane = new Lane(lane.stands);
          const { entries } = lane.table;
          running = new Map(
            lane.table.cut(lane.slot).map((entry) => {
              return [entries.n[entry] ?? 0, { entry, units: entries.units[entry] ?? 0 }];
            }),
          );
          const after = [...running].map(([n, { units }]) => `${n} ${units}`).toSorted();
          assert.deepEqual(after, before, 'all that was started is known');
          done = lane.table.done(lane.slot);
        } else if (one.kind === 'resolve') done += one.by;
        else if (one.kind === 'call') {
          const n = done + one.n;
          const got = lane.judged(call(n, { done, units: one.units }));
          const expected = running.has(n) ? 'join' : over.get(n);
          if (expected !== undefined) assert.equal(got, expected);
          if (got === 'read') {
            const judged = table.judge(slot, call(n, { done }));
            assert(judged.kind === 'join');
            table.reran(slot, judged.entry, undefined);
          }
          if (got !== 'run') continue;
          const found = table.judge(slot, call(n, { done, units: one.units }));
          assert(found.kind === 'join' && !over.has(n), 'it never runs again');
          running.set(n, { entry: found.entry, units: one.units });
          lane.commit();
        } else {
          const [n, found] = [...running][one.pick % Math.max(1, running.size)] ?? [];
          if (n === undefined || found === undefined) continue;
          running.delete(n);
          if (one.kind === 'undo') {
            table.release(slot, found.entry, false);
            lane.commit();
            continue;
          }
          ends(one.kind, found.entry, found.units);
          if (one.kind === 'charge') spent += found.units;
          over.set(n, one.kind === 'charge' ? 'read' : DEAD[one.kind]);
        }
        const held = [...running.values()].reduce((sum, { units }) => sum + units, 0);
        assert.equal(lane.table.spent(lane.slot), spent);
        assert.equal(lane.table.credit(lane.slot), LENGTH - spent - held);
        assert.equal(startedUnits(lane.stands.entries), held);
      }
    }),
    { numRuns: 500 },
  );
});
