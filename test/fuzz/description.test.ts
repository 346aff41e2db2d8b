/**
 * Fuzz: what a host says about itself, and its public key.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Json, JsonObject } from '../../src/base/json/index.ts';
import { peerKey } from '../../src/port/keys/index.ts';
import {
  parseDescription,
  priceFromJson,
  ticksFromJson,
  ticksText,
} from '../../src/wire/toll/index.ts';
import { bytes, mangled, onlyFaults, spoiled, values } from './hostile.ts';
import { syncHostKeys } from '../fixtures/keys.ts';

const KEY = syncHostKeys().publicPem;
const PRICE: JsonObject = { kind: 'root', unit_msat: '1', minimum_msat: '2' };
const TICKS: JsonObject = {
  kind: 'units',
  unit_msat: '1',
  per_call: 1,
  per_input_byte: 0.1,
  per_output_byte: 0.1,
  minimum_units: 2,
  maximum_units: 9,
};
const SERVICE: JsonObject = {
  name: 'quotes',
  description: 'A quote.',
  price: PRICE,
  ticks: TICKS,
  effect: 'none',
  max_calls: 5,
  input: {},
};
const GOOD: JsonObject = {
  protocol: 'tollcall-1',
  network: 'regtest',
  host_key: KEY,
  host_key_fingerprint: 'ab'.repeat(32),
  services: [SERVICE],
};

test('descriptions of hosts', () => {
  const prices = spoiled(PRICE).map((price) => ({ ...GOOD, services: [{ ...SERVICE, price }] }));
  const ticks = spoiled(TICKS).map((one) => ({ ...GOOD, services: [{ ...SERVICE, ticks: one }] }));
  const services = fc.array(spoiled(SERVICE)).map((list): Json => ({ ...GOOD, services: list }));
  const names = [GOOD, SERVICE, PRICE, TICKS].flatMap((one) => Object.keys(one));
  fc.assert(
    fc.property(fc.oneof(values(names), spoiled(GOOD), services, prices, ticks), (value) => {
      const description = onlyFaults(() => parseDescription(value));
      for (const { name, description: text, price, ticks: sold } of description?.services ?? []) {
        assert.match(name, /^[a-z0-9-]{1,64}$/);
        assert.doesNotMatch(text.replaceAll('\n', ''), /\p{Cc}/u);
        onlyFaults(() => priceFromJson(price));
        onlyFaults(() => sold && ticksFromJson(sold));
        onlyFaults(() => sold && ticksText(sold));
      }
    }),
    { numRuns: 1000 },
  );
});

test('public keys of peers, as text and as bytes', () => {
  const der = Buffer.from(KEY.replaceAll(/-----.*-----|\n/g, ''), 'base64');
  const flipped = fc
    .tuple(fc.nat({ max: der.length - 1 }), fc.nat({ max: 255 }))
    .map(([at, byte]) => {
      return Uint8Array.from(der).with(at, byte);
    });
  fc.assert(
    fc.property(fc.oneof(mangled(KEY), bytes, flipped), (source) => {
      const key = onlyFaults(() => peerKey(source));
      if (key === undefined) return;
      onlyFaults(() => key.wrap(new Uint8Array(32)));
      assert.equal(key.verify(new Uint8Array(3), new Uint8Array(512)), false);
    }),
    { numRuns: 500 },
  );
});
