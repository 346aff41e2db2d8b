/**
 * Prices of single calls: whole units, always in favour of the host, never by a float.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MAX_MSAT, msat } from '../../base/money/index.ts';
import { mostUnitsOf, unitsOf, type CallPrice, type UnitPrice } from './index.ts';

const unit = { kind: 'units', unitMsat: msat(10) } as const;
const facts = (inputBytes: number, outputBytes = 0, input: unknown = null) => ({
  inputBytes,
  outputBytes,
  input,
});

test('units per call and per byte are added, and rounded up once', () => {
  const table: readonly (readonly [
    Omit<UnitPrice, 'kind' | 'unitMsat'>,
    number,
    number,
    number,
  ])[] = [
    [{}, 1000, 1000, 0],
    [{ perCall: 3 }, 1000, 1000, 3],
    [{ perInputByte: 0.001 }, 0, 0, 0],
    [{ perInputByte: 0.001 }, 1, 0, 1],
    [{ perInputByte: 0.001 }, 1000, 0, 1],
    [{ perInputByte: 0.001 }, 1001, 0, 2],
    [{ perInputByte: 0.5, perOutputByte: 0.5 }, 1, 1, 1],
    [{ perCall: 1, perInputByte: 0.5, perOutputByte: 2 }, 3, 4, 11],
    [{ perInputByte: 0.1 }, 30, 0, 3],
    [{ perInputByte: 0.000_001 }, 1_000_001, 0, 2],
    [{ perCall: 1, minimumUnits: 5 }, 0, 0, 5],
    [{ perCall: 7, minimumUnits: 5 }, 0, 0, 7],
    [{ perOutputByte: 1, maximumUnits: 9 }, 0, 9, 9],
    [{ perOutputByte: 1, maximumUnits: 9 }, 0, 10, 9],
    [{ perCall: 4, perInputByte: 1, maximumUnits: 6 }, 3, 0, 6],
    [{ perOutputByte: 1000, maximumUnits: 9 }, 0, Number.MAX_SAFE_INTEGER, 9],
  ];
  for (const [rates, inputBytes, outputBytes, units] of table) {
    const price = { ...unit, ...rates };
    assert.equal(unitsOf(price, facts(inputBytes, outputBytes)), units, JSON.stringify(rates));
  }
});

test('what a call can cost is known before it runs', () => {
  const priced = { ...unit, perCall: 1, perOutputByte: 0.5 };
  assert.equal(mostUnitsOf({ ...unit, perCall: 1, perInputByte: 2 }, 3), 7);
  assert.equal(mostUnitsOf({ ...unit, perInputByte: 2, maximumUnits: 5 }, 3), 5);
  assert.equal(mostUnitsOf({ ...priced, maximumUnits: 40 }, 1000), 40);
  const wrong = { code: 'CONFIG_INVALID', facts: { problem: 'maximumUnits' } };
  assert.throws(() => mostUnitsOf(priced, 0), wrong);
  for (const maximumUnits of [-1, 1.5, Number.NaN, 3]) {
    const bad = { ...priced, minimumUnits: 4, maximumUnits };
    assert.throws(() => mostUnitsOf(bad, 0), wrong);
    assert.throws(() => unitsOf(bad, facts(0)), wrong);
  }
});

test("the seller's function prices an input, in whole units", () => {
  const price: CallPrice = {
    kind: 'quote',
    unitMsat: msat(1000),
    quoteMsat: (input: { pages: number }) => msat(BigInt(input.pages) * 600n),
    minimumUnits: 1,
  };
  const pages = (count: number) => facts(0, 0, { pages: count });
  assert.deepEqual(
    [0, 1, 2, 5, 6].map((count) => unitsOf(price, pages(count))),
    [1, 1, 2, 3, 4],
  );
});

test('what is no price, no fact or no amount is refused', () => {
  for (const rate of [-1, Number.NaN, Infinity, 0.000_000_1, 1e300]) {
    assert.throws(() => unitsOf({ ...unit, perInputByte: rate }, facts(1)), {
      code: 'CONFIG_INVALID',
    });
  }
  for (const bytes of [-1, 1.5, Number.NaN]) {
    assert.throws(() => unitsOf({ ...unit, perCall: 1 }, facts(bytes)), { code: 'CONFIG_INVALID' });
  }
  assert.throws(() => unitsOf({ ...unit, minimumUnits: 0.5 }, facts(1)), {
    code: 'CONFIG_INVALID',
  });
  assert.throws(() => unitsOf({ ...unit, perInputByte: 1000 }, facts(Number.MAX_SAFE_INTEGER)), {
    code: 'MONEY_RANGE',
  });
  for (const bad of [-1n, MAX_MSAT + 1n, 5, undefined]) {
    const quote = { kind: 'quote', unitMsat: msat(1), quoteMsat: () => bad as never } as const;
    assert.throws(() => unitsOf(quote, facts(1)), { code: 'MONEY_RANGE' });
  }
});

test('the host never gets less than the exact price, nor a whole unit more', () => {
  const rate = fc.integer({ min: 0, max: 5_000_000 });
  const bytes = fc.nat(1_000_000);
  fc.assert(
    fc.property(rate, rate, bytes, bytes, (perInput, perOutput, inputBytes, outputBytes) => {
      const price = { ...unit, perInputByte: perInput / 1e6, perOutputByte: perOutput / 1e6 };
      const exact = BigInt(perInput) * BigInt(inputBytes) + BigInt(perOutput) * BigInt(outputBytes);
      const units = BigInt(unitsOf(price, facts(inputBytes, outputBytes)));
      assert.ok(units * 1_000_000n >= exact && (units - 1n) * 1_000_000n < exact);
    }),
  );
});
