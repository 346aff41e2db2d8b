/**
 * Places for unpaid set-ups: per address, per payer and in all.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msat } from '../base/money/index.ts';
import { unixMs } from '../base/time/index.ts';
import { HOST_LIMITS } from './limits.ts';
import { UnpaidPlaces } from './unpaid-places.ts';

const limits = { ...HOST_LIMITS, unpaidSessions: 10, unpaidPerAddress: 2, unpaidPerPayer: 3 };
const at = unixMs;
const busy = { code: 'SETUP_BUSY' };
const invoice = (paymentHash: string) => ({ paymentHash, totalMsat: msat(10), endMs: at(50) });

test('an address has its places, whatever keys it shows', () => {
  const places = new UnpaidPlaces(limits);
  const ask = (payer: string, now = 0) => places.begin({ address: 'a', payer }, 0, at(now));
  const leave = ask('1');
  places.take({ address: 'a', payer: '2' }, invoice('hash'));
  assert.throws(() => ask('3'), busy);
  leave();
  ask('3')();
  ask('3');
  assert.throws(() => ask('4', 49), busy);
  ask('4', 50)();
});

test('a payer has its places, wherever it asks from, and a paid one is free again', () => {
  const places = new UnpaidPlaces(limits);
  const ask = (address: string) => places.begin({ address, payer: 'p' }, 0, at(0));
  for (const n of ['1', '2', '3']) places.take({ address: n, payer: 'p' }, invoice(n));
  assert.throws(() => ask('4'), busy);
  places.paid('2');
  places.paid('unknown');
  ask('4')();
});

test('all together have theirs', () => {
  const places = new UnpaidPlaces(limits);
  places.begin({ address: 'a', payer: 'p' }, 9, at(0))();
  assert.throws(() => places.begin({ address: 'a', payer: 'p' }, 10, at(0)), busy);
});

test('the unpaid orders of an address are a share of what the host wants to owe', () => {
  const places = new UnpaidPlaces(limits);
  const ask = (address: string, total: number) =>
    places.assertShare({ address, payer: 'p' }, msat(total), msat(320));
  ask('a', 300);
  places.take({ address: 'a', payer: 'p' }, invoice('1'));
  ask('a', 10);
  assert.throws(() => ask('a', 11), busy);
  ask('b', 300);
  places.paid('1');
  ask('a', 300);
});
