/**
 * Fuzz: JSON and the other texts that everything else is made of.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fromBase64url, fromHex, fromUtf8 } from '../../src/base/bytes/index.ts';
import { canonicalJson, jsonObject, parseJson } from '../../src/base/json/index.ts';
import { parseMsat } from '../../src/base/money/index.ts';
import { bytes, mangled, onlyFaults, texts, values } from './hostile.ts';

test('JSON bytes and texts', () => {
  const near = values().chain((value) => mangled(JSON.stringify(value)));
  fc.assert(
    fc.property(fc.oneof(bytes, texts, near), (source) => {
      const value = onlyFaults(() => parseJson(source));
      if (value === undefined) return;
      // What was read has one canonical form, which reads as the same value.
      assert.deepEqual(canonicalJson(parseJson(canonicalJson(value))), canonicalJson(value));
      onlyFaults(() => jsonObject(value));
    }),
    { numRuns: 2000 },
  );
});

test('what JSON.parse refuses is refused', () => {
  fc.assert(
    fc.property(
      values().chain((value) => mangled(JSON.stringify(value))),
      (text) => {
        const ours = onlyFaults(() => parseJson(text));
        assert.ok(ours === undefined || JSON.stringify(JSON.parse(text)) === JSON.stringify(ours));
      },
    ),
    { numRuns: 1000 },
  );
});

test('hex, base64url, UTF-8 and amounts', () => {
  fc.assert(
    fc.property(fc.oneof(texts, values()), bytes, (text, raw) => {
      onlyFaults(() => fromHex(text, 'x'));
      onlyFaults(() => fromBase64url(text, 'x'));
      onlyFaults(() => parseMsat(text));
      onlyFaults(() => fromUtf8(raw, 'x'));
    }),
    { numRuns: 500 },
  );
});
