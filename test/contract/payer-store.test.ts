/**
 * The contract of a payer's store, which several processes share.
 * @module
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { msat } from '../../src/base/money/index.ts';
import { unixMs } from '../../src/base/time/index.ts';
import { openPayerStore, type NewPurchase, type PayerStore } from '../../src/port/store/index.ts';
import { directory, faultCode, hex } from './store-fixtures.ts';

const S = hex(1, 16);
const one = Uint8Array.of(1);
const two = Uint8Array.of(2);
const purchase: NewPurchase = {
  id: hex(7, 16),
  host: 'http://host',
  service: 'quotes',
  amountMsat: msat(0),
  madeAtMs: unixMs(5),
  record: one,
};

function memory(): Promise<PayerStore> {
  return openPayerStore({ file: ':memory:' });
}

test('a purchase goes forward only, and only from the version that was seen', async () => {
  const store = await memory();
  const { id } = purchase;
  const made = { ...purchase, state: 'made', version: 1 };
  assert.deepEqual(await store.insertPurchase(purchase), { kind: 'ok', purchase: made });
  const repeated = await store.insertPurchase({ ...purchase, record: two });
  assert.deepEqual(repeated, { kind: 'exists', purchase: made });
  const change = { session: S, paymentHash: hex(3, 32), amountMsat: msat(9), record: two };
  const offered = { ...made, ...change, version: 2 };
  assert.deepEqual(await store.updatePurchase({ id, version: 1, ...change }), {
    kind: 'ok',
    purchase: offered,
  });
  const stale = await store.updatePurchase({ id, version: 1, state: 'failed' });
  assert.deepEqual(stale, { kind: 'stale', purchase: offered });
  await store.updatePurchase({ id, version: 2, state: 'paying' });
  const back = await store.updatePurchase({ id, version: 3, state: 'made' });
  assert.equal(back.kind, 'refused');
  const paid = await store.updatePurchase({ id, version: 3, state: 'paid' });
  assert.equal(paid.kind, 'ok');
  assert.equal((await store.updatePurchase({ id, version: 4, state: 'failed' })).kind, 'refused');
  assert.equal((await store.updatePurchase({ id: 'x', version: 1 })).kind, 'unknown');
  assert.equal((await store.purchaseBySession(S))?.id, id);
  assert.equal((await store.purchaseByPaymentHash(hex(3, 32)))?.state, 'paid');
  assert.equal((await store.purchases({ host: 'http://host', states: ['paid'] })).length, 1);
  assert.equal((await store.purchases({ service: 'other' })).length, 0);
  assert.equal((await store.purchases({ states: ['made'] })).length, 0);
});

test('a call is recorded once under its name', async () => {
  const store = await memory();
  const call = { session: S, callId: 'a', request: one };
  const recorded = { n: 0n, done: 0n, request: one };
  assert.deepEqual(await store.recordCall(call), { kind: 'recorded', ...recorded });
  assert.deepEqual(await store.recordCall(call), { kind: 'exists', ...recorded });
  assert.deepEqual(await store.recordCall({ ...call, request: two }), { kind: 'conflict' });
  await store.resolveCall(S, 'a', two);
  await store.resolveCall(S, 'a');
  assert.deepEqual(await store.recordCall(call), { kind: 'resolved', n: 0n, answer: two });
});

test('a call that was resolved without an answer leaves its name free', async () => {
  const store = await memory();
  await store.recordCall({ session: S, callId: 'a', request: one });
  await store.resolveCall(S, 'a');
  const again = await store.recordCall({ session: S, callId: 'a', request: two });
  assert.deepEqual(again, { kind: 'recorded', n: 1n, done: 1n, request: two });
});

test('done is the lowest unresolved number; at most 64 are open', async () => {
  const store = await memory();
  for (let i = 0; i < 64; i++) {
    const recorded = await store.recordCall({ session: S, callId: `c${i}`, request: one });
    assert.deepEqual(recorded, { kind: 'recorded', n: BigInt(i), done: 0n, request: one });
  }
  const next = { session: S, callId: 'next', request: one };
  assert.deepEqual(await store.recordCall(next), { kind: 'window', done: 0n });
  await store.resolveCall(S, 'c1', one);
  assert.deepEqual(await store.recordCall(next), { kind: 'window', done: 0n });
  await store.resolveCall(S, 'c0', one);
  const recorded = await store.recordCall(next);
  assert.deepEqual(recorded, { kind: 'recorded', n: 64n, done: 2n, request: one });
  const { done, calls } = await store.unresolvedCalls(S);
  assert.equal(done, 2n);
  assert.deepEqual(
    calls.map(({ n }) => n),
    Array.from({ length: 63 }, (_, i) => BigInt(i + 2)),
  );
});

test('a call has a name', async () => {
  const store = await memory();
  const call = { session: S, callId: '', request: one };
  await assert.rejects(store.recordCall(call), faultCode('BYTES_LENGTH'));
});

test('the answer of a call is read under its name, once it is resolved with one', async () => {
  const store = await memory();
  assert.equal(await store.answerOf(S, 'a'), undefined);
  await store.recordCall({ session: S, callId: 'a', request: one });
  assert.equal(await store.answerOf(S, 'a'), undefined);
  await store.resolveCall(S, 'a', two);
  assert.deepEqual(await store.answerOf(S, 'a'), two);
  assert.equal(await store.answerOf(hex(9, 16), 'a'), undefined);
});

test('of resolved calls the last 1,024 are kept', async () => {
  const store = await memory();
  for (let i = 0; i < 1030; i++) {
    await store.recordCall({ session: S, callId: `c${i}`, request: one });
    await store.resolveCall(S, `c${i}`, one);
  }
  const kind = async (callId: string): Promise<string> =>
    (await store.recordCall({ session: S, callId, request: one })).kind;
  assert.equal(await kind('c1029'), 'resolved');
  assert.equal(await kind('c6'), 'resolved');
  assert.equal(await kind('c5'), 'recorded');
});

test('a host is pinned at first use', async () => {
  const store = await memory();
  const pin = { host: 'h', fingerprint: hex(1, 32), pinnedAtMs: unixMs(5) };
  const other = { ...pin, fingerprint: hex(2, 32) };
  const { fingerprint } = pin;
  assert.equal(await store.pinned('h'), undefined);
  assert.deepEqual(await store.pin(pin), { first: true, fingerprint });
  assert.deepEqual(await store.pin(other), { first: false, fingerprint });
  assert.equal(await store.repin(other, other.fingerprint), 'stale');
  assert.equal(await store.repin(other, fingerprint), 'ok');
  assert.deepEqual(await store.pins(), [other]);
});

test('processes of one profile never take the same number', async (t) => {
  const file = join(directory(t), 'payer.db');
  const module = new URL('./take-numbers.ts', import.meta.url);
  const taken = await Promise.all(
    [1, 2, 3].map(async (id) => {
      const child = fork(module, [file, String(id)], { stdio: 'inherit' });
      const exit = once(child, 'exit');
      const [numbers] = (await once(child, 'message')) as [string[]];
      assert.deepEqual(await exit, [0, null]);
      return numbers;
    }),
  );
  const all = taken.flat();
  assert.equal(all.length, 90);
  assert.equal(new Set(all).size, 90);
});

test('a refund is recorded once under its id and ends once', async () => {
  const store = await memory();
  const refund = {
    id: 'r',
    session: S,
    invoice: 'lnbc1',
    paymentHash: hex(4, 32),
    amountMsat: msat(5),
    askedAtMs: unixMs(6),
  };
  const asked = { ...refund, state: 'asked' };
  assert.equal(await store.refund('r'), undefined);
  assert.deepEqual(await store.insertRefund(refund), asked);
  assert.deepEqual(await store.insertRefund({ ...refund, invoice: 'lnbc2' }), asked);
  await assert.rejects(store.insertRefund({ ...refund, id: 'x'.repeat(65) }));
  const failed = { ...asked, state: 'failed', reason: 'PAYMENT_NO_ROUTE' };
  assert.deepEqual(await store.endRefund('r', 'failed', 'PAYMENT_NO_ROUTE'), failed);
  assert.deepEqual(await store.endRefund('r', 'refunded'), failed);
  assert.deepEqual(await store.refunds(S), [failed]);
  assert.deepEqual(await store.refunds(hex(2, 16)), []);
});
