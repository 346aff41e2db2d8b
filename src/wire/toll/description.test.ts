/**
 * Descriptions of hosts that may be hostile.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Json, JsonObject } from '../../base/json/index.ts';
import { MAX_MSAT, msat } from '../../base/money/index.ts';
import type { BundlePrice } from '../../pay/price/index.ts';
import { isDescriptionText, parseDescription, priceFromJson, priceToJson } from './index.ts';

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
