/**
 * The bytes of a session's calls.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toHex } from '../../base/bytes/index.ts';
import { isFault } from '../../base/fault/index.ts';
import { MAX_MSAT, msat } from '../../base/money/index.ts';
import { decodeEntries, encodeEntries, imageOf, type CallEntry } from './index.ts';

const U64 = (1n << 64n) - 1n;
const entries = fc
  .uniqueArray(
    fc.record<CallEntry>(
      {
        n: fc.bigInt(0n, U64),
        digest: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex),
        kind: fc.constant('charged'),
        effect: fc.constantFrom('none', 'once'),
        amountMsat: fc.bigInt(0n, MAX_MSAT).map((amount) => msat(amount)),
        reruns: fc.constant(0),
      },
      { noNullPrototype: true },
    ),
    { selector: ({ n }) => n, maxLength: 128 },
  )
  .map((list) => list.toSorted((a, b) => (a.n < b.n ? -1 : 1)));

test('what is encoded comes back', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, U64), entries, (done, list) => {
      const image = { done, entries: list };
      assert.deepEqual(decodeEntries(encodeEntries(image)), image);
    }),
  );
});

test('the form is fixed', () => {
  const entry: CallEntry = {
    n: 258n,
    digest: '0f'.repeat(16),
    kind: 'started',
    effect: 'once',
    amountMsat: msat(5),
    reruns: 0,
  };
  assert.equal(
    toHex(encodeEntries({ done: 1n, entries: [entry, { ...entry, n: 259n, kind: 'unknown' }] })),
    `01${'00'.repeat(7)}01` +
      `${'00'.repeat(6)}0102${'0f'.repeat(16)}02${'00'.repeat(7)}05` +
      `${'00'.repeat(6)}0103${'0f'.repeat(16)}03${'00'.repeat(7)}05`,
  );
});

test('what lives in memory only is not stored', () => {
  const reserved: CallEntry = {
    n: 1n,
    digest: '00'.repeat(16),
    kind: 'reserved',
    effect: 'none',
    amountMsat: msat(5),
    reruns: 0,
  };
  const image = { chargedMsat: msat(0), chargedCalls: 0, done: 0n, entries: [reserved] };
  assert.deepEqual(imageOf(image).entries, []);
  assert.throws(() => encodeEntries(image), isFault);
});
