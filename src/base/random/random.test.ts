/**
 * One seed, one sequence; numbers below their bound.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toHex } from '../bytes/index.ts';
import { seededRandom, systemRandom } from './index.ts';

test('one seed gives one sequence, another seed another one', () => {
  const draw = (seed: number): string[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 20 }, () => toHex(random.bytes(16)) + String(random.below(1000)));
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.equal(new Set(draw(7)).size, 20);
});

test('the sequence of a seed is the same in every version: a failing seed can be run again', () => {
  const random = seededRandom(1);
  assert.equal(toHex(random.bytes(8)), '6b9064e7d8c9a260');
  assert.deepEqual([random.below(2 ** 32), random.below(10), random.below(1)], [455_411_593, 7, 0]);
});

test('numbers stay below their bound and reach all values', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 2 ** 31 }), (seed, bound) => {
      for (const random of [seededRandom(seed), systemRandom]) {
        const value = random.below(bound);
        assert.ok(Number.isInteger(value) && value >= 0 && value < bound);
      }
    }),
  );
  const random = seededRandom(3);
  const seen = new Set(Array.from({ length: 200 }, () => random.below(8)));
  assert.equal(seen.size, 8);
});

test('the generator of the system gives fresh bytes of the length asked for', () => {
  const draws = Array.from({ length: 50 }, () => toHex(systemRandom.bytes(16)));
  assert.equal(new Set(draws).size, 50);
  assert.equal(systemRandom.bytes(0).length, 0);
});

test('a bound that is no bound is a defect of the caller', () => {
  for (const bound of [0, -1, 0.5, NaN, Infinity, 2 ** 32 + 1]) {
    assert.throws(() => systemRandom.below(bound), assert.AssertionError);
    assert.throws(() => seededRandom(1).below(bound), assert.AssertionError);
  }
});
