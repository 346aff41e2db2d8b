/**
 * Ticks: what a chain gives, what a lane accepts, and that no order of arrival makes money.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toHex } from '../../base/bytes/index.ts';
import { sha256 } from '../../base/hash/index.ts';
import { seededRandom } from '../../base/random/index.ts';
import {
  ChainReader,
  acceptTick,
  beginChain,
  laneCredit,
  makeChain,
  openLane,
  spendUnits,
  stepChain,
  tickCode,
  type LaneState,
  type TickFields,
} from './index.ts';

const LAST = seededRandom(1).bytes(32);
const BOUNDS = { length: 100, maxSteps: 64 };

/** All secrets, the slow way: x(0) first. */
function slowChain(length: number): Uint8Array[] {
  const secrets: Uint8Array[] = [LAST];
  for (let i = 0; i < length; i++) secrets.unshift(sha256(secrets[0] ?? LAST));
  return secrets;
}

test('every secret of every length is the hash of the next', () => {
  for (let length = 1; length <= 70; length++) {
    const chain = makeChain(LAST, length);
    const reader = new ChainReader(chain);
    const expected = slowChain(length);
    assert.deepEqual(chain.anchor, expected[0]);
    for (let i = 1; i <= length; i++) assert.deepEqual(reader.secret(i), expected[i]);
    for (const i of [length, 1, Math.ceil(length / 2)]) {
      assert.deepEqual(reader.secret(i), expected[i], 'in any order');
    }
  }
});

test('a chain made in small steps is the same chain', () => {
  const work = beginChain(LAST, 1000);
  let chain = stepChain(work, 7);
  let turns = 1;
  for (; chain === undefined; turns++) chain = stepChain(work, 7);
  assert.deepEqual(chain, makeChain(LAST, 1000));
  assert.equal(turns, Math.ceil(1000 / 7));
});

test('what is kept of a million ticks fits 64 kB', () => {
  const { marks, spacing } = beginChain(LAST, 1_000_000);
  assert(marks.length + spacing * 32 <= 64_000);
});

for (const length of [0, -1, 1.5, 100_000_001, Number.NaN]) {
  test(`a lane of ${length} ticks is refused`, () => {
    assert.throws(() => beginChain(LAST, length), { code: 'LANE_LENGTH' });
  });
}

const reader = new ChainReader(makeChain(LAST, 100));
const anchor = makeChain(LAST, 100).anchor;
const tick = (index: number): { index: number; secret: Uint8Array } => ({
  index,
  secret: index < 1 || index > 100 ? LAST : reader.secret(index),
});

const TICK_CASES: readonly [what: string, index: number, secret: Uint8Array, expected: string][] = [
  ['the next one', 1, tick(1).secret, 'adds 1'],
  ['one some steps ahead', 64, tick(64).secret, 'adds 64'],
  ['one too far ahead', 65, tick(65).secret, 'TICK_STEPS'],
  ['one beyond the end', 101, tick(100).secret, 'TICK_INDEX'],
  ['a negative one', -1, tick(1).secret, 'TICK_INDEX'],
  ['half a one', 0.5, tick(1).secret, 'TICK_INDEX'],
  ['a huge one', Number.MAX_SAFE_INTEGER, tick(1).secret, 'TICK_INDEX'],
  ['the anchor again', 0, anchor, 'adds 0'],
  ['a wrong secret', 1, tick(2).secret, 'TICK_INVALID'],
  ['a secret of another length', 1, tick(1).secret.subarray(1), 'TICK_INVALID'],
];
for (const [what, index, secret, expected] of TICK_CASES) {
  test(`a tick, ${what}: ${expected}`, () => {
    const outcome = acceptTick(openLane(anchor), { index, secret }, BOUNDS);
    assert.equal(outcome.ok ? `adds ${outcome.addedUnits}` : outcome.code, expected);
  });
}

test('in any order, with repeats, credit is the highest index less what was spent', () => {
  const arrivals = fc.array(
    fc.record({ index: fc.integer({ min: 1, max: 100 }), units: fc.nat(5) }),
  );
  fc.assert(
    fc.property(arrivals, (list) => {
      let lane: LaneState = openLane(anchor);
      let highest = 0;
      let spent = 0;
      for (const { index, units } of list) {
        const outcome = acceptTick(lane, tick(index), { length: 100, maxSteps: 100 });
        assert(outcome.ok);
        highest = Math.max(highest, index);
        const after = spendUnits(outcome.lane, units);
        assert.equal(after !== undefined, units <= highest - spent, 'no overdraft, no refusal');
        if (after !== undefined) spent += units;
        lane = after ?? outcome.lane;
        assert.equal(laneCredit(lane), highest - spent);
      }
    }),
  );
});

test('a call of n ticks is checked with one hash each, whatever the order', () => {
  // The sum of steps over all arrivals is the highest index: lower ones cost nothing.
  const random = seededRandom(3);
  const order = Array.from({ length: 100 }, (_, i) => i + 1);
  order.sort(() => random.below(3) - 1);
  let lane = openLane(anchor);
  let hashes = 0;
  for (const index of order) {
    const outcome = acceptTick(lane, tick(index), { length: 100, maxSteps: 100 });
    assert(outcome.ok);
    hashes += outcome.addedUnits;
    lane = outcome.lane;
  }
  assert.equal(hashes, 100);
});

test('an authenticator is bound to each field', () => {
  const key = seededRandom(4).bytes(32);
  const base: TickFields = {
    host: '11'.repeat(32),
    lane: '22'.repeat(16),
    n: 5n,
    done: 3n,
    index: 9,
    requestHash: new Uint8Array(32),
  };
  const changes: Partial<TickFields>[] = [
    {},
    { host: '12'.repeat(32) },
    { lane: '23'.repeat(16) },
    { n: 6n },
    { done: 4n },
    { index: 10 },
    { requestHash: new Uint8Array(32).fill(1) },
  ];
  const codes = changes.map((change) => toHex(tickCode(key, { ...base, ...change })));
  assert.equal(new Set(codes).size, changes.length);
  assert.equal(codes[0]?.length, 32);
});
