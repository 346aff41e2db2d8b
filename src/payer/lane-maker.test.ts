/**
 * How units are spread over lanes.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { systemRandom } from '../base/random/index.ts';
import { newLanes, type LanesWanted } from './lane-maker.ts';

function lengths(wanted: LanesWanted): readonly number[] {
  return newLanes(systemRandom, wanted).lengths;
}

test('units are spread evenly, in whole calls', () => {
  const table: readonly (readonly [LanesWanted, readonly number[]])[] = [
    [{ units: 10, lanes: 4 }, [3, 3, 2, 2]],
    [{ units: 2, lanes: 4 }, [1, 1]],
    [{ units: 1_000, lanes: 4, unitsPerCall: 100 }, [300, 300, 200, 200]],
    [{ units: 250, lanes: 4, unitsPerCall: 100 }, [150, 100]],
    [{ units: 30, lanes: 4, unitsPerCall: 100 }, [30]],
  ];
  for (const [wanted, spread] of table) assert.deepEqual(lengths(wanted), spread);
});

test('no unit is lost, and no call that is paid for falls between two lanes', () => {
  const number = fc.integer({ min: 1, max: 5_000 });
  const lanes = fc.integer({ min: 1, max: 256 });
  fc.assert(
    fc.property(number, lanes, number, (units, count, unitsPerCall) => {
      const spread = lengths({ units, lanes: count, unitsPerCall });
      assert.equal(
        spread.reduce((sum, length) => sum + length, 0),
        units,
      );
      const calls = spread.reduce((sum, length) => sum + Math.floor(length / unitsPerCall), 0);
      assert.equal(calls, Math.floor(units / unitsPerCall));
      assert.ok(spread.every((length) => length >= 1) && spread.length <= count);
    }),
  );
});

test('what is no number of units, calls or lanes is refused', () => {
  for (const bad of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => lengths({ units: bad }), { code: 'LANE_LENGTH' });
    assert.throws(() => lengths({ units: 5, unitsPerCall: bad }), { code: 'LANE_LENGTH' });
    assert.throws(() => lengths({ units: 5, lanes: bad }), { code: 'LANE_COUNT' });
  }
});
