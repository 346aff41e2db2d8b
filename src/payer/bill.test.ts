/**
 * Waiting for a payment that somebody else makes, on virtual time.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../base/fault/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import { awaitArrival, type Arrival } from './bill.ts';
import { BILL_GRACE_MS, BILL_POLL_MS } from './limits.ts';

/** A clock on which only sleep passes time. */
class NightClock implements Clock {
  #nowMs = 0;
  now = (): ReturnType<Clock['now']> => unixMs(this.#nowMs);
  monotonicMs = (): number => this.#nowMs;
  sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    this.#nowMs += ms;
    return Promise.resolve();
  };
  timer = (): (() => void) => () => undefined;
}

/** Waits for an invoice that is good for ten seconds; when the money is seen, and how it ended. */
async function wait(
  isPaid: (nowMs: number) => boolean,
  more: { once?: boolean; signal?: AbortSignal } = {},
): Promise<[Arrival, number]> {
  const clock = new NightClock();
  const ask = async (): Promise<boolean> => isPaid(clock.now());
  const ended = await awaitArrival(ask, { clock, payByMs: 10_000, once: false, ...more });
  return [ended, clock.now()];
}

test('it ends when the money is there, or once it can come no more', async () => {
  assert.deepEqual(await wait((now) => now >= 3 * BILL_POLL_MS), ['paid', 3 * BILL_POLL_MS]);
  assert.deepEqual(await wait((now) => now > 12_000), ['paid', 13_000]);
  assert.deepEqual(await wait(() => false), ['expired', 10_000 + BILL_GRACE_MS]);
});

test('a host that does not answer leaves it open, never expired', async () => {
  const silent = (): never => {
    throw new Fault('HOST_UNREACHABLE');
  };
  assert.deepEqual(await wait(silent), ['open', 10_000 + BILL_GRACE_MS]);
  const back = (now: number): boolean => (now < 5_000 ? silent() : true);
  assert.deepEqual(await wait(back), ['paid', 5_000]);
});

test('asked once, or stopped, it waits for nobody', async () => {
  assert.deepEqual(await wait(() => false, { once: true }), ['open', 0]);
  assert.deepEqual(await wait(() => false, { signal: AbortSignal.abort() }), ['open', 0]);
});

test('a defect is no answer', async () => {
  const broken = (): never => {
    throw new TypeError('a defect');
  };
  await assert.rejects(wait(broken), TypeError);
});
