/**
 * The line protocol and the admin on top of it: types, refusals, ends.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Fault } from '../../base/fault/index.ts';
import { silentLog } from '../../base/log/index.ts';
import { openHostStore } from '../../port/store/index.ts';
import {
  connectAdmin,
  connectLine,
  hostAdmin,
  openAdminDoor,
  openLineServer,
  type LineMethods,
} from './index.ts';

const gone = (): Fault => new Fault('HOST_STOPPING');

function directory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-admin-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function serve(t: TestContext, methods: LineMethods): Promise<string> {
  const path = join(directory(t), 'a.sock');
  const server = await openLineServer(path, methods, silentLog);
  t.after(() => server.close());
  return path;
}

test('amounts keep their size, faults their code; nobody else may connect', async (t) => {
  const path = await serve(t, {
    echo: (value: unknown) => Promise.resolve(value),
    nothing: () => Promise.resolve(undefined),
    fail: () => Promise.reject(new Fault('PAYMENT_FEE', { fee: 'too high' })),
    defect: () => Promise.reject(new Error('a secret')),
  });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const line = await connectLine(path, gone);
  assert.ok(line);
  const value = { amountMsat: 2n ** 60n, cursor: 7n, name: '12', list: [{ onchainSat: 0n }] };
  assert.deepEqual(await line.ask('echo', value), value);
  assert.equal(await line.ask('nothing'), undefined);
  await assert.rejects(line.ask('fail'), { code: 'PAYMENT_FEE', facts: { fee: 'too high' } });
  await assert.rejects(line.ask('nope'), { code: 'REQUEST_UNKNOWN' });
  await assert.rejects(line.ask('constructor'), { code: 'REQUEST_UNKNOWN' });
  const defect = await line.ask('defect').catch((error: unknown) => error);
  assert.doesNotMatch(JSON.stringify(defect), /secret/);
  line.close();
});

test('garbage gets a refusal, an endless line the end', async (t) => {
  const path = await serve(t, {});
  const socket = connect(path);
  socket.write('{\n[]\n{"id":1,"method":2}\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /REQUEST_UNKNOWN/);
  socket.on('error', () => undefined);
  // Not `once`: that would fail with the error that the cut makes.
  const ended = new Promise((resolve) => socket.on('close', resolve));
  socket.write('x'.repeat(5_000_000));
  await ended;
});

test('what is asked when the other side ends is answered with its end', async (t) => {
  const path = join(directory(t), 'a.sock');
  let asked = (): void => undefined;
  const waiting = new Promise<void>((resolve) => (asked = resolve));
  const never = (): Promise<never> => (asked(), new Promise(() => undefined));
  const server = await openLineServer(path, { never }, silentLog);
  const line = await connectLine(path, gone);
  const answer = assert.rejects(line?.ask('never') ?? Promise.resolve(), {
    code: 'HOST_STOPPING',
  });
  await waiting;
  await server.close();
  await answer;
  await assert.rejects(line?.ask('never') ?? Promise.resolve(), { code: 'HOST_STOPPING' });
  assert.equal(await connectLine(path, gone), undefined);
});

test('who asks without reading is not read any more; few questions run at once', async (t) => {
  const open: (() => void)[] = [];
  let most = 0;
  const path = await serve(t, {
    wait: () =>
      new Promise((resolve) => {
        open.push(() => resolve(undefined));
        most = Math.max(most, open.length);
      }),
  });
  const line = await connectLine(path, gone);
  assert.ok(line);
  const asked = Array.from({ length: 100 }, () => line.ask('wait'));
  let answered = 0;
  for (const one of asked) void one.then(() => answered++);
  while (answered < 100) {
    for (const resolve of open.splice(0)) resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert(most <= 16, `${most} at once`);
  line.close();

  let made = 0;
  const big = (): Promise<string> => (made++, Promise.resolve('x'.repeat(1_000_000)));
  const greedy = connect(await serve(t, { big }));
  t.after(() => greedy.destroy());
  greedy.pause();
  const question = '{"id":1,"method":"big","params":[]}\n';
  await new Promise((resolve) => greedy.write(question.repeat(1000), resolve));
  let before = -1;
  while (made !== before) {
    before = made;
    for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  assert(made > 0 && made < 100, `${made} answers of 1 MB were made`);
});

test('a socket that a killed process left is replaced; a path too long is refused', async (t) => {
  const dir = directory(t);
  writeFileSync(join(dir, 'a.sock'), '');
  const server = await openLineServer(join(dir, 'a.sock'), {}, silentLog);
  await server.close();
  mkdirSync(join(dir, 'd.sock'));
  const taken = openLineServer(join(dir, 'd.sock'), {}, silentLog);
  await assert.rejects(taken, { code: 'CONFIG_INVALID' });
  const long = openLineServer(join(dir, 'x'.repeat(120)), {}, silentLog);
  await assert.rejects(long, { code: 'CONFIG_INVALID' });
});

test('the admin of a host: sheet, sessions, audit, backup', async (t) => {
  const dir = directory(t);
  assert.equal(await connectAdmin(dir), undefined);
  const store = await openHostStore({ file: join(dir, 'books.db'), thread: false });
  const door = await openAdminDoor(dir, hostAdmin({ store }), silentLog);
  const admin = await connectAdmin(dir);
  assert.ok(admin);
  assert.deepEqual(await admin.sheet(), await store.sheet());
  assert.deepEqual(await admin.sessions(0n), { sessions: [], cursor: 0n });
  assert.deepEqual(await admin.journal(0n), { transfers: [], cursor: 0n });
  assert.deepEqual(await admin.audit(), []);
  await admin.backup(join(dir, 'copy.db'));
  await assert.rejects(admin.backup(join(dir, 'copy.db')), { code: 'STORE_READONLY' });
  admin.close();
  await door.close();
  await store.close();
});
