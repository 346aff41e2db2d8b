/**
 * The drill: a backup while the host sells, a restore, an audit; and what is refused. Books of a
 * stopped host, of a damaged file, of one that is not ours.
 * @module
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { silentLog } from '../../src/base/log/index.ts';
import { unixMs, systemClock } from '../../src/base/time/index.ts';
import { openBooks, type Books } from '../../src/books/index.ts';
import { hostAdmin, openAdminDoor, type LineServer } from '../../src/door/admin/index.ts';
import { openHostKeys, rotateHostKeys } from '../../src/port/keys/index.ts';
import { openHostStore } from '../../src/port/store/index.ts';
import { hex, terms } from '../contract/store-fixtures.ts';
import { Home } from './cli.ts';

const home = new Home();
const dir = home.at('host');
let books: Books;
let door: LineServer;
let selling = true;
let sold = 0;
let sales: Promise<void>;

before(async () => {
  await openHostKeys(dir);
  const store = await openHostStore({ file: `${dir}/books.db`, thread: true });
  const [clock, log] = [systemClock, silentLog];
  books = await openBooks({ store, clock, log });
  door = await openAdminDoor(dir, hostAdmin({ store, sheet: () => books.sheet() }), silentLog);
  sales = sell();
});
after(async () => {
  selling = false;
  await sales;
  await door.close();
  await books.close();
  await home.leave();
});

/** Sells one session after the other, one call each, until it is told to stop. */
async function sell(): Promise<void> {
  while (selling) {
    const s = ++sold;
    const never = { payByMs: unixMs(9e15), expiresAtMs: unixMs(9e15) };
    const { totalMsat } = (await books.open(terms(s, never))).terms;
    const payment = { paymentHash: hex(s, 32), receivedMsat: totalMsat, paidAtMs: unixMs(1) };
    await books.received({ ...payment, cursor: BigInt(s) });
    const call = { n: 0n, done: 0n, digest: hex(1, 16) };
    const admission = await books.admit(hex(s, 16), call, 'none');
    assert.equal(admission.kind, 'run');
    await admission.charge(new Uint8Array(1));
  }
}

test('backup under load, restore, audit', async () => {
  const target = home.at('monday');
  const before = sold;
  const made = await home.runBeside('backup', dir, target, '--json');
  assert.equal(made.status, 0, made.stdout);
  assert.ok(sold > before, 'it sold meanwhile');
  const facts = JSON.parse(made.stdout) as Record<string, string>;
  assert.equal(facts['running'], true);
  assert.deepEqual(readdirSync(target).toSorted(), [
    'backup.json',
    'books.db',
    'host_key.pem',
    'receipt_key.pem',
  ]);
  for (const name of readdirSync(target)) {
    assert.equal(statSync(`${target}/${name}`).mode & 0o777, 0o600, name);
  }
  const restored = home.at('restored');
  const put = home.run('restore', target, restored);
  assert.match(put.stdout, /✔ audit +every rule holds/);
  const audit = home.json('books', '--dir', restored, '--check');
  assert.deepEqual([audit['problems'], audit['balanced'], audit['running']], [[], true, false]);
  assert.equal(audit['received_msat'], facts['received_msat']);
  const key = home.json('keys', 'show', restored)['host_key_fingerprint'];
  assert.equal(key, home.json('keys', 'show', dir)['host_key_fingerprint']);
  assert.ok(existsSync(`${restored}/host_pub.pem`));
});

test('nothing is overwritten, and a failed backup leaves nothing', async () => {
  const taken = home.at('taken');
  await openHostKeys(taken);
  for (const args of [
    ['backup', dir, taken],
    ['restore', home.at('monday'), taken],
  ]) {
    const run = await home.runBeside(...args);
    assert.equal(run.status, 2, run.stdout);
    assert.match(run.stderr, /not empty/);
  }
  const nowhere = await home.runBeside('backup', home.at('none'), home.at('new'));
  assert.equal(nowhere.status, 2);
  assert.deepEqual(
    readdirSync(home.dir).filter((name) => /^new|part$/.test(name)),
    [],
  );
});

test('keys that are rotated during a backup are no part of it: it is refused', async () => {
  const rotating = home.at('rotating');
  await openHostKeys(rotating);
  const store = await openHostStore({ file: `${rotating}/books.db`, thread: true });
  const rotate = { nowMs: systemClock.now(), overlapMs: 0, revoke: false };
  const backup = async (file: string): Promise<void> => {
    await rotateHostKeys(rotating, rotate);
    await store.backup(file);
  };
  const admin = { ...hostAdmin({ store }), backup };
  const rotatingDoor = await openAdminDoor(rotating, admin, silentLog);
  const run = await home.runBeside('backup', rotating, home.at('wednesday'));
  assert.equal(run.status, 2);
  assert.match(run.stderr, /rotated meanwhile[^]*again/);
  assert.equal(existsSync(home.at('wednesday')), false);
  await rotatingDoor.close();
  await store.close();
});

test('a backup that was changed or is none is not restored', async () => {
  const changed = home.at('tuesday');
  await home.runBeside('backup', dir, changed);
  writeFileSync(`${changed}/books.db`, 'x', { flag: 'r+' });
  const run = home.run('restore', changed, home.at('again'));
  assert.equal(run.status, 1);
  assert.match(run.stderr, /STORE_CORRUPT/);
  assert.equal(existsSync(home.at('again')), false);
  rmSync(`${changed}/backup.json`);
  assert.equal(home.run('restore', changed, home.at('again')).status, 2);
});

test('books of a damaged file, and of one that is no host store', () => {
  for (const [name, content] of [
    ['noise', 'x'.repeat(8192)],
    ['headed', `SQLite format 3\0${'x'.repeat(8192)}`],
  ] as const) {
    const broken = home.at(name);
    home.run('keys', 'make', broken);
    writeFileSync(`${broken}/books.db`, content);
    const run = home.run('books', '--dir', broken);
    assert.equal(run.status, 1, run.stdout);
    assert.match(run.stderr, /STORE_CORRUPT[^]*next: restore a backup/);
  }
});

test('a running host answers at its socket only', async () => {
  const run = await home.runBeside('books', '--dir', dir);
  assert.match(run.stdout, /asked the running host/);
  await door.close();
  const alone = await home.runBeside('books', '--dir', dir);
  assert.equal(alone.status, 1);
  assert.match(alone.stderr, /STORE_OWNED[^]*next: stop the process/);
});
