/**
 * The machine's clock: sleeps that can be ended, timers that fire once.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { MAX_WAIT_MS, formatTime, systemClock, unixMs } from './index.ts';

test('a moment is written as ISO 8601 in UTC', () => {
  assert.equal(formatTime(unixMs(0)), '1970-01-01T00:00:00.000Z');
  assert.equal(formatTime(unixMs(1_700_000_000_123)), '2023-11-14T22:13:20.123Z');
});

test('the monotonic time never goes back', () => {
  let last = systemClock.monotonicMs();
  for (let i = 0; i < 1000; i++) {
    const now = systemClock.monotonicMs();
    assert.ok(now >= last);
    last = now;
  }
});

test('a sleep ends by itself, and leaves no listener behind', async () => {
  const abort = new AbortController();
  await systemClock.sleep(0, abort.signal);
  abort.abort();
});

test('an abort ends a sleep with its reason, before it or in the middle of it', async () => {
  const reason = new Error('stop');
  const asleep = new AbortController();
  const sleeping = systemClock.sleep(MAX_WAIT_MS, asleep.signal);
  asleep.abort(reason);
  await assert.rejects(sleeping, reason);
  await assert.rejects(systemClock.sleep(MAX_WAIT_MS, AbortSignal.abort(reason)), reason);
});

test('a timer fires once; a cancelled one does not', async () => {
  const target = new EventTarget();
  const fired: string[] = [];
  const cancel = systemClock.timer(0, () => fired.push('cancelled'));
  cancel();
  cancel();
  const done = once(target, 'done');
  const keep = setInterval(() => undefined, MAX_WAIT_MS); // a timer keeps no process alive
  systemClock.timer(0, () => {
    fired.push('fired');
    target.dispatchEvent(new Event('done'));
  });
  await done;
  clearInterval(keep);
  assert.deepEqual(fired, ['fired']);
});

test('a wait that Node would cut short is a defect of the caller', async () => {
  for (const ms of [MAX_WAIT_MS + 1, Infinity, NaN]) {
    assert.throws(() => systemClock.timer(ms, () => undefined), assert.AssertionError);
    await assert.rejects(systemClock.sleep(ms), assert.AssertionError);
  }
});
