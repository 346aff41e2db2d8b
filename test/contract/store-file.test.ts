/**
 * What can be wrong with the file of a store.
 * @module
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openHostStore, openPayerStore } from '../../src/port/store/index.ts';
import { calls, directory, entry, faultCode, hex, receive, terms } from './store-fixtures.ts';

for (const thread of [false, true]) {
  const name = thread ? 'thread' : 'in process';

  test(`${name}: a second process is refused while the first one has the file`, async (t) => {
    const file = join(directory(t), 'host.db');
    const child = fork(new URL('./hold-store.ts', import.meta.url), [file], { stdio: 'inherit' });
    const exit = once(child, 'exit');
    await once(child, 'message');
    await assert.rejects(openHostStore({ file, thread }), faultCode('STORE_OWNED'));
    child.kill('SIGKILL');
    await exit;
    // What the killed process had committed is there.
    const store = await openHostStore({ file, thread });
    assert.equal((await store.session(hex(1, 16)))?.terms.service, 'quotes');
    assert.deepEqual(await store.audit(), []);
    await store.close();
  });

  test(`${name}: a full disk is reported and loses nothing`, async (t) => {
    const file = join(directory(t), 'host.db');
    const store = await openHostStore({ file, thread, maxPages: 60 });
    let opened = 0;
    const fill = async (): Promise<never> => {
      for (;;) {
        await store.commit([{ open: terms(opened, { reply: new Uint8Array(4000) }) }]);
        opened++;
      }
    };
    await assert.rejects(fill(), faultCode('STORE_FULL'));
    await store.close();
    const again = await openHostStore({ file, thread });
    assert.equal((await again.sessionsAfter(0n, 1000)).rows.length, opened);
    assert.deepEqual(await again.audit(), []);
    await again.close();
  });

  test(`${name}: a file that is none of ours is refused`, async (t) => {
    const dir = directory(t);
    const [garbage, payer, newer, foreign] = ['garbage', 'payer', 'newer', 'foreign'].map((file) =>
      join(dir, file),
    ) as [string, string, string, string];
    writeFileSync(garbage, 'not a database, but long enough to look like one '.repeat(100));
    await (await openPayerStore({ file: payer })).close();
    await (await openHostStore({ file: newer, thread: false })).close();
    change(newer, 'PRAGMA user_version = 99');
    change(foreign, 'CREATE TABLE x (y)');
    await assert.rejects(openHostStore({ file: garbage, thread }), faultCode('STORE_CORRUPT'));
    await assert.rejects(openHostStore({ file: payer, thread }), faultCode('STORE_CORRUPT'));
    await assert.rejects(openHostStore({ file: newer, thread }), faultCode('STORE_NEWER'));
    await assert.rejects(openHostStore({ file: foreign, thread }), faultCode('STORE_CORRUPT'));
  });

  test(`${name}: a place that cannot be written is refused`, async (t) => {
    const dir = directory(t);
    writeFileSync(join(dir, 'file'), '');
    for (const file of [join(dir, 'file', 'host.db'), dir]) {
      await assert.rejects(openHostStore({ file, thread }), faultCode('STORE_READONLY'));
    }
  });
}

test('a directory without write permission is refused', async (t) => {
  const dir = directory(t);
  chmodSync(dir, 0o555);
  const file = join(dir, 'host.db');
  // Root may write everywhere, so it is nobody for a while.
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid?.(65534);
  try {
    await assert.rejects(openHostStore({ file, thread: false }), faultCode('STORE_READONLY'));
  } finally {
    if (root) process.seteuid?.(0);
  }
});

test('only the owner can read the files', async (t) => {
  const dir = join(directory(t), 'made', 'here');
  const file = join(dir, 'host.db');
  const store = await openHostStore({ file, thread: true });
  await store.commit([{ open: terms(1) }]);
  const mode = (path: string): number => statSync(path).mode & 0o777;
  assert.deepEqual([dir, file, `${file}-wal`].map(mode), [0o700, 0o600, 0o600]);
  await store.close();
});

test('a cut file is found out', async (t) => {
  const file = join(directory(t), 'host.db');
  const store = await openHostStore({ file, thread: false });
  for (let s = 0; s < 50; s++) {
    await store.commit([{ open: terms(s, { reply: new Uint8Array(4000) }) }]);
  }
  await store.close();
  truncateSync(file, readFileSync(file).length / 2);
  const look = async (): Promise<void> => {
    const cut = await openHostStore({ file, thread: false });
    for (let s = 0; s < 50; s++) await cut.session(hex(s, 16));
  };
  await assert.rejects(look(), faultCode('STORE_CORRUPT'));
});

test('the audit finds every counter that was tampered with', async (t) => {
  const tampering = [
    'UPDATE account SET credits_posted = credits_posted + 1 WHERE id = "unattributed"',
    'UPDATE account SET debits_posted = debits_posted - 1 WHERE id = "received"',
    'UPDATE session_numbers SET credits_posted = credits_posted + 1',
    'UPDATE session_numbers SET charged_msat = charged_msat - 1',
    'UPDATE session_numbers SET charged_calls = 99',
    'UPDATE session_numbers SET folded_msat = folded_msat + 1',
    'UPDATE session_numbers SET started_msat = 1',
    'UPDATE transfer SET amount_msat = amount_msat - 1',
    'DELETE FROM transfer',
    'DELETE FROM session_numbers',
    "INSERT INTO account (id) VALUES ('mine')",
  ];
  for (const sql of tampering) {
    const file = join(directory(t), 'host.db');
    const store = await openHostStore({ file, thread: false });
    const image = { session: hex(1, 16), version: 2n, calls: calls(2, entry(0n), entry(1n)) };
    const groups = [{ open: terms(1) }, { transfers: [receive(1, 1000n)] }, { images: [image] }];
    await store.commit(groups);
    assert.deepEqual(await store.audit(), []);
    await store.close();
    change(file, sql.replaceAll('"', "'"));
    const tampered = await openHostStore({ file, thread: false });
    assert.notDeepEqual(await tampered.audit(), [], sql);
    await tampered.close();
  }
});

test('the file is in write-ahead mode', async (t) => {
  const file = join(directory(t), 'host.db');
  await (await openHostStore({ file, thread: false })).close();
  const db = new DatabaseSync(file);
  assert.equal(db.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'wal');
  db.close();
});

function change(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec('PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF');
  db.exec(sql);
  db.close();
}
