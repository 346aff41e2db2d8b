/**
 * The table of lanes: what a tick adds, what a call spends, what is remembered; against a plain
 * model, with images written and read back at any time.
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
  LANE_WINDOW,
  LaneTable,
  MAX_LANE_RUNNING,
  MAX_STEPS,
  checkLaneImage,
  laneId,
  makeChain,
  newLaneRow,
  readImage,
  type LaneCall,
  type LaneRow,
} from './index.ts';

const LENGTH = 100;
const LAST = seededRandom(1).bytes(32);
const CHAIN = makeChain(LAST, LENGTH);
const READER = new ChainReader(CHAIN);
const secret = (index: number): Uint8Array =>
  index < 1 || index > LENGTH ? LAST : READER.secret(index);

function row(place = 0, change: Partial<LaneRow['terms']> = {}): LaneRow {
  const session = 'ab'.repeat(16);
  const terms = { lane: laneId(session, place), session, place, unitMsat: msat(5) };
  return newLaneRow({ ...terms, anchor: CHAIN.anchor, length: LENGTH, ...change });
}

function call(n: number, change: Partial<LaneCall> = {}): LaneCall {
  return { n, done: 0, units: 1, digest: Uint32Array.of(n, 2, 3, 4), ...change };
}

const TICKS: readonly [
  what: string,
  index: number,
  secret: Uint8Array,
  expected: string | number,
][] = [
  ['the next one', 1, secret(1), 1],
  ['one some steps ahead', 64, secret(64), 64],
  ['one beyond the end', 101, secret(100), 'TICK_INDEX'],
  ['the anchor again', 0, CHAIN.anchor, 0],
  ['a wrong secret', 1, secret(2), 'TICK_INVALID'],
  ['a right secret under a higher index', 3, secret(2), 'TICK_INVALID'],
];
for (const [what, index, bytes, expected] of TICKS) {
  test(`a tick, ${what}: ${expected}`, () => {
    const table = new LaneTable(4096);
    const slot = table.add(row());
    const refusal = table.accept(slot, index, bytes);
    assert.equal(refusal ?? table.credit(slot), expected);
  });
}

test('a tick too far ahead is refused before it is hashed', () => {
  const table = new LaneTable(4096);
  const slot = table.add(row(0, { length: 1e8 }));
  assert.equal(table.accept(slot, MAX_STEPS + 1, secret(1)), 'TICK_STEPS');
  assert.equal(table.accept(slot, MAX_STEPS, secret(1)), 'TICK_INVALID');
});

test('a number is judged in the order of the list of refusals', () => {
  const table = new LaneTable(4096);
  const slot = table.add(row());
  const judged = (asked: LaneCall): string => {
    const judgement = table.judge(slot, asked);
    return judgement.kind === 'refused' ? judgement.code : judgement.kind;
  };
  assert.equal(judged(call(0)), 'TICK_SHORT');
  table.accept(slot, 99, secret(99));
  assert.equal(judged(call(0, { units: 101 })), 'LANE_EXHAUSTED');
  assert.equal(judged(call(0, { units: 100 })), 'TICK_SHORT');
  assert.equal(judged(call(LANE_WINDOW)), 'CALL_WINDOW');
  assert.equal(judged(call(5)), 'run');
  assert.equal(judged(call(5)), 'join');
  assert.equal(judged(call(5, { digest: Uint32Array.of(1, 2, 3, 5) })), 'CALL_CONFLICT');
  const run = table.judge(slot, call(6));
  assert(run.kind === 'run');
  table.release(slot, run.entry, true);
  assert.equal(judged(call(6)), 'CALL_FAILED');
  assert.equal(judged(call(6, { done: 7 })), 'CALL_FORGOTTEN');
  assert.equal(judged(call(4)), 'CALL_FORGOTTEN');
});

test('calls that are declared resolved while they run are bounded too', () => {
  const table = new LaneTable(4096);
  const slot = table.add(row());
  table.accept(slot, 100, secret(100));
  for (let n = 0; n < MAX_LANE_RUNNING; n++) {
    assert.equal(table.judge(slot, call(n, { done: n })).kind, 'run');
  }
  const judged = table.judge(slot, call(MAX_LANE_RUNNING, { done: MAX_LANE_RUNNING }));
  assert.deepEqual(judged, { kind: 'refused', code: 'CALL_BUSY' });
});

test('a lost answer is made again, three times at most, once if it succeeds', () => {
  const table = new LaneTable(4096);
  const slot = table.add({ ...row(), ...stored([7], 1) });
  const again = (): string => {
    const judged = table.judge(slot, call(7));
    if (judged.kind === 'rerun') table.reran(slot, judged.entry, undefined);
    return judged.kind === 'refused' ? judged.code : judged.kind;
  };
  assert.deepEqual(
    [again(), again(), again(), again()],
    ['rerun', 'rerun', 'rerun', 'CALL_RERUNS'],
  );
  const other = table.add({ ...row(1), ...stored([7], 1) });
  const judged = table.judge(other, call(7));
  assert(judged.kind === 'rerun');
  assert.equal(table.judge(other, call(7)).kind, 'join');
  table.reran(other, judged.entry, utf8('again'));
  assert.equal(table.judge(other, call(7)).kind, 'repeat');
});

test('lanes come, go and are found, however many', () => {
  const table = new LaneTable(4096);
  const slots = new Map<number, number>();
  const random = seededRandom(9);
  for (let i = 0; i < 3000; i++) {
    const place = random.below(500);
    const slot = slots.get(place);
    if (slot === undefined) slots.set(place, table.add(row(place)));
    else if (random.below(2) === 0) {
      table.remove(slot);
      slots.delete(place);
    }
  }
  assert.equal(table.count, slots.size);
  for (let place = 0; place < 500; place++) {
    const id = Uint8Array.from(Buffer.from(row(place).terms.lane, 'hex'));
    assert.equal(table.slotOf(id), slots.get(place) ?? -1);
  }
});

/** What a stored row has of some charged numbers. */
function stored(numbers: readonly number[], units: number): Partial<LaneRow> {
  const table = new LaneTable(4096);
  const slot = table.add(row());
  table.accept(slot, 100, secret(100));
  for (const n of numbers) {
    const judged = table.judge(slot, call(n, { units }));
    assert(judged.kind === 'run');
    table.charge(slot, judged.entry, units);
  }
  const { index, spent, done, tip, entries } = imageOf(table, slot);
  return { index, spent, done, tip, entries };
}

