/**
 * What a worker may hold is its share of what the host may.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '../../base/fault/index.ts';
import { msat } from '../../base/money/index.ts';
import { BOOKS_LIMITS } from '../../books/index.ts';
import { DOOR_LIMITS } from '../../door/http/index.ts';
import { HOST_LIMITS } from '../../host/index.ts';
import { workerShare } from './worker-share.ts';

test('all shares together are at most the whole; times and sizes stay', () => {
  const share = workerShare({ door: { connections: 100 }, host: { runningCalls: 10 } }, 3);
  assert.equal(share.door.connections, 33);
  assert.equal(share.door.connectionsPerAddress, Math.floor(DOOR_LIMITS.connectionsPerAddress / 3));
  assert.equal(share.host.runningCalls, 3);
  assert.equal(share.books.hotLanes, Math.floor(BOOKS_LIMITS.hotLanes / 3));
  assert.equal(share.books.budgetRuns, BOOKS_LIMITS.budgetRuns);
  assert.equal(share.host.bodyBytes, HOST_LIMITS.bodyBytes);
  assert.equal(share.host.stopGraceMs, HOST_LIMITS.stopGraceMs);
  assert.deepEqual(share.books.durability, { kind: 'commit' });
});

test('a share is never nothing, and one request always fits', () => {
  const door = { connections: 1, connectionsPerAddress: 1, parkedBytes: 1024 };
  const share = workerShare({ door, host: { bodyBytes: 1024, batchAnswerBytes: 2048 } }, 32);
  assert.deepEqual([share.door.connections, share.door.connectionsPerAddress], [1, 1]);
  assert.equal(share.door.parkedBytes, 1024);
  assert(share.door.parkedAnswerBytes >= 2048);
});

test('what a lazy host may forget is shared, down to 1 msat', () => {
  const lazy = (maxMsat: bigint) =>
    ({ books: { durability: { kind: 'lazy', maxMs: 5, maxMsat: msat(maxMsat) } } }) as const;
  assert.deepEqual(workerShare(lazy(1001n), 4).books.durability, {
    kind: 'lazy',
    maxMs: 5,
    maxMsat: 250n,
  });
  assert.throws(
    () => workerShare(lazy(3n), 4),
    (error) => isFault(error) && error.code === 'CONFIG_INVALID',
  );
});
