/**
 * Prices: the curve of the seed, and shares that add up.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '../../base/fault/index.ts';
import { MAX_MSAT, ZERO_MSAT, msat, subMsat } from '../../base/money/index.ts';
import {
  MAX_CALLS,
  SEED_PRICE,
  affordableCalls,
  bundleTotalMsat,
  nextShareMsat,
  rootFloor,
} from './index.ts';

test("the seed's curve is max(2000, 1000 times the root of the quantity)", () => {
  const table: readonly (readonly [calls: number, totalMsat: bigint])[] = [
    [1, 2000n],
    [4, 2000n],
    [5, 2236n],
    [6, 2449n],
    [100, 10_000n],
    [101, 10_049n],
    [1_000_000, 1_000_000n],
    [MAX_CALLS, 32_767_999n],
  ];
  for (const [calls, totalMsat] of table) {
    assert.equal(bundleTotalMsat(SEED_PRICE, calls), totalMsat, `${calls} calls`);
  }
});

test('a price per call is multiplied, a fixed one is not', () => {
  assert.equal(bundleTotalMsat({ kind: 'each', priceMsat: msat(700) }, 3), 2100n);
  assert.equal(bundleTotalMsat({ kind: 'fixed', totalMsat: msat(700) }, 3), 700n);
});

test('quantities and totals out of range are refused', () => {
  const code = (run: () => unknown): string | undefined => {
    try {
      run();
      return undefined;
    } catch (error) {
      return isFault(error) ? error.code : String(error);
    }
  };
  for (const calls of [0, -1, 1.5, Number.NaN, MAX_CALLS + 1, Number.MAX_SAFE_INTEGER + 1]) {
    assert.equal(
      code(() => bundleTotalMsat(SEED_PRICE, calls)),
      'SERVICE_QUANTITY',
    );
  }
  assert.equal(
    code(() => bundleTotalMsat({ kind: 'each', priceMsat: MAX_MSAT }, 2)),
    'MONEY_RANGE',
  );
  assert.equal(
    code(() => rootFloor(-1n)),
    'MONEY_RANGE',
  );
});

test('the whole root is the largest number whose square fits', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 1n << 200n), (value) => {
      const root = rootFloor(value);
      assert.ok(root * root <= value && (root + 1n) * (root + 1n) > value);
    }),
  );
});

test('the shares of a bundle add up to its total and differ by at most one millisatoshi', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, MAX_MSAT), fc.integer({ min: 1, max: 200 }), (total, calls) => {
      let left = msat(total);
      const shares = Array.from({ length: calls }, (_, i) => {
        const share = nextShareMsat(left, calls - i);
        left = subMsat(left, share);
        return share;
      });
      assert.equal(left, ZERO_MSAT);
      assert.ok((shares.at(-1) ?? 0n) - (shares[0] ?? 0n) <= 1n);
    }),
  );
});

test('a credit affords as many calls as can be paid from it one after the other', () => {
  const bundle = fc.record({
    left: fc.bigInt(0n, 5_000n).map(msat),
    calls: fc.nat(60),
    credit: fc.bigInt(0n, 6_000n).map(msat),
  });
  fc.assert(
    fc.property(bundle, ({ left, calls, credit }) => {
      let [leftMsat, creditMsat, paid] = [left, credit, 0];
      while (paid < calls) {
        const share = nextShareMsat(leftMsat, calls - paid);
        if (share > creditMsat) break;
        [leftMsat, creditMsat] = [msat(leftMsat - share), msat(creditMsat - share)];
        paid++;
      }
      assert.equal(affordableCalls(left, calls, credit), paid);
    }),
    { numRuns: 500 },
  );
});
