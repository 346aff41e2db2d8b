/**
 * The watch over payments knows when the wallet was there last.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/log/index.ts';
import { systemClock } from '../base/time/index.ts';
import type { Books } from '../books/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { PaymentWatch } from './payments.ts';

test('a wallet that does not answer for ten seconds is away, until it does', async () => {
  let nowMs = 0;
  let answer: () => Promise<[]> = async () => [];
  const watch = new PaymentWatch({
    wallet: { receivedAfter: () => answer() } as Partial<Wallet> as Wallet,
    books: { walletCursor: () => 0n } as Partial<Books> as Books,
    clock: { ...systemClock, monotonicMs: () => nowMs },
    log: silentLog,
    credited: () => undefined,
  });
  await watch.refresh();
  assert.equal(watch.walletAnswers, true);
  answer = () => Promise.reject(new Error('away'));
  nowMs = 9_999;
  await assert.rejects(watch.refresh());
  assert.equal(watch.walletAnswers, true);
  nowMs = 10_000;
  assert.equal(watch.walletAnswers, false);
  answer = async () => [];
  await watch.refresh();
  assert.equal(watch.walletAnswers, true);
});
