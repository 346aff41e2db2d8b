/**
 * What a crash leaves of a spend log, and what can be wrong with its file. A copy of the files of
 * an open store is what a crash leaves.
 * @module
 */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openHostStore, type HostStore } from '../../src/port/store/index.ts';
import { openLanes, spend } from './lanes-fixtures.ts';
import { calls, directory, entry, faultCode, hex, receive, terms } from './store-fixtures.ts';

const PAGE = 4096;
const SESSION = hex(1, 16);
const FILES = ['host.db', 'host.db-wal', 'host.db-spend'];

interface Crash {
  readonly dir: string;
  readonly log: string;
  open(): Promise<HostStore>;
}

/** A store with two lanes, whose images so far are in its log alone. */
async function openWorld(t: TestContext, spendLogBytes = 65_536, maxPages?: number) {
  const dir = directory(t);
  const limit = maxPages === undefined ? {} : { maxPages };
  const options = { file: join(dir, 'host.db'), thread: false, spendLogBytes, ...limit };
  const store = await openHostStore(options);
  await openLanes(store, 1, 2);
  t.after(() => store.close().catch(() => undefined));
  return { store, dir };
}

/** The files as they are now, elsewhere: as after a crash. */
function crash(t: TestContext, from: string): Crash {
  const dir = directory(t);
  for (const name of FILES) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(dir, name));
  }
  const open = () => openHostStore({ file: join(dir, 'host.db'), thread: false });
  return { dir, log: join(dir, 'host.db-spend'), open };
}

/** What lane 0 has after a crash, and that all rules hold. */
async function afterCrash(found: Crash): Promise<{ version: number; spent: number }> {
  const store = await found.open();
  try {
    assert.deepEqual(await store.audit(), []);
    const [lane] = await store.lanesOf(SESSION);
    return { version: lane?.version ?? -1, spent: lane?.spent ?? -1 };
  } finally {
    await store.close();
  }
}

function edit(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file);
  change(bytes);
  writeFileSync(file, bytes);
}

/** Commits images of lane 0, one by one, from version `from` on. */
async function spendOn(store: HostStore, from: number, count: number): Promise<void> {
  for (let version = from; version < from + count; version++) {
    const units = Math.min(version + 1, 50);
    assert.deepEqual(await spend(store, { version, index: units, spent: units }), ['ok']);
  }
}

test('what was acknowledged is there after a crash, and the log is gone', async (t) => {
  const { store, dir } = await openWorld(t);
  await spendOn(store, 0, 3);
  const image = { session: SESSION, version: 2n, calls: calls(2, entry(0n), entry(1n)) };
  assert.equal((await store.commit([{ images: [image] }]))[0]?.code, 'ok');
  const found = crash(t, dir);
  const again = await found.open();
  assert.equal(existsSync(found.log), false);
  assert.deepEqual((await again.session(SESSION))?.calls, image.calls);
  assert.deepEqual(await again.lanesOf(SESSION), await store.lanesOf(SESSION));
  assert.deepEqual(await again.sheet(), await store.sheet());
  assert.deepEqual(await again.audit(), []);
  await again.close();
});

test('a crash at each byte of the last block leaves what was before it', async (t) => {
  const { store, dir } = await openWorld(t);
  await spendOn(store, 0, 2);
  // Block 3 is on the third page of the first half.
  const at = 3 * PAGE;
  await spendOn(store, 2, 1);
  const length = 36 + 72;
  const { log, ...rest } = crash(t, dir);
  const whole = readFileSync(log);
  assert.deepEqual(await afterCrash({ log, ...rest }), { version: 3, spent: 3 });
  for (let kept = 0; kept < length; kept++) {
    const torn = crash(t, dir);
    const fill = [0, 0xff, 0x41][kept % 3] ?? 0;
    // A last byte that is the same anyway is no damage.
    const differs = whole.subarray(at + kept, at + length).some((byte) => byte !== fill);
    edit(torn.log, (bytes) => bytes.fill(fill, at + kept, at + PAGE));
    const spent = differs ? 2 : 3;
    assert.deepEqual(await afterCrash(torn), { version: spent, spent }, `${kept} bytes`);
  }
});

test('a damaged block with others behind it is found', async (t) => {
  const { store, dir } = await openWorld(t);
  await spendOn(store, 0, 4);
  for (const block of [1, 2, 3]) {
    for (const byte of [0, 17, 24, 28, 33, 36, 60, 107]) {
      const found = crash(t, dir);
      edit(found.log, (bytes) => {
        const at = block * PAGE + byte;
        bytes[at] = (bytes[at] ?? 0) ^ 1;
      });
      await assert.rejects(found.open(), faultCode('STORE_CORRUPT'), `${block}: ${byte}`);
    }
    const zeroed = crash(t, dir);
    edit(zeroed.log, (bytes) => bytes.fill(0, block * PAGE, (block + 1) * PAGE));
    await assert.rejects(zeroed.open(), faultCode('STORE_CORRUPT'));
  }
});

test('a log that is missing, cut or without its head is reported', async (t) => {
  const { store, dir } = await openWorld(t);
  await spendOn(store, 0, 2);
  const changes: readonly ((log: string) => void)[] = [
    (log) => rmSync(log),
    (log) => truncateSync(log, 0),
    (log) => truncateSync(log, 2 * PAGE),
    (log) => edit(log, (bytes) => bytes.fill(0, 0, 10)),
    (log) => edit(log, (bytes) => bytes.fill(0, 36, 40)),
  ];
  for (const change of changes) {
    const found = crash(t, dir);
    change(found.log);
    await assert.rejects(found.open(), faultCode('STORE_CORRUPT'));
  }
});

