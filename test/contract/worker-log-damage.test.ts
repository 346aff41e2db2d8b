/**
 * What a crash leaves of a worker's log, and what can be wrong with its file. A copy of the files
 * of an open store and an open log is what a crash leaves.
 * @module
 */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { faultCode } from './store-fixtures.ts';
import {
  LaneWorker,
  crash,
  logFiles,
  openIn,
  openWorld,
  versionsIn,
} from './worker-log-fixtures.ts';

const PAGE = 4096;
const LOG = 'host.db-lanes-1';

function edit(dir: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(join(dir, LOG));
  change(bytes);
  writeFileSync(join(dir, LOG), bytes);
}

test('a crash at each byte of the last block leaves what was before it', async (t) => {
  const { store, dir } = await openWorld(t, 2);
  const worker = await LaneWorker.begin(store, [0, 1]);
  await worker.spend([0]);
  await worker.spend([0, 1]);
  const before = crash(t, dir);
  assert.deepEqual(await versionsIn(before), [2, 1]);
  await worker.spend([0]);
  const at = 3 * PAGE;
  const whole = readFileSync(join(dir, LOG)).subarray(at, at + 36 + 72);
  for (let kept = 0; kept < whole.length; kept += 3) {
    const torn = crash(t, dir);
    const fill = [0, 0xff, 0x41][(kept / 3) % 3] ?? 0;
    // A last byte that is the same anyway is no damage.
    const differs = whole.subarray(kept).some((byte) => byte !== fill);
    edit(torn, (bytes) => bytes.fill(fill, at + kept, at + PAGE));
    assert.deepEqual(await versionsIn(torn), [differs ? 2 : 3, 1], `${kept} bytes`);
    assert.deepEqual(logFiles(torn), []);
  }
  await worker.log.close();
});

test('a damaged block with others behind it is found, unless it was folded', async (t) => {
  const { store, dir } = await openWorld(t, 1);
  const worker = await LaneWorker.begin(store, [0]);
  for (let i = 0; i < 4; i++) await worker.spend([0]);
  const damage = (into: string): void => edit(into, (bytes) => bytes.fill(7, 2 * PAGE, 3 * PAGE));
  const found = crash(t, dir);
  damage(found);
  await assert.rejects(openIn(found), faultCode('STORE_CORRUPT'));
  assert.ok(existsSync(join(found, LOG)), 'it stays');
  await worker.log.flush();
  await worker.spend([0]);
  const folded = crash(t, dir);
  damage(folded);
  assert.deepEqual(await versionsIn(folded), [5]);
  await worker.log.close();
});

test('a log that is missing, cut or without its head is reported', async (t) => {
  const { store, dir } = await openWorld(t, 1);
  const worker = await LaneWorker.begin(store, [0]);
  await worker.spend([0]);
  const changes: readonly ((log: string) => void)[] = [
    (log) => rmSync(log),
    (log) => truncateSync(log, 0),
    (log) => truncateSync(log, 2 * PAGE),
    (log) => writeFileSync(log, readFileSync(log).fill(0, 0, 10)),
    (log) => writeFileSync(log, readFileSync(log).fill(9, 16, 20)),
  ];
  for (const change of changes) {
    const found = crash(t, dir);
    change(join(found, LOG));
    await assert.rejects(openIn(found), faultCode('STORE_CORRUPT'));
  }
  await worker.log.close();
  rmSync(join(dir, LOG));
  assert.match((await store.audit()).join(), /the log of worker 1 is missing/);
});

test('a log of another store, or of another time, is not read', async (t) => {
  const { store, dir } = await openWorld(t, 1);
  const worker = await LaneWorker.begin(store, [0]);
  const early = crash(t, dir);
  await worker.spend([0]);
  const late = crash(t, dir);
  await worker.log.flush();
  const folded = crash(t, dir);
  copyFileSync(join(early, LOG), join(folded, LOG));
  await assert.rejects(openIn(folded), faultCode('STORE_CORRUPT'), 'an older log');
  const other = await openWorld(t, 1);
  copyFileSync(join(late, LOG), join(other.dir, LOG));
  await assert.rejects(other.store.openLaneLog(1), faultCode('STORE_CORRUPT'), 'of another store');
  assert.ok(existsSync(join(other.dir, LOG)), 'it stays');
  await worker.log.close();
});

test('what is left of a log when a close or an open was cut is no loss', async (t) => {
  const { store, dir } = await openWorld(t, 1);
  const worker = await LaneWorker.begin(store, [0]);
  await worker.spend([0]);
  await worker.log.close();
  const log = readFileSync(join(dir, LOG));
  await store.closeLaneLog(1);
  // The rows say that it is closed; its file was not removed.
  writeFileSync(join(dir, LOG), log);
  const left = crash(t, dir);
  assert.deepEqual(await versionsIn(left), [1]);
  assert.deepEqual(logFiles(left), []);
  const next = await LaneWorker.begin(store, [0]);
  await next.spend([0]);
  assert.deepEqual(await versionsIn(crash(t, dir)), [2]);
  await next.log.close();
  await store.closeLaneLog(1);
  // The file was begun, and not made to the end.
  writeFileSync(join(dir, LOG), new Uint8Array(3 * PAGE));
  assert.deepEqual(await versionsIn(crash(t, dir)), [2]);
  await store.openLaneLog(1);
});
