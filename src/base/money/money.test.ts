/**
 * Amounts stay in their range and rounding goes where its name says.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  MAX_MSAT,
  ZERO_MSAT,
  addMsat,
  formatMsat,
  maxMsat,
  minMsat,
  msat,
  msatToSatCeil,
  msatToSatFloor,
  mulDivCeil,
  mulDivFloor,
  parseMsat,
  sat,
  satToMsat,
  subMsat,
  sumMsat,
} from './index.ts';

const RANGE = { code: 'MONEY_RANGE' };
const amounts = fc.bigInt({ min: 0n, max: MAX_MSAT }).map(msat);

test('an amount is a whole number from 0 to 21e6 BTC', () => {
  assert.equal(msat(0), 0n);
  assert.equal(msat(MAX_MSAT), MAX_MSAT);
  assert.equal(sat(MAX_MSAT / 1000n), 2_100_000_000_000_000n);
  for (const bad of [-1, 0.5, NaN, Infinity, 2 ** 53, -1n, MAX_MSAT + 1n]) {
    assert.throws(() => msat(bad), RANGE, String(bad));
  }
  assert.throws(() => sat(MAX_MSAT / 1000n + 1n), RANGE);
});

test('a sum above 21e6 BTC and a difference below zero are refused', () => {
  assert.equal(addMsat(msat(1), msat(2)), 3n);
  assert.throws(() => addMsat(MAX_MSAT, msat(1)), RANGE);
  assert.equal(subMsat(msat(2), msat(2)), ZERO_MSAT);
  assert.throws(() => subMsat(msat(1), msat(2)), RANGE);
  assert.equal(sumMsat([]), ZERO_MSAT);
  assert.equal(sumMsat([msat(1), msat(2), msat(3)]), 6n);
  assert.throws(() => sumMsat([MAX_MSAT, MAX_MSAT]), RANGE);
});

test('the smaller and the larger one', () => {
  assert.equal(minMsat(msat(1), msat(2)), 1n);
  assert.equal(maxMsat(msat(1), msat(2)), 2n);
});

test('a decimal text has one form only', () => {
  assert.equal(parseMsat('0'), 0n);
  assert.equal(parseMsat('2000'), 2000n);
  assert.equal(parseMsat(MAX_MSAT.toString()), MAX_MSAT);
  const texts = ['', '-1', '+1', '01', '00', ' 1', '1 ', '1\n', '1e3', '1.0', '0x1', '1_000', '١'];
  const tooLarge = [(MAX_MSAT + 1n).toString(), '9'.repeat(19), '9'.repeat(1_000_000)];
  for (const bad of [...texts, ...tooLarge, 1, 1n, null, undefined, {}, ['1']]) {
    assert.throws(() => parseMsat(bad), RANGE);
  }
});

test('each amount reads back from its text', () => {
  fc.assert(fc.property(amounts, (amount) => assert.equal(parseMsat(`${amount}`), amount)));
});

test('rounding goes down in favour of who pays, up in favour of who is paid', () => {
  assert.equal(mulDivFloor(msat(10), 1n, 3n), 3n);
  assert.equal(mulDivCeil(msat(10), 1n, 3n), 4n);
  assert.equal(mulDivFloor(msat(9), 1n, 3n), 3n);
  assert.equal(mulDivCeil(msat(9), 1n, 3n), 3n);
  assert.equal(mulDivCeil(msat(0), 5n, 3n), 0n);
  for (const round of [mulDivFloor, mulDivCeil]) {
    assert.throws(() => round(msat(1), 1n, 0n), RANGE);
    assert.throws(() => round(msat(1), -1n, 1n), RANGE);
    assert.throws(() => round(msat(1), 1n, -1n), RANGE);
    assert.throws(() => round(MAX_MSAT, 2n, 1n), RANGE);
  }
});

test('up is down, or one more when something is left', () => {
  const shares = fc.bigInt({ min: 0n, max: 1_000_000n });
  fc.assert(
    fc.property(amounts, shares, (amount, share) => {
      const down = mulDivFloor(amount, share, 1_000_000n);
      const exact = (amount * share) % 1_000_000n === 0n;
      assert.equal(mulDivCeil(amount, share, 1_000_000n), exact ? down : down + 1n);
    }),
  );
});

test('satoshis and millisatoshis', () => {
  assert.equal(satToMsat(sat(2)), 2000n);
  assert.equal(msatToSatFloor(msat(2999)), 2n);
  assert.equal(msatToSatCeil(msat(2001)), 3n);
  assert.equal(msatToSatCeil(msat(2000)), 2n);
  assert.equal(msatToSatCeil(MAX_MSAT), MAX_MSAT / 1000n);
});

test('people read satoshis', () => {
  const table: readonly (readonly [bigint, string])[] = [
    [0n, '0 sat'],
    [1n, '0.001 sat'],
    [2000n, '2 sat'],
    [2500n, '2.5 sat'],
    [999_999n, '999.999 sat'],
    [1_234_567n, '1,234.567 sat'],
    [1_000_000_010n, '1,000,000.01 sat'],
    [MAX_MSAT, '2,100,000,000,000,000 sat'],
  ];
  for (const [amount, text] of table) assert.equal(formatMsat(msat(amount)), text);
});
