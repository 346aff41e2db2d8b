/**
 * Balances, as header and as member.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Json } from '../../base/json/index.ts';
import { MAX_MSAT, msat } from '../../base/money/index.ts';
import {
  balanceFromJson,
  balanceToJson,
  parseBalanceHeader,
  printBalanceHeader,
  type CallBalance,
} from './index.ts';

const amounts = fc.bigInt({ min: 0n, max: MAX_MSAT }).map(msat);
const PLAIN = { noNullPrototype: true };
const balances: fc.Arbitrary<CallBalance> = fc.record(
  {
    chargedMsat: amounts,
    creditMsat: amounts,
    callsLeft: fc.nat({ max: 1_000_000 }),
  },
  PLAIN,
);
const MALFORMED = { code: 'HOST_MALFORMED' };
const EXAMPLE = { chargedMsat: msat(500), creditMsat: msat(1500), callsLeft: 3 };

test('a balance has one header and one JSON form', () => {
  assert.equal(printBalanceHeader(EXAMPLE), 'charged=500, credit=1500, calls-left=3');
  const json = { charged_msat: '500', credit_msat: '1500', calls_left: 3 };
  assert.deepEqual(balanceToJson(EXAMPLE), json);
});

test('a balance reads back from both', () => {
  fc.assert(
    fc.property(balances, (balance) => {
      assert.deepEqual(parseBalanceHeader(printBalanceHeader(balance)), balance);
      assert.deepEqual(balanceFromJson(balanceToJson(balance)), balance);
    }),
  );
});

test('a header that says something else is a malformed host, never a refused amount', () => {
  const headers = [
    undefined,
    '',
    'charged=500',
    'charged=500,credit=1500,calls-left=3',
    'charged=500, credit=1500, calls-left=3, charged=0',
    'credit=1500, charged=500, calls-left=3',
    'charged=-1, credit=1500, calls-left=3',
    'charged=0500, credit=1500, calls-left=3',
    `charged=${MAX_MSAT + 1n}, credit=0, calls-left=3`,
    `charged=${'9'.repeat(100_000)}, credit=0, calls-left=3`,
    'charged=1, credit=1, calls-left=9999999999999999',
    'charged=1, credit=1, calls-left=3\n',
    'charged=٥, credit=1, calls-left=3',
  ];
  for (const header of headers) assert.throws(() => parseBalanceHeader(header), MALFORMED, header);
});

test('a member that says something else is a malformed host', () => {
  const good = { charged_msat: '500', credit_msat: '1500', calls_left: 3 };
  const bad: readonly Json[] = [
    null,
    [],
    'text',
    {},
    { ...good, charged_msat: 500 },
    { ...good, credit_msat: '-1' },
    { ...good, calls_left: '3' },
    { ...good, calls_left: -1 },
    { ...good, calls_left: 0.5 },
    { ...good, calls_left: 2 ** 53 },
    { ...good, calls_left: null },
    { ...good, calls_left: [3] },
  ];
  for (const value of [...bad, undefined]) assert.throws(() => balanceFromJson(value), MALFORMED);
});
