/**
 * Lanes in the books: closing, refunds, expiry, caps, and when answers leave.
 * @module
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { fromHex } from '../base/bytes/index.ts';
import { Fault, isFault, type FaultCode } from '../base/fault/index.ts';
import { silentLog } from '../base/log/index.ts';
import { msat } from '../base/money/index.ts';
import { seededRandom } from '../base/random/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import type { SessionTerms } from '../pay/ledger/index.ts';
import { ChainReader, laneId, makeChain, type LaneTerms } from '../pay/tick/index.ts';
import { openHostStore, type HostStore } from '../port/store/index.ts';
import type { Books } from './books.ts';
import type { LaneRun } from './lane-run.ts';
import type { LaneAdmission } from './lanes.ts';
import type { BooksLimits } from './limits.ts';
import { openBooks } from './open-books.ts';

const SESSION = '05'.repeat(16);
const UNIT_MSAT = 100n;
const LENGTH = 20;
const CHAIN = makeChain(seededRandom(9).bytes(32), LENGTH);
const LANE = laneId(SESSION, 0);
const DAY_MS = 86_400_000;
const BODY = new Uint8Array([1, 2, 3]);

const TERMS: SessionTerms = {
  session: SESSION,
  service: 'echo',
  lanes: 1,
  calls: LENGTH,
  totalMsat: msat(UNIT_MSAT * BigInt(LENGTH)),
  paymentHash: '06'.repeat(32),
  openedAtMs: unixMs(1),
  payByMs: unixMs(DAY_MS),
  expiresAtMs: unixMs(2 * DAY_MS),
  setup: '07'.repeat(32),
  payer: '08'.repeat(32),
  codeKey: new Uint8Array(32),
  reply: new Uint8Array(8),
};
const LANES: readonly LaneTerms[] = [
  {
    lane: LANE,
    session: SESSION,
    place: 0,
    anchor: CHAIN.anchor,
    length: LENGTH,
    unitMsat: msat(UNIT_MSAT),
  },
];

let nowMs = 1_000;
const clock: Clock = {
  now: () => unixMs(nowMs),
  monotonicMs: () => nowMs,
  sleep: () => new Promise(() => undefined),
  timer: () => () => undefined,
};
const stores: HostStore[] = [];
afterEach(async () => {
  nowMs = 1_000;
  for (const store of stores.splice(0)) {
    assert.deepEqual(await store.audit(), []);
    await store.close();
  }
});

async function open(
  limits: Partial<BooksLimits> = {},
  store?: HostStore,
): Promise<{ books: Books; store: HostStore }> {
  const own = store ?? (await openHostStore({ file: ':memory:', thread: false }));
  if (store === undefined) stores.push(own);
  const kept = { ...own, close: async () => undefined };
  const books = await openBooks({
    store: kept,
    clock,
    log: silentLog,
    limits: { refundAfterMs: 0, ...limits },
  });
  await books.open(TERMS, LANES);
  return { books, store: own };
}

async function paid(
  limits: Partial<BooksLimits> = {},
): Promise<{ books: Books; store: HostStore }> {
  const opened = await open(limits);
  await pay(opened.books);
  return opened;
}

async function pay(books: Books): Promise<void> {
  const { paymentHash, totalMsat: receivedMsat } = TERMS;
  await books.received({ paymentHash, receivedMsat, paidAtMs: unixMs(1), cursor: 1n });
}

async function admit(books: Books, n: number, units = 1, index = LENGTH): Promise<LaneAdmission> {
  const slot = await books.lanes.load(fromHex(LANE, 'lane'));
  const call = { n, done: 0, digest: Uint32Array.of(n, 1, 2, 3), units };
  return books.lanes.admit(slot, call, { index, secret: new ChainReader(CHAIN).secret(index) });
}

async function run(books: Books, n: number, units = 1): Promise<LaneRun> {
  const admission = await admit(books, n, units);
  assert(admission.kind === 'run');
  return admission.run;
}

async function spend(books: Books, n: number, units = 1): Promise<void> {
  await (await run(books, n, units)).charge(BODY);
}

function refund(books: Books, amount: bigint, hash = '77'): Promise<unknown> {
  const paymentHash = hash.repeat(32);
  return books.refund({ session: SESSION, paymentHash, invoice: 'lnbc', amountMsat: msat(amount) });
}

function is(code: FaultCode): { code: string } {
  return { code };
}

async function isOpen(store: HostStore): Promise<boolean> {
  return (await store.lanesOf(SESSION)).every(({ closed }) => !closed);
}

test('unpaid lanes serve nothing, and a refund does not close them', async () => {
  const { books, store } = await open();
  await assert.rejects(admit(books, 0), is('SESSION_UNPAID'));
  await assert.rejects(refund(books, 100n), is('SESSION_UNPAID'));
  await pay(books);
  await spend(books, 0);
  assert(await isOpen(store));
});

test('a refund that is refused closes nothing', async () => {
  const { books, store } = await paid({ refundAfterMs: 60_000 });
  await spend(books, 0, 4);
  await assert.rejects(refund(books, 1_601n), is('REFUND_EXCEEDS'));
  await assert.rejects(refund(books, 100n), is('REFUND_EARLY'));
  assert(await isOpen(store));
  await spend(books, 1);
  nowMs += 60_000;
  await refund(books, 400n);
  assert(!(await isOpen(store)));
  await assert.rejects(refund(books, 100n, '78'), is('REFUND_DUST'));
});

test('closing waits for the calls under way, and takes no new ones', async () => {
  const { books } = await paid();
  await spend(books, 0);
  const first = await run(books, 1, 2);
  const second = await run(books, 2, 3);
  const closing = [refund(books, 400n), books.lanes.close(SESSION)];
  await assert.rejects(
    later(() => admit(books, 3)),
    is('LANE_CLOSED'),
  );
  const joined = await admit(books, 1, 2);
  const repeated = await admit(books, 0);
  assert(joined.kind === 'repeat' && repeated.kind === 'repeat');
  assert.deepEqual(await repeated.answer, BODY, 'what was charged is answered');
  await second.release();
  await first.charge(BODY);
  assert.deepEqual(await joined.answer, BODY);
  await Promise.all(closing);
  await books.lanes.close(SESSION);
  await assert.rejects(admit(books, 0), is('LANE_CLOSED'));
  const { state } = (await books.session(SESSION)) ?? assert.fail();
  // 1 sat is the least fee that is set aside.
  assert.deepEqual([state.chargedMsat, state.creditMsat], [300n, 2_000n - 300n - 400n - 1_000n]);
  assert.equal(state.callsLeft, 0);
});

test('of two refunds at once one is set aside; the same one again is the same', async () => {
  const { books, store } = await paid();
  const [first, second] = await Promise.allSettled([
    refund(books, 300n),
    refund(books, 300n, '78'),
  ]);
  assert.equal(first.status, 'fulfilled');
  assert(second.status === 'rejected' && isFault(second.reason));
  assert.equal(second.reason.code, 'REFUND_DUST', 'what the first one took is no credit');
  await refund(books, 300n);
  assert.equal((await store.sheet()).refundingMsat, 1_300n);
});

test('what lanes have spent is owed no more: before they are closed, and after', async () => {
  const order = { payer: '09'.repeat(32), totalMsat: msat(500) };
  const { books } = await paid({ maxLiabilityMsat: msat(2_000) });
  await assert.rejects(books.room(order), is('SETUP_LIABILITY'));
  await spend(books, 0, 5);
  (await books.room(order)).leave();
  await assert.rejects(books.room({ ...order, totalMsat: msat(501) }), is('SETUP_LIABILITY'));
  await books.lanes.close(SESSION);
  (await books.room(order)).leave();
  await assert.rejects(books.room({ ...order, totalMsat: msat(501) }), is('SETUP_LIABILITY'));
});

test('after the end nothing new runs, what was charged is answered, credit expires', async () => {
  const { books, store } = await paid();
  await spend(books, 0, 5);
  nowMs = 2 * DAY_MS;
  await assert.rejects(admit(books, 1), is('SESSION_EXPIRED'));
  const again = await admit(books, 0, 5);
  assert(again.kind === 'repeat');
  nowMs += DAY_MS;
  assert.equal(await books.expireCredit(unixMs(nowMs)), 1);
  assert.equal(await books.expireCredit(unixMs(nowMs)), 0);
  const { expiredMsat, servedMsat, creditMsat } = await store.sheet();
  assert.deepEqual([expiredMsat, servedMsat, creditMsat], [1_500n, 500n, 0n]);
});

test('an answer that is gone is made again, uncharged, and not for ever', async () => {
  const { books, store } = await paid();
  await spend(books, 0, 2);
  const { books: next } = await open({}, store);
  const rerun = await run(next, 0, 2);
  assert(rerun.rerun);
  await rerun.release();
  await (await run(next, 0, 2)).charge(BODY);
  assert.equal((await admit(next, 0, 2)).kind, 'repeat');
  assert.equal((await next.lanes.statement(SESSION))[0]?.spent, 2);
  const { books: small } = await open({ answerBytes: 0 }, store);
  await (await run(small, 0, 2)).charge(BODY);
  await assert.rejects(admit(small, 0, 2), is('CALL_RERUNS'));
});

test('an answer is not made again while its lane is closed', async () => {
  const { books } = await paid({ answerBytes: 0 });
  await spend(books, 0);
  const running = await run(books, 1);
  const closing = books.lanes.close(SESSION);
  await assert.rejects(admit(books, 0), is('LANE_CLOSED'));
  await running.charge(BODY);
  await closing;
});

/** A store whose commits of lanes wait for the test. */
async function held(limits: Partial<BooksLimits>): Promise<{
  books: Books;
  commit: () => Promise<void>;
  fail: () => Promise<void>;
}> {
  const store = await openHostStore({ file: ':memory:', thread: false });
  stores.push(store);
  const waiting: ((fault?: Fault) => void)[] = [];
  const commitLanes: HostStore['commitLanes'] = async (images, extra) => {
    const fault = await new Promise<Fault | undefined>((resolve) => waiting.push(resolve));
    if (fault !== undefined) throw fault;
    return store.commitLanes(images, extra);
  };
  const gated = { ...store, commitLanes, close: async () => undefined };
  const { books } = await open(limits, gated);
  await pay(books);
  const tell = async (fault?: Fault): Promise<void> => {
    waiting.shift()?.(fault);
    await turn();
  };
  return { books, commit: () => tell(), fail: () => tell(new Fault('STORE_FAILED')) };
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

async function later<T>(work: () => Promise<T>): Promise<T> {
  await turn();
  return work();
}

/** Whether a call was answered by now. */
async function charged(books: Books, n: number, units = 1): Promise<() => boolean> {
  let answered = false;
  const charging = (await run(books, n, units)).charge(BODY);
  charging.then(
    () => (answered = true),
    () => undefined,
  );
  await turn();
  return () => answered;
}

test('lazy: answers leave before their commit, up to a value and an age', async () => {
  const durability = { kind: 'lazy', maxMs: 10, maxMsat: msat(500) } as const;
  const { books, commit } = await held({ durability });
  assert.equal((await charged(books, 0, 3))(), true);
  const large = await charged(books, 1, 3);
  assert.equal(large(), false, 'together they are worth more than the bound');
  await commit();
  assert.equal(large(), false, 'it waits for its own commit');
  await commit();
  assert.equal(large(), true);
  assert.equal((await charged(books, 2))(), true);
  nowMs += 11;
  const late = await charged(books, 3);
  assert.equal(late(), false, 'the oldest one that is not written is too old');
  await commit();
  const third = await charged(books, 4);
  assert.equal(third(), true, 'those that wait are young');
  await commit();
  assert.equal(late(), true);
});

test('once a commit has failed no answer leaves, lazy or not', async () => {
  const lazy = { kind: 'lazy', maxMs: 10, maxMsat: msat(500) } as const;
  for (const durability of [lazy, { kind: 'commit' } as const]) {
    const { books, fail } = await held({ durability });
    const open1 = await run(books, 1);
    const first = await charged(books, 0);
    await fail();
    assert.equal(first(), durability.kind === 'lazy', 'that one had left');
    await assert.rejects(open1.charge(BODY), is('STORE_FAILED'));
    await assert.rejects(admit(books, 2), is('HOST_BROKEN'));
    assert.throws(() => books.assertOpen(), is('HOST_BROKEN'));
  }
});

test('a host that stops waits for the commit of what was charged', async () => {
  const { books, commit } = await held({});
  const answered = await charged(books, 0);
  let closed = false;
  const closing = books.close().then(() => (closed = true));
  await turn();
  assert.equal(closed, false);
  await commit();
  await closing;
  assert.equal(answered(), true);
});
