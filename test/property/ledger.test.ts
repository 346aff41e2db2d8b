/**
 * Conservation over random transfers and images, written straight to the store.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { msat } from '../../src/base/money/index.ts';
import { unixMs } from '../../src/base/time/index.ts';
import {
  availableMsat,
  isBalanced,
  sessionAccount,
  type AccountId,
  type Transfer,
  type TransferReason,
} from '../../src/pay/ledger/index.ts';
import { openHostStore, type CommitGroup, type HostStore } from '../../src/port/store/index.ts';
import { hex, termsOf } from './world.ts';

const ROUTES: readonly (readonly [TransferReason, (s: AccountId) => [AccountId, AccountId]])[] = [
  ['receive', (s) => ['received', s]],
  ['receive', () => ['received', 'unattributed']],
  ['attribute', (s) => ['unattributed', s]],
  ['refund', (s) => [s, 'refunded']],
  ['refund_fee', (s) => [s, 'refund_fees']],
  ['expire', (s) => [s, 'expired']],
];

const id = fc.nat(12).map((n) => `t${n}`);
const transfer: fc.Arbitrary<Transfer> = fc
  .record({
    id,
    pending: id,
    kind: fc.constantFrom('posted', 'pending', 'post', 'void'),
    route: fc.constantFrom(...ROUTES),
    s: fc.constantFrom(0, 2),
    amount: fc.integer({ min: 0, max: 300 }),
  })
  .map(({ id: name, pending, kind, route: [reason, between], s, amount }) => {
    const [debit, credit] = between(sessionAccount(hex(s, 16)));
    const pendingId = kind === 'post' || kind === 'void' ? { pendingId: pending } : {};
    const amountMsat = msat(amount);
    return { id: name, kind, debit, credit, reason, ...pendingId, amountMsat, atMs: unixMs(1) };
  });

interface Step {
  readonly groups: readonly (readonly Transfer[])[];
  /** Charges that much to a session, in the same commit, before the groups. */
  readonly charge: { readonly s: number; readonly amount: number };
}

const step: fc.Arbitrary<Step> = fc.record({
  groups: fc.array(fc.array(transfer, { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
  charge: fc.record({ s: fc.constantFrom(0, 2), amount: fc.nat(40) }),
});

test('every sheet is balanced, every counter is derivable, nothing is overdrawn', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), async (steps) => {
      const store = await openHostStore({ file: ':memory:', thread: false });
      await store.commit([{ open: termsOf(0) }, { open: termsOf(2) }]);
      for (const { groups, charge } of steps) {
        const image = await imageOf(store, charge.s, charge.amount);
        await store.commit([image, ...groups.map((transfers) => ({ transfers }))]);
        assert.ok(isBalanced(await store.sheet()));
        assert.deepEqual(await store.audit(), []);
        for (const s of [0, 2]) {
          const account = await store.account(sessionAccount(hex(s, 16)));
          assert.ok(account !== undefined && availableMsat(account) >= 0n);
        }
      }
      await store.close();
    }),
    { numRuns: 60 },
  );
});

/** Charges one call to a session, if the store lets it. */
async function imageOf(store: HostStore, s: number, amount: number): Promise<CommitGroup> {
  const row = await store.session(hex(s, 16));
  if (row === undefined) return {};
  const chargedMsat = msat(row.calls.chargedMsat + BigInt(amount));
  const chargedCalls = row.calls.chargedCalls + 1;
  // The last call would have to bring the sum to the total.
  if (chargedCalls === row.terms.calls) return {};
  const calls = { ...row.calls, chargedMsat, chargedCalls };
  return { images: [{ session: hex(s, 16), version: row.version, calls }] };
}
