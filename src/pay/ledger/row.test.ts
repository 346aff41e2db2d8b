/**
 * Rows, folding and the sheet.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msat } from '../../base/money/index.ts';
import { unixMs } from '../../base/time/index.ts';
import {
  IMAGE_REFUSALS,
  NO_CALLS,
  ZERO_COUNTERS,
  checkImage,
  foldOf,
  isBalanced,
  sheetOf,
  stateOf,
  withReserved,
  type CallEntry,
  type LedgerRow,
} from './index.ts';

const ROW: LedgerRow = {
  terms: { session: '11'.repeat(16), calls: 3, totalMsat: msat(1000) },
  version: 7n,
  counters: { ...ZERO_COUNTERS, creditsPostedMsat: msat(1200), debitsPostedMsat: msat(300) },
  foldedMsat: msat(300),
  calls: { ...NO_CALLS, chargedMsat: msat(600), chargedCalls: 2, done: 4n },
};
const STARTED: CallEntry = {
  n: 9n,
  digest: 'aa'.repeat(16),
  kind: 'started',
  effect: 'once',
  amountMsat: msat(400),
  reruns: 0,
};

test('images are refused in order of precedence', () => {
  const { calls } = ROW;
  const refunded = { ...ROW.counters, debitsPendingMsat: msat(500) };
  const table: readonly (readonly [string | undefined, Parameters<typeof checkImage>])[] = [
    ['session_unknown', [undefined, { version: 1n, calls }]],
    ['version_stale', [ROW, { version: 6n, calls: NO_CALLS }]],
    ['image_backwards', [ROW, { version: 7n, calls: { ...calls, chargedMsat: msat(599) } }]],
    ['image_backwards', [ROW, { version: 7n, calls: { ...calls, chargedCalls: 1 } }]],
    ['image_backwards', [ROW, { version: 7n, calls: { ...calls, done: 3n } }]],
    [
      'image_too_large',
      [
        ROW,
        { version: 7n, calls: { ...calls, entries: Array.from({ length: 129 }, () => STARTED) } },
      ],
    ],
    ['image_over_bought', [ROW, { version: 7n, calls: { ...calls, chargedMsat: msat(1001) } }]],
    ['image_over_bought', [ROW, { version: 7n, calls: { ...calls, chargedCalls: 4 } }]],
    [
      'image_over_bought',
      [ROW, { version: 7n, calls: { ...calls, chargedCalls: 3, entries: [STARTED] } }],
    ],
    [
      'image_overdraft',
      [
        { ...ROW, counters: refunded },
        { version: 7n, calls: { ...calls, entries: [STARTED] } },
      ],
    ],
    [undefined, [ROW, { version: 7n, calls: { ...calls, entries: [STARTED] } }]],
  ];
  for (const [refusal, args] of table) assert.equal(checkImage(...args), refusal);
  const seen = new Set(table.map(([refusal]) => refusal).filter((name) => name !== undefined));
  assert.deepEqual([...seen], [...IMAGE_REFUSALS]);
});

test('what is not durable yet counts as reserved', () => {
  const memory = { ...ROW.calls, chargedMsat: msat(1000), chargedCalls: 3 };
  assert.deepEqual(stateOf(ROW, memory), {
    paidMsat: 1200n,
    chargedMsat: 600n,
    chargedCalls: 2,
    reservedMsat: 400n,
    reservedCalls: 1,
    refundingMsat: msat(0),
    creditMsat: 200n,
    callsLeft: 0,
    paid: true,
  });
  const unpaid = { ...ROW, counters: { ...ROW.counters, creditsPostedMsat: msat(999) } };
  assert.equal(stateOf(unpaid).callsLeft, 0);
  assert.equal(stateOf(ROW).callsLeft, 1);
});

test('folding moves what is not in a transfer yet, under a name of its own', () => {
  const fold = foldOf(ROW, unixMs(5));
  assert.equal(fold?.amountMsat, 300n);
  assert.equal(fold?.id, `serve:${'11'.repeat(16)}:2`);
  assert.equal(foldOf({ ...ROW, foldedMsat: msat(600) }, unixMs(5)), undefined);
});

test('the sheet shows where everything is', () => {
  const credited = (amount: number) => ({ ...ZERO_COUNTERS, creditsPostedMsat: msat(amount) });
  const accounts = {
    received: { ...ZERO_COUNTERS, debitsPostedMsat: msat(1250) },
    served: credited(300),
    refunded: credited(0),
    refund_fees: credited(0),
    expired: credited(0),
    unattributed: credited(50),
  };
  const totals = { ...ROW.counters, unfoldedMsat: msat(300), startedMsat: msat(400) };
  const sheet = sheetOf(accounts, totals);
  assert.deepEqual(
    [sheet.servedMsat, sheet.reservedMsat, sheet.creditMsat, sheet.unattributedMsat],
    [600n, 400n, 200n, 50n],
  );
  assert.ok(isBalanced(sheet));
  assert.ok(isBalanced(withReserved(sheet, 100n)));
  assert.ok(!isBalanced({ ...sheet, servedMsat: msat(601) }));
});
