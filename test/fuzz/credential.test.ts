/**
 * Fuzz: credentials, authorization headers and balances.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  balanceFromJson,
  fromAuthorization,
  parseAsk,
  parseBalanceHeader,
  parseCall,
  printAsk,
  printCall,
} from '../../src/wire/toll/index.ts';
import { mangled, onlyFaults, spoiled, texts } from './hostile.ts';

const base64url = fc.stringMatching(/^[A-Za-z0-9_-]{80,110}$/);
const near = fc
  .tuple(fc.constantFrom('b1.', 'a1.', 'B1.', ''), base64url)
  .map((parts) => parts.join(''));
const CALL = printCall({
  session: 'ab'.repeat(16),
  n: 7n,
  done: 3n,
  salt: new Uint8Array(16).fill(1),
  code: new Uint8Array(32).fill(2),
});

test('credentials: what parses prints as the same text', () => {
  fc.assert(
    fc.property(fc.oneof(texts, near, mangled(CALL)), (text) => {
      const call = onlyFaults(() => parseCall(text));
      assert.ok(call === undefined || printCall(call) === text);
      const ask = onlyFaults(() => parseAsk(text));
      assert.ok(ask === undefined || printAsk(ask) === text);
    }),
    { numRuns: 2000 },
  );
});

test('authorization headers', () => {
  fc.assert(
    fc.property(fc.oneof(texts, mangled(`Toll ${CALL}`)), (header) => {
      const credential = onlyFaults(() => fromAuthorization(header));
      if (credential !== undefined) onlyFaults(() => parseCall(credential));
    }),
    { numRuns: 1000 },
  );
});

test('balances, as header and as member', () => {
  fc.assert(
    fc.property(
      fc.oneof(texts, mangled('charged=500, credit=1500, calls-left=3')),
      spoiled({ charged_msat: '500', credit_msat: '1500', calls_left: 3 }),
      (header, member) => {
        for (const read of [() => parseBalanceHeader(header), () => balanceFromJson(member)]) {
          const balance = onlyFaults(read);
          assert.ok(balance === undefined || Number.isSafeInteger(balance.callsLeft));
        }
      },
    ),
    { numRuns: 1000 },
  );
});
