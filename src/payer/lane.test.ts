/**
 * The payer's side of a lane, against the host's table.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toHex } from '../base/bytes/index.ts';
import { msat } from '../base/money/index.ts';
import { seededRandom } from '../base/random/index.ts';
import { LaneTable, laneId, makeChain, newLaneRow } from '../pay/tick/index.ts';
import { PayerLane, type LaneParts, type LaneTicket } from './lane.ts';

const LENGTH = 40;
const CHAIN = makeChain(seededRandom(1).bytes(32), LENGTH);
const SESSION = 'ab'.repeat(16);
const LANE = laneId(SESSION, 0);
const KEY = seededRandom(2).bytes(32);
const HASH = '00'.repeat(32);

function payer(change: Partial<LaneParts> = {}): PayerLane {
  return new PayerLane({ lane: LANE, key: KEY, chain: CHAIN, n: 0, spent: 0, index: 0, ...change });
}

function host(
  anchor: Uint8Array = CHAIN.anchor,
  length: number = LENGTH,
): { table: LaneTable; slot: number } {
  const table = new LaneTable(0);
  const terms = { lane: LANE, session: SESSION, place: 0, unitMsat: msat(1) };
  const slot = table.add(newLaneRow({ ...terms, anchor, length }));
  return { table, slot };
}

interface Step {
  readonly units: number;
  /** Which of the calls under way arrives next, and whether its handler succeeds. */
  readonly pick: number;
  readonly ok: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  units: fc.integer({ min: 1, max: 5 }),
  pick: fc.nat(7),
  ok: fc.boolean(),
});

test('calls in any order, some failing, are all paid, and all units can be spent', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const lane = payer();
      const { table, slot } = host();
      const open: LaneTicket[] = [];
      const arrive = ({ pick, ok }: Step): void => {
        const [ticket] = open.splice(pick % open.length, 1);
        assert(ticket);
        const { n, done, index, secret } = lane.credential(ticket, HASH);
        assert.equal(table.accept(slot, index, secret), undefined);
        const { units } = ticket;
        const judged = table.judge(slot, { n, done, units, digest: Uint32Array.of(n, 0, 0, 0) });
        assert(judged.kind === 'run', JSON.stringify(judged));
        if (ok) {
          table.charge(slot, judged.entry, units);
          table.charged(slot, judged.entry, new Uint8Array(0));
        } else table.release(slot, judged.entry, true);
        lane.resolve(ticket, ok ? units : 0);
        assert.equal(lane.spent, table.spent(slot));
      };
      for (const one of steps) {
        if (lane.canTake(one.units)) open.push(lane.take(one.units));
        else if (open.length > 0) arrive(one);
        if (open.length > 7) arrive(one);
      }
      while (open.length > 0) arrive({ units: 1, pick: 0, ok: true });
      assert.equal(table.unitsLeft(slot), lane.unitsLeft);
      assert(table.index(slot) <= table.spent(slot) + 35, 'no more is revealed than is under way');
    }),
    { numRuns: 300 },
  );
});

test('a host that says that more was spent is believed up to a window of calls', () => {
  const lane = payer({ n: 9, spent: 3, index: 3 });
  const ticket = lane.take(1);
  assert.equal(lane.credential(ticket, HASH).index, 4);
  lane.short(ticket, 4, 2);
  assert.equal(lane.credential(ticket, HASH).index, 6);
  lane.short(ticket, 4, 30);
  assert.equal(lane.credential(ticket, HASH).index, 6, 'that was said before more was revealed');
  for (const missing of [LENGTH, 0, -1, NaN]) {
    assert.throws(() => lane.short(ticket, 6, missing), { code: 'HOST_TERMS' });
  }
  const long = makeChain(seededRandom(3).bytes(32), 1000);
  const other = payer({ chain: long });
  const call = other.take(2);
  other.short(call, 2, 100);
  assert.throws(() => other.short(call, 102, 29), { code: 'HOST_TERMS' }, 'more than 64 calls');
});

test('ticks far ahead go a step at a time; what a host has lost is shown again', () => {
  const length = 200_000;
  const chain = makeChain(seededRandom(4).bytes(32), length);
  const lane = payer({ chain });
  const { table, slot } = host(chain.anchor, length);
  const ticket = lane.take(length);
  const indexes: number[] = [];
  while (table.index(slot) < length) {
    const { index, secret } = lane.credential(ticket, HASH);
    assert.equal(table.accept(slot, index, secret), undefined);
    indexes.push(index);
    if (index < length) lane.short(ticket, index, length - index);
    else lane.accepted(index);
  }
  assert.deepEqual(indexes, [65_536, 131_072, 196_608, 200_000]);
  lane.behind(65_536);
  assert.equal(lane.credential(ticket, HASH).index, 131_072);
  for (const nonsense of [NaN, -1, 0.5, 2 ** 40]) lane.behind(nonsense);
  assert.equal(lane.credential(ticket, HASH).index, 131_072);
});

test('before anything is spent the anchor is shown, which is no secret', () => {
  const lane = payer();
  const { index, secret } = lane.credential(lane.take(0), HASH);
  assert.deepEqual([index, toHex(secret)], [0, toHex(CHAIN.anchor)]);
});

test('a lane ends with its last number', () => {
  const last = 2 ** 32 - 1 - 64;
  const lane = payer({ n: last });
  assert.equal(lane.take(1).n, last);
  assert(lane.usedUp && !lane.canTake(1));
});

test('a number is used once, and never more than a window is open', () => {
  const lane = payer();
  const first = lane.take(0);
  for (let n = 1; n < 64; n++) assert.equal(lane.take(0).n, n);
  assert(!lane.canTake(0));
  lane.resolve(first, 0);
  assert(lane.canTake(0));
  assert.equal(lane.credential(lane.take(0), HASH).done, 1);
  assert.equal(toHex(lane.credential(first, HASH).lane), LANE);
});
