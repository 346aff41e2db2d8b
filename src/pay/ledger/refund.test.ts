/**
 * How much of a credit is refundable, and that what is set aside leaves or returns whole.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MAX_MSAT, msat } from '../../base/money/index.ts';
import { unixMs } from '../../base/time/index.ts';
import {
  refundEndTransfers,
  refundFeeLimit,
  refundTransfers,
  refundableMsat,
  setAsideMsat,
  type Refund,
} from './index.ts';

const amount = fc.oneof(fc.bigInt(0n, 300_000n), fc.bigInt(0n, MAX_MSAT / 2n)).map(msat);

function refundOf(amountMsat: bigint): Refund {
  return {
    paymentHash: 'ab'.repeat(32),
    session: 'cd'.repeat(16),
    invoice: 'lnbc',
    amountMsat: msat(amountMsat),
    feeLimitMsat: refundFeeLimit(msat(amountMsat)),
    askedAtMs: unixMs(1),
    state: 'refunding',
    feeMsat: msat(0),
  };
}

test('F is 1 sat or 1 %, whichever is more, rounded up', () => {
  const table = [
    [1n, 1_000n],
    [100_000n, 1_000n],
    [100_001n, 1_001n],
    [1_000_000n, 10_000n],
  ] as const;
  for (const [amountMsat, fee] of table) assert.equal(refundFeeLimit(msat(amountMsat)), fee);
});

test('the most that is refundable fits into the credit with its F, one more does not', () => {
  fc.assert(
    fc.property(amount, (creditMsat) => {
      const most = refundableMsat(creditMsat);
      if (most > 0n) assert.ok(most + refundFeeLimit(most) <= creditMsat);
      else assert.ok(creditMsat <= 1_000n, 'dust');
      const more = msat(most + 1n);
      assert.ok(more + refundFeeLimit(more) > creditMsat);
    }),
  );
});

test('the transfers of a refund set aside amount and F, and end all of it', () => {
  const refund = refundOf(50_000n);
  const aside = refundTransfers(refund);
  assert.equal(
    aside.reduce((sum, { amountMsat }) => sum + amountMsat, 0n),
    setAsideMsat(refund),
  );
  const failed = refundEndTransfers(refund, { state: 'failed', reason: 'x' }, unixMs(2));
  assert.deepEqual(
    failed.map(({ kind, pendingId, amountMsat }) => [kind, pendingId, amountMsat]),
    aside.map(({ id, amountMsat }) => ['void', id, amountMsat]),
  );
  for (const [fee, posted] of [
    [0n, 0n],
    [999n, 999n],
    [1_001n, 1_000n],
  ] as const) {
    const end = { state: 'refunded', feeMsat: msat(fee) } as const;
    const paid = refundEndTransfers(refund, end, unixMs(2));
    assert.deepEqual(
      paid.map(({ kind, credit, amountMsat }) => [kind, credit, amountMsat]),
      [
        ['post', 'refunded', 50_000n],
        ['post', 'refund_fees', posted],
      ],
    );
  }
});
