/**
 * Descriptions of hosts that may be hostile.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Json, JsonObject } from '../../base/json/index.ts';
import { MAX_MSAT, msat } from '../../base/money/index.ts';
import type { BundlePrice, UnitPrice } from '../../pay/price/index.ts';
import {
  isDescriptionText,
  parseDescription,
  priceFromJson,
  priceToJson,
  ticksFromJson,
  ticksText,
  ticksToJson,
  type TicksDescription,
} from './index.ts';

const SERVICE: JsonObject = {
  name: 'quotes',
  description: 'One quote.\nAlways another one: ₿, 👩‍🚀.',
  price: { kind: 'each', price_msat: '500' },
  effect: 'none',
  max_calls: 100,
  input: { type: 'object' },
};
const GOOD: JsonObject = {
  protocol: 'tollcall-1',
  network: 'regtest',
  host_key: '-----BEGIN PUBLIC KEY-----',
  host_key_fingerprint: 'ab'.repeat(32),
  services: [SERVICE],
};
const MALFORMED = { code: 'HOST_MALFORMED' };
const selling = (change: JsonObject): Json => ({ ...GOOD, services: [{ ...SERVICE, ...change }] });

test('a description reads as it was written', () => {
  assert.deepEqual(parseDescription(GOOD), GOOD);
  assert.deepEqual(parseDescription({ ...GOOD, services: [] }).services, []);
});

test('members that a newer host adds are left out', () => {
  const newer = { ...GOOD, motto: 'x', services: [{ ...SERVICE, colour: 'red' }] };
  assert.deepEqual(parseDescription(newer), GOOD);
});

test('a description without the form of the protocol is refused', () => {
  const bad: readonly Json[] = [
    null,
    [],
    'text',
    {},
    { ...GOOD, protocol: 'tollcall-2' },
    { ...GOOD, network: 'mainnet2' },
    { ...GOOD, host_key: 'x'.repeat(2001) },
    { ...GOOD, host_key: { length: { toString: '' } } },
    { ...GOOD, services: { length: { valueOf: 1 } } },
    { ...GOOD, host_key_fingerprint: 'AB'.repeat(32) },
    { ...GOOD, host_key_fingerprint: `${'ab'.repeat(32)}\n` },
    { ...GOOD, services: {} },
    { ...GOOD, services: Array.from({ length: 1001 }, () => SERVICE) },
    selling({ max_calls: 0 }),
    selling({ max_calls: 1.5 }),
    selling({ max_calls: '1' }),
    selling({ effect: 'twice' }),
    selling({ price: { kind: 'gift' } }),
    selling({ price: { kind: 'each' } }),
    selling({ price: { kind: 'each', price_msat: 500 } }),
    selling({ price: { kind: 'each', price_msat: '-500' } }),
    selling({ price: { kind: 'each', price_msat: '0500' } }),
    selling({ price: { kind: 'fixed', total_msat: '1e3' } }),
    selling({ price: { kind: 'root', unit_msat: '1' } }),
    selling({ ticks: { kind: 'units' } }),
    selling({ ticks: { kind: 'units', unit_msat: '1', per_call: -1 } }),
    selling({ ticks: { kind: 'units', unit_msat: '1', per_output_byte: '1', maximum_units: 9 } }),
    // Nobody knows what to reserve.
    selling({ ticks: { kind: 'units', unit_msat: '1', per_output_byte: 0.1 } }),
  ];
  for (const value of bad) assert.throws(() => parseDescription(value), MALFORMED);
});

test('a name is part of an address: nothing that could lead elsewhere', () => {
  const names = [
    '',
    'Quotes',
    '../admin',
    'a/b',
    'a?b',
    'a b',
    '-a',
    '1a',
    'a'.repeat(65),
    'a\n',
    'toll.setup',
  ];
  for (const name of names) assert.throws(() => parseDescription(selling({ name })), MALFORMED);
});

test('a description cannot drive a terminal', () => {
  const texts = [
    '\u001b[2J',
    '\u009b1m',
    'a\rb',
    '\u0007',
    '\u202egnp',
    '\u2066x',
    '\ud800',
    '\u0000',
  ];
  for (const description of [...texts, 'x'.repeat(1001)]) {
    assert.equal(isDescriptionText(description), false);
    assert.throws(() => parseDescription(selling({ description })), MALFORMED);
  }
});

test('each price reads back from its description', () => {
  const amount = fc.bigInt({ min: 0n, max: MAX_MSAT }).map(msat);
  const PLAIN = { noNullPrototype: true };
  const prices: fc.Arbitrary<BundlePrice> = fc.oneof(
    fc.record({ kind: fc.constant('each' as const), priceMsat: amount }, PLAIN),
    fc.record({ kind: fc.constant('fixed' as const), totalMsat: amount }, PLAIN),
    fc.record({ kind: fc.constant('root' as const), unitMsat: amount, minimumMsat: amount }, PLAIN),
  );
  fc.assert(
    fc.property(prices, (price) => {
      const described = priceToJson(price);
      assert.deepEqual(priceFromJson(described), price);
      assert.deepEqual(
        parseDescription(selling({ price: described })).services[0]?.price,
        described,
      );
    }),
  );
});

test('a price above 21e6 BTC is refused', () => {
  const price = { kind: 'each', price_msat: `${MAX_MSAT + 1n}` } as const;
  assert.throws(() => priceFromJson(price), { code: 'MONEY_RANGE' });
});

test('each price by ticks reads back from its description', () => {
  const rate = fc.nat(1_000_000).map((micros) => micros / 1e6);
  const units = fc.nat(1_000);
  const price = fc.record(
    {
      kind: fc.constant('units' as const),
      unitMsat: fc.bigInt({ min: 1n, max: MAX_MSAT }).map(msat),
      perCall: rate,
      perInputByte: rate,
      perOutputByte: rate,
      minimumUnits: units,
      maximumUnits: units.map((more) => 1_000 + more),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(price, (sold: UnitPrice) => {
      const described = ticksToJson(sold);
      assert.deepEqual(ticksFromJson(described), sold);
      const [read] = parseDescription(selling({ ticks: described as JsonObject })).services;
      assert.deepEqual(read?.ticks, described);
    }),
  );
});

test('a price by ticks, in words', () => {
  const unit = { kind: 'units', unit_msat: '100' } as const;
  const table: readonly (readonly [TicksDescription, string])[] = [
    [{ ...unit, per_call: 1 }, '1 unit a call; a unit is 0.1 sat'],
    [
      { ...unit, per_call: 2, per_output_byte: 0.01, minimum_units: 3, maximum_units: 4_000 },
      '2 units a call + 0.01 units a byte of the answer, at least 3 units, ' +
        'at most 4,000 units; a unit is 0.1 sat',
    ],
    [{ ...unit, per_input_byte: 0.5 }, '0.5 units a byte of the input; a unit is 0.1 sat'],
    [unit, '0 units a call; a unit is 0.1 sat'],
    [
      { kind: 'quote', unit_msat: '1000', minimum_units: 1 },
      'what the host says for each input, at least 1 unit; a unit is 1 sat',
    ],
  ];
  for (const [ticks, text] of table) assert.equal(ticksText(ticks), text);
});
