/**
 * Orders that nobody paid: what is kept of them, and where a payment goes that comes late.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLog } from '../base/log/index.ts';
import { msat } from '../base/money/index.ts';
import { unixMs, type Clock, type UnixMs } from '../base/time/index.ts';
import { isBalanced, type SessionTerms, type TopUp } from '../pay/ledger/index.ts';
import { openHostStore, type HostStoreFile } from '../port/store/index.ts';
import { openBooks, type Books } from './index.ts';
import { ORDER_KEEP_MS, REPLY_KEEP_MS } from './limits.ts';

const REPLY = new Uint8Array(3_500).fill(7);
const HOUR_MS = 3_600_000;

interface World {
  readonly file: string;
  readonly store: HostStoreFile;
  readonly books: Books;
  readonly time: { nowMs: UnixMs };
  pay(i: number, cursor: bigint): Promise<string>;
}

async function open(t: TestContext, lapsedOrders: number): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-lapse-'));
  const file = join(dir, 'books.db');
  const store = await openHostStore({ file, thread: false });
  const time = { nowMs: unixMs(1) };
  const clock: Clock = {
    now: () => time.nowMs,
    monotonicMs: () => time.nowMs,
    sleep: () => Promise.reject(new Error('the books do not sleep')),
    timer: () => () => undefined,
  };
  const limits = { lapsedOrders };
  const books = await openBooks({ store, clock, log: silentLog, limits });
  t.after(async () => {
    await books.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const pay = (i: number, cursor: bigint): Promise<string> => {
    const { paymentHash, totalMsat: receivedMsat } = terms(i);
    return books.received({ paymentHash, receivedMsat, paidAtMs: time.nowMs, cursor });
  };
  return { file, store, books, time, pay };
}

function hex(value: number, bytes: number): string {
  return value.toString(16).padStart(2 * bytes, '0');
}

/** Order i is opened at minute i and can be paid for ten minutes. */
function terms(i: number): SessionTerms {
  const openedAtMs = unixMs(i * 60_000);
  return {
    session: hex(i, 16),
    service: 'quotes',
    calls: 3,
    totalMsat: msat(1000),
    paymentHash: hex(i, 32),
    openedAtMs,
    payByMs: unixMs(openedAtMs + 600_000),
    expiresAtMs: unixMs(openedAtMs + 30 * 24 * HOUR_MS),
    setup: hex(i, 32),
    payer: hex(5, 32),
    codeKey: new Uint8Array(32),
    reply: REPLY,
  };
}

async function replies(world: World, ...orders: number[]): Promise<(number | undefined)[]> {
  const rows = orders.map(async (i) => (await world.store.session(hex(i, 16)))?.terms.reply.length);
  return Promise.all(rows);
}

test('an unpaid order loses its reply in time; a late payment is credited', async (t) => {
  const world = await open(t, 10);
  const { books } = world;
  await books.open(terms(0));
  await books.open(terms(1));
  await world.pay(1, 1n);
  await books.open(terms(30));
  world.time.nowMs = unixMs(terms(1).payByMs + REPLY_KEEP_MS + 1);
  await books.forgetUnpaid();
  assert.deepEqual(await replies(world, 0, 1, 30), [0, REPLY.length, REPLY.length]);
  assert.equal(await world.pay(0, 2n), 'credited');
  const session = await books.session(hex(0, 16));
  assert.deepEqual([session?.state.paid, session?.state.creditMsat], [true, 1000n]);
  world.time.nowMs = unixMs(world.time.nowMs + 100 * ORDER_KEEP_MS);
  for (let i = 0; i < 3; i++) await books.forgetUnpaid();
  assert.deepEqual(await replies(world, 0, 1, 30), [0, REPLY.length, 0], 'what is paid stays');
  assert.deepEqual(await world.store.audit(), []);
});

test('the oldest beyond a number are forgotten; a payment is then unattributed', async (t) => {
  const world = await open(t, 1);
  const { books } = world;
  for (const i of [0, 1, 2]) await books.open(terms(i));
  world.time.nowMs = unixMs(terms(2).payByMs + HOUR_MS);
  await books.forgetUnpaid();
  assert.deepEqual(await replies(world, 0, 1, 2), [0, 0, 0], 'a wallet may still take a payment');
  world.time.nowMs = unixMs(terms(2).payByMs + ORDER_KEEP_MS + 1);
  // The payment is on its way into the books while its order goes.
  const [late] = await Promise.all([world.pay(0, 1n), books.forgetUnpaid()]);
  assert.deepEqual(await replies(world, 0, 1, 2), [undefined, undefined, 0]);
  assert.equal(late, 'unattributed');
  assert.equal(await world.pay(1, 2n), 'unattributed');
  assert.equal(await world.pay(2, 3n), 'credited');
  assert.equal(await world.pay(0, 4n), 'exists');
  assert.equal(await books.session(hex(0, 16)), undefined);
  const sheet = await books.sheet();
  assert.deepEqual([sheet.unattributedMsat, sheet.creditMsat], [2000n, 1000n]);
  assert.equal(isBalanced(sheet), true);
  assert.equal(books.walletCursor(), 4n);
  assert.deepEqual(await world.store.audit(), []);
});

test('top-ups that nobody pays go the same way; a paid one is counted once', async (t) => {
  const world = await open(t, 1);
  const { books, store } = world;
  const { session, expiresAtMs } = terms(0);
  await books.open(terms(0));
  await world.pay(0, 1n);
  const topUp = (i: number): TopUp => {
    const { paymentHash, payByMs, totalMsat, calls, service } = terms(i);
    const named = { session, id: hex(i, 16), service, calls };
    return { ...named, totalMsat, paymentHash, payByMs, expiresAtMs, paid: false, reply: REPLY };
  };
  for (const i of [1, 2, 3]) await books.topUp(topUp(i));
  assert.equal(await world.pay(1, 2n), 'credited');
  assert.equal(await world.pay(1, 3n), 'exists');
  world.time.nowMs = unixMs(terms(3).payByMs + ORDER_KEEP_MS + 1);
  await books.forgetUnpaid();
  const kept = await Promise.all([1, 2, 3].map((i) => books.topUpOf(session, hex(i, 16))));
  assert.deepEqual(
    kept.map((one) => one?.reply.length),
    [REPLY.length, undefined, 0],
  );
  assert.equal(await world.pay(2, 4n), 'unattributed');
  assert.equal(await world.pay(3, 5n), 'credited');
  const bought = (await books.session(session))?.bought;
  assert.deepEqual([bought?.calls, bought?.totalMsat], [9, 3000n]);
  const sheet = await books.sheet();
  assert.deepEqual([sheet.creditMsat, sheet.unattributedMsat], [3000n, 1000n]);
  assert.deepEqual([books.walletCursor(), await store.audit()], [5n, []]);
});

test('10,000 orders that nobody pays leave a bounded file', async (t) => {
  const world = await open(t, 1_000);
  for (let i = 0; i < 10_000; i += 500) {
    world.time.nowMs = unixMs(i * 60_000);
    await Promise.all(Array.from({ length: 500 }, (_, j) => world.books.open(terms(i + j))));
    await world.books.forgetUnpaid();
  }
  assert(statSync(world.file).size < 12_000_000, `${statSync(world.file).size} bytes`);
  assert.deepEqual(await world.store.audit(), []);
});