function imageOf(table: LaneTable, slot: number): NonNullable<ReturnType<typeof readImage>> {
  const bytes = new Uint8Array(table.imageBytes(slot));
  const end = table.writeImage(slot, new DataView(bytes.buffer), bytes, 0);
  assert.equal(end, bytes.length);
  const image = readImage(bytes, 0);
  assert(image?.end === end);
  return image;
}

type Step =
  | { readonly kind: 'call'; readonly n: number; readonly index: number; readonly units: number }
  | { readonly kind: 'charge' | 'release' | 'cut'; readonly pick: number }
  | { readonly kind: 'resolve'; readonly by: number }
  | { readonly kind: 'restart' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('call' as const),
      n: fc.nat(9),
      index: fc.nat(LENGTH),
      units: fc.nat(6),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('charge' as const, 'release' as const, 'cut' as const),
      pick: fc.nat(9),
    }),
  },
  fc.record({ kind: fc.constant('resolve' as const), by: fc.nat(5) }),
  fc.record({ kind: fc.constant('restart' as const) }),
);

test('no order of calls, ticks, failures, repeats and restarts makes or loses a unit', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let stands = row();
      let table = new LaneTable(4096);
      let slot = table.add(stands);
      let [done, durableSpent, spent] = [0, 0, 0];
      let running = new Map<number, { entry: number; units: number }>();
      let charged = new Set<number>();
      let durable = new Set<number>();
      const commit = (): void => {
        const image = imageOf(table, slot);
        assert.equal(checkLaneImage(stands, image), undefined);
        stands = { ...stands, ...image, terms: stands.terms, version: stands.version + 1 };
        table.written(slot);
        [durableSpent, durable] = [spent, new Set(charged)];
      };
      for (const one of steps) {
        if (one.kind === 'restart') {
          table = new LaneTable(4096);
          slot = table.add(stands);
          [spent, charged] = [durableSpent, new Set(durable)];
          running = new Map();
          done = table.done(slot);
        } else if (one.kind === 'resolve') done += one.by;
        else if (one.kind === 'call') {
          const n = done + one.n;
          assert.equal(table.accept(slot, one.index, secret(one.index)), undefined);
          const held = [...running.values()].reduce((sum, { units }) => sum + units, 0);
          const free = table.index(slot) - spent - held;
          const judged = table.judge(slot, call(n, { done, units: one.units }));
          if (judged.kind === 'run') {
            assert(one.units <= free && !charged.has(n), 'within the credit, and once');
            running.set(n, { entry: judged.entry, units: one.units });
          } else if (judged.kind === 'rerun') {
            assert(charged.has(n));
            table.reran(slot, judged.entry, undefined);
          }
        } else {
          const [n, found] = [...running][one.pick % Math.max(1, running.size)] ?? [];
          if (n === undefined || found === undefined) continue;
          running.delete(n);
          if (one.kind === 'charge') {
            table.charge(slot, found.entry, found.units);
            spent += found.units;
            charged.add(n);
            commit();
            table.charged(slot, found.entry, utf8('answer'));
          } else table.release(slot, found.entry, one.kind === 'release');
        }
        assert.equal(table.spent(slot), spent);
        assert(table.credit(slot) >= 0);
        assert.equal(table.running(slot), running.size);
      }
    }),
    { numRuns: 500 },
  );
});
