/**
 * Foreign bytes in place of a session's calls.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '../../src/base/fault/index.ts';
import { decodeEntries, encodeEntries } from '../../src/pay/ledger/index.ts';

test('the calls of a session decode to what encodes to the same bytes, or are refused', () => {
  const almost = fc
    .tuple(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.nat(4))
    .chain(([done, count]) =>
      fc
        .uint8Array({ minLength: 33 * count, maxLength: 33 * count })
        .map((rest) => Uint8Array.of(1, ...done, ...rest)),
    );
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), almost), (bytes) => {
      try {
        assert.deepEqual(encodeEntries(decodeEntries(bytes)), bytes);
      } catch (error) {
        assert.ok(isFault(error) && error.code === 'STORE_CORRUPT', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