test('a log is not read into another store, nor into this one of another time', async (t) => {
  const { store, dir } = await openWorld(t);
  const early = crash(t, dir);
  await spendOn(store, 0, 2);
  const late = crash(t, dir);
  const backup = directory(t);
  await store.backup(join(backup, 'host.db'));
  const other = await openWorld(t);
  await spendOn(other.store, 0, 1);
  const foreign = crash(t, other.dir);
  for (const target of [join(backup, 'x'), join(foreign.dir, 'x'), join(early.dir, 'x')]) {
    const log = join(target, '..', 'host.db-spend');
    copyFileSync(late.log, log);
    const opening = openHostStore({ file: join(target, '..', 'host.db'), thread: false });
    await assert.rejects(opening, faultCode('STORE_CORRUPT'), target);
  }
  rmSync(join(backup, 'host.db-spend'));
  const restored = await openHostStore({ file: join(backup, 'host.db'), thread: false });
  assert.deepEqual(await restored.lanesOf(SESSION), await store.lanesOf(SESSION));
  await spendOn(restored, 2, 1);
  await restored.close();
});

test('a log goes round many times, and holds at each moment what is needed', async (t) => {
  const { store, dir } = await openWorld(t);
  const log = join(dir, 'host.db-spend');
  for (let round = 0; round < 12; round++) {
    await spendOn(store, 5 * round, 5);
    assert.equal(statSync(log).size, 65_536 + PAGE);
    const units = Math.min(5 * (round + 1), 50);
    assert.deepEqual(await afterCrash(crash(t, dir)), { version: 5 * (round + 1), spent: units });
  }
  const [, other] = await store.lanesOf(SESSION);
  assert.equal(other?.version, 0);
});

test('a damaged block that is folded already is no loss', async (t) => {
  const { store, dir } = await openWorld(t);
  await spendOn(store, 0, 3);
  await store.sheet();
  await spendOn(store, 3, 1);
  const found = crash(t, dir);
  edit(found.log, (bytes) => bytes.fill(7, PAGE, 3 * PAGE));
  assert.deepEqual(await afterCrash(found), { version: 4, spent: 4 });
});

test('a full disk loses nothing that was acknowledged', async (t) => {
  const { store, dir } = await openWorld(t, 262_144, 120);
  for (let s = 2; s < 10; s++) await openLanes(store, s, 6);
  const fill = async (): Promise<never> => {
    for (let s = 100; ; s++) {
      await store.commit([{ open: terms(s, { reply: new Uint8Array(3000) }) }]);
    }
  };
  await assert.rejects(fill(), faultCode('STORE_FULL'));
  const entries = Array.from({ length: 40 }, (_, n) => n);
  let acknowledged = 0;
  const go = async (): Promise<never> => {
    for (; ; acknowledged++) {
      const image = { version: acknowledged, index: 50, spent: 50, entries };
      const all = Array.from({ length: 48 }, (_, i) => ({
        ...image,
        s: 2 + Math.floor(i / 6),
        place: i % 6,
      }));
      await spend(store, ...all);
    }
  };
  // The log has its place; what stops it is that a full half cannot be folded.
  await assert.rejects(go(), faultCode('STORE_FULL'));
  assert.ok(acknowledged > 1);
  const again = await crash(t, dir).open();
  for (let s = 2; s < 10; s++) {
    for (const { version } of await again.lanesOf(hex(s, 16))) {
      assert.ok(version === acknowledged || version === acknowledged + 1);
    }
  }
  assert.deepEqual(await again.audit(), []);
  await again.close();
});

test('without room for the log nothing is acknowledged', async (t) => {
  const { store, dir } = await openWorld(t);
  symlinkSync('/dev/full', join(dir, 'host.db-spend'));
  await assert.rejects(spend(store, { index: 1 }), faultCode('STORE_FULL'));
  assert.equal((await store.lanesOf(SESSION))[0]?.version, 0);
  assert.deepEqual(await spend(store, { index: 1 }), ['ok'], 'once there is room');
});

test('calls with effect once are in the database, not in the log', async (t) => {
  const { store, dir } = await openWorld(t);
  const log = join(dir, 'host.db-spend');
  const started = entry(0n, { kind: 'started', effect: 'once' });
  const image = { session: SESSION, version: 2n, calls: calls(0, started) };
  assert.equal((await store.commit([{ images: [image] }]))[0]?.code, 'ok');
  assert.equal(existsSync(log), false);
  const done = { ...image, version: 3n, calls: calls(1, entry(1n)) };
  assert.equal((await store.commit([{ images: [done] }]))[0]?.code, 'ok');
  assert.equal(existsSync(log), true);
  const more = { ...image, version: 4n, calls: calls(1, entry(1n), { ...started, n: 2n }) };
  assert.equal((await store.commit([{ images: [more] }]))[0]?.code, 'ok');
  assert.equal((await store.startedSessions()).length, 1);
  const again = await crash(t, dir).open();
  assert.deepEqual((await again.session(SESSION))?.calls, more.calls);
  await again.close();
});

test('only the owner can read the log, and a store that was closed has none', async (t) => {
  const { store, dir } = await openWorld(t);
  await spendOn(store, 0, 1);
  assert.equal(statSync(join(dir, 'host.db-spend')).mode & 0o777, 0o600);
  await store.close();
  assert.equal(existsSync(join(dir, 'host.db-spend')), false);
  const again = await openHostStore({ file: join(dir, 'host.db'), thread: false, spendLog: false });
  assert.equal((await again.lanesOf(SESSION))[0]?.version, 1);
  await spendOn(again, 1, 1);
  assert.equal(existsSync(join(dir, 'host.db-spend')), false);
  await again.commit([{ transfers: [{ ...receive(1, 1n), id: 'x' }] }]);
  await again.close();
});
