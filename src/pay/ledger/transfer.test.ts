/**
 * Transfers as tables: what is refused, and in which order.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_MSAT, msat } from '../../base/money/index.ts';
import { unixMs } from '../../base/time/index.ts';
import {
  TRANSFER_REFUSALS,
  ZERO_COUNTERS,
  evaluateGroup,
  evaluateTransfer,
  sessionAccount,
  type Account,
  type AccountId,
  type LedgerView,
  type Transfer,
} from './index.ts';

const S = sessionAccount('11'.repeat(16));
const ZERO: Account = { ...ZERO_COUNTERS, heldMsat: msat(0) };

/** A ledger in memory: the simplest implementation of a view. */
class Memory implements LedgerView {
  readonly accounts = new Map<AccountId, Account>([
    ['received', ZERO],
    ['served', ZERO],
    ['refunded', ZERO],
    [S, ZERO],
  ]);
  readonly transfers = new Map<string, Transfer>();

  account(id: AccountId): Account | undefined {
    return this.accounts.get(id);
  }

  transfer(id: string): Transfer | undefined {
    return this.transfers.get(id);
  }

  resolver(pendingId: string): Transfer | undefined {
    return [...this.transfers.values()].find((transfer) => transfer.pendingId === pendingId);
  }

  post(...transfers: readonly Transfer[]): string {
    const result = evaluateGroup(this, transfers);
    if (!result.ok) return `${result.index} ${result.code}`;
    for (const [id, account] of result.accounts) this.accounts.set(id, account);
    for (const transfer of result.transfers) this.transfers.set(transfer.id, transfer);
    return 'ok';
  }
}

function transfer(id: string, change: Partial<Transfer> = {}): Transfer {
  return {
    id,
    kind: 'posted',
    debit: S,
    credit: 'refunded',
    amountMsat: msat(100),
    reason: 'refund',
    atMs: unixMs(1),
    ...change,
  };
}

const receive = (id: string, amount: bigint): Transfer =>
  transfer(id, { debit: 'received', credit: S, amountMsat: msat(amount), reason: 'receive' });

/** A session that received 1,000, of which 300 are set aside and 200 were set aside and posted. */
function prepared(): Memory {
  const ledger = new Memory();
  assert.equal(ledger.post(receive('in', 1000n)), 'ok');
  assert.equal(ledger.post(transfer('p', { kind: 'pending', amountMsat: msat(300) })), 'ok');
  assert.equal(ledger.post(transfer('q', { kind: 'pending', amountMsat: msat(200) })), 'ok');
  const q = { pendingId: 'q', amountMsat: msat(200) };
  assert.equal(ledger.post(transfer('q-post', { kind: 'post', ...q })), 'ok');
  assert.equal(ledger.post(transfer('v', { kind: 'pending' })), 'ok');
  assert.equal(ledger.post(transfer('v-void', { kind: 'void', pendingId: 'v' })), 'ok');
  return ledger;
}

test('each refusal, in order of precedence', () => {
  const unknown = sessionAccount('22'.repeat(16));
  const post = { kind: 'post', pendingId: 'p' } as const;
  const table: readonly (readonly [refusal: string, transfer: Transfer])[] = [
    ['id_invalid', transfer('')],
    ['id_invalid', transfer('a b')],
    ['id_invalid', transfer('x'.repeat(101))],
    ['exists_with_different_kind', transfer('p', { amountMsat: msat(1) })],
    ['exists_with_different_pending_id', transfer('v-void', { kind: 'void', pendingId: 'p' })],
    ['exists_with_different_debit', transfer('p', { kind: 'pending', debit: 'received' })],
    ['exists_with_different_credit', transfer('p', { kind: 'pending', credit: 'served' })],
    ['exists_with_different_amount', transfer('p', { kind: 'pending' })],
    [
      'exists_with_different_reason',
      transfer('p', { kind: 'pending', amountMsat: msat(300), reason: 'expire' }),
    ],
    // The time is not compared: a repeat may be made later.
    ['exists', transfer('p', { kind: 'pending', amountMsat: msat(300), atMs: unixMs(99) })],
    ['amount_zero', transfer('n', { amountMsat: msat(0), credit: S })],
    ['accounts_same', transfer('n', { credit: S })],
    ['pending_id_unexpected', transfer('n', { pendingId: 'p' })],
    ['pending_id_missing', transfer('n', { kind: 'post' })],
    ['pending_unknown', transfer('n', { kind: 'post', pendingId: 'x' })],
    ['pending_not_pending', transfer('n', { kind: 'post', pendingId: 'in' })],
    ['pending_has_different_accounts', transfer('n', { ...post, credit: 'served' })],
    ['pending_already_posted', transfer('n', { kind: 'post', pendingId: 'q' })],
    ['pending_already_voided', transfer('n', { kind: 'post', pendingId: 'v' })],
    ['exceeds_pending_amount', transfer('n', { ...post, amountMsat: msat(301) })],
    ['pending_has_different_amount', transfer('n', { kind: 'void', pendingId: 'p' })],
    ['debit_account_unknown', transfer('n', { debit: unknown })],
    ['credit_account_unknown', transfer('n', { credit: unknown })],
    ['overflow', receive('n', MAX_MSAT)],
    ['overdraft', transfer('n', { amountMsat: msat(501) })],
  ];
  const ledger = prepared();
  for (const [refusal, refused] of table) {
    const result = evaluateTransfer(ledger, refused);
    assert.equal(result.ok ? 'ok' : result.code, refusal);
  }
  assert.deepEqual([...new Set(table.map(([refusal]) => refusal))], [...TRANSFER_REFUSALS]);
});

test('what is left can be moved to the last millisatoshi', () => {
  assert.equal(prepared().post(transfer('n', { amountMsat: msat(500) })), 'ok');
});

test('what calls hold cannot be moved', () => {
  const ledger = prepared();
  ledger.accounts.set(S, { ...(ledger.account(S) ?? ZERO), heldMsat: msat(1) });
  assert.equal(ledger.post(transfer('n', { amountMsat: msat(500) })), '0 overdraft');
});

test('posting less than was pending returns the rest', () => {
  const ledger = prepared();
  const less = { kind: 'post', pendingId: 'p', amountMsat: msat(250) } as const;
  assert.equal(ledger.post(transfer('p-post', less)), 'ok');
  const { debitsPendingMsat, debitsPostedMsat } = ledger.account(S) ?? ZERO;
  assert.deepEqual([debitsPendingMsat, debitsPostedMsat], [0n, 450n]);
});

test('a group is written whole or not at all', () => {
  const ledger = prepared();
  const half = transfer('a', { amountMsat: msat(300) });
  const before = [...ledger.accounts];
  assert.equal(ledger.post(half, { ...half, id: 'b' }), '1 overdraft');
  assert.deepEqual([...ledger.accounts], before);
  assert.equal(ledger.transfer('a'), undefined);
});

test('a group sees its own transfers', () => {
  const ledger = new Memory();
  const pending = transfer('a', { kind: 'pending' });
  const post = transfer('b', { kind: 'post', pendingId: 'a' });
  assert.equal(ledger.post(receive('in', 100n), pending, post), 'ok');
  assert.equal(ledger.post(receive('in2', 100n), receive('in2', 100n)), '1 exists');
});
