/**
 * Which process of a profile has a lane: as long as its lease, or as it lives.
 * @module
 */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { unixMs } from '../../src/base/time/index.ts';
import { openPayerStore, type PayerStore } from '../../src/port/store/index.ts';
import { directory, hex } from './store-fixtures.ts';

const LANE = hex(1, 16);
const UNTIL = unixMs(1_000_000);
const HELD = { kind: 'held', untilMs: UNTIL };

async function open(t: TestContext, file: string): Promise<PayerStore> {
  const store = await openPayerStore({ file });
  t.after(() => store.close());
  return store;
}

/** A process that has the lane until `UNTIL`, its numbers below 4,096 taken. */
async function holder(file: string): Promise<ChildProcess> {
  const child = fork(new URL('./hold-lane.ts', import.meta.url), [file], { stdio: 'inherit' });
  assert.deepEqual(await once(child, 'message'), ['ok', undefined]);
  return child;
}

function take(store: PayerStore, nowMs = 0, id = 3): ReturnType<PayerStore['takeLane']> {
  const lease = { lane: LANE, holder: hex(id, 16), untilMs: UNTIL };
  return store.takeLane({ ...lease, nowMs: unixMs(nowMs) });
}

test('a lane is held while its process lives, and free at once when it was killed', async (t) => {
  const file = join(directory(t), 'payer.db');
  const child = await holder(file);
  const store = await open(t, file);
  assert.deepEqual(await take(store), HELD);
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  assert.deepEqual(await exit, [null, 'SIGKILL']);
  assert.deepEqual(await take(store), { kind: 'ok', n: 4_096 });
});

test('a process that hangs has its lane until the lease ends', async (t) => {
  const file = join(directory(t), 'payer.db');
  const child = await holder(file);
  t.after(() => child.kill('SIGKILL'));
  const store = await open(t, file);
  child.kill('SIGSTOP');
  assert.deepEqual(await take(store, 999_999), HELD);
  assert.deepEqual(await take(store, 1_000_000), { kind: 'ok', n: 4_096 });
});

test('a process lives by whatever name its file is called', async (t) => {
  const file = join(directory(t), 'payer.db');
  const child = await holder(file);
  t.after(() => child.kill('SIGKILL'));
  const link = join(directory(t), 'link.db');
  symlinkSync(file, link);
  assert.deepEqual(await take(await open(t, link)), HELD);
});

test('of another machine nothing is known but the lease', async (t) => {
  const file = join(directory(t), 'payer.db');
  const store = await open(t, file);
  await take(store);
  const raw = new DatabaseSync(file);
  const others = ['no process named', `a@${'0'.repeat(16)}-b`];
  for (const other of others) {
    raw.prepare('UPDATE lane SET holder = ?').run(other);
    assert.deepEqual(await take(store), HELD);
  }
  raw.close();
});

test('two stores of one process are two users of the lane', async (t) => {
  const file = join(directory(t), 'payer.db');
  const [one, two] = [await openPayerStore({ file }), await open(t, file)];
  assert.equal((await take(one, 0, 4)).kind, 'ok');
  assert.equal((await take(one, 0, 5)).kind, 'held');
  assert.equal((await take(two, 0, 6)).kind, 'held');
  const child = fork(new URL('./hold-lane.ts', import.meta.url), [file], { stdio: 'inherit' });
  t.after(() => child.kill('SIGKILL'));
  assert.deepEqual(await once(child, 'message'), ['held', undefined], 'seen from outside');
  await one.close();
  assert.equal((await take(two, 0, 6)).kind, 'ok');
});

test('the files of killed processes go with the next one, whichever lane it takes', async (t) => {
  const file = join(directory(t), 'payer.db');
  const marks = (): number =>
    readdirSync(dirname(file)).filter((name) => name.includes('-process-')).length;
  const child = await holder(file);
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  assert.equal(marks(), 1);
  const store = await openPayerStore({ file });
  const lease = { lane: hex(9, 16), holder: hex(3, 16), untilMs: UNTIL };
  await store.takeLane({ ...lease, nowMs: unixMs(0) });
  assert.equal(marks(), 1, 'its own');
  await store.close();
  assert.equal(marks(), 0);
});
