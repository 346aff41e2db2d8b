/**
 * Lanes of workers, as the primary's books see them: caps, statements, refusals, what breaks.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fromHex } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { silentLog } from '../base/log/index.ts';
import { msat } from '../base/money/index.ts';
import { seededRandom } from '../base/random/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import type { SessionTerms } from '../pay/ledger/index.ts';
import { ChainReader, laneId, makeChain, type LaneTerms } from '../pay/tick/index.ts';
import { openHostStore, openWorkerLog, type HostStore } from '../port/store/index.ts';
import { channelPair, linkPrimary, linkWorker } from '../port/workers/index.ts';
import type { Books } from './books.ts';
import type { LaneRun } from './lane-run.ts';
import type { BooksLimits } from './limits.ts';
import { openBooks } from './open-books.ts';
import { LaneElsewhere, WorkerLanes, type WorkerLog } from './worker-lanes.ts';

const SESSION = '05'.repeat(16);
const UNIT_MSAT = 100n;
const LENGTH = 20;
const PLACES = [0, 1, 2];
const CHAINS = PLACES.map((place) => makeChain(seededRandom(place).bytes(32), LENGTH));
const BODY = new Uint8Array([1, 2, 3]);
const TERMS: SessionTerms = {
  session: SESSION,
  service: 'echo',
  lanes: PLACES.length,
  calls: LENGTH * PLACES.length,
  totalMsat: msat(UNIT_MSAT * BigInt(LENGTH * PLACES.length)),
  paymentHash: '06'.repeat(32),
  openedAtMs: unixMs(1),
  payByMs: unixMs(86_400_000),
  expiresAtMs: unixMs(172_800_000),
  setup: '07'.repeat(32),
  payer: '08'.repeat(32),
  codeKey: new Uint8Array(32),
  reply: new Uint8Array(8),
};
const LANES: readonly LaneTerms[] = PLACES.map((place) => ({
  lane: laneId(SESSION, place),
  session: SESSION,
  place,
  anchor: (CHAINS[place] ?? assert.fail()).anchor,
  length: LENGTH,
  unitMsat: msat(UNIT_MSAT),
}));
const clock: Clock = {
  now: () => unixMs(1_000),
  monotonicMs: () => 1_000,
  sleep: () => new Promise(() => undefined),
  timer: () => () => undefined,
};

interface Primary {
  readonly books: Books;
  readonly store: HostStore;
  /** Why the books are broken. */
  readonly broken: Fault[];
  /** Starts a worker; `die` ends it, as far as the primary can see. */
  readonly start: (
    worker: number,
  ) => Promise<{ readonly lanes: WorkerLanes; readonly die: () => Promise<void> }>;
}

async function open(t: TestContext, limits: Partial<BooksLimits> = {}): Promise<Primary> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-owners-'));
  const ends: (() => Promise<void>)[] = [];
  const store = await openHostStore({ file: join(dir, 'host.db'), thread: false });
  t.after(async () => {
    for (const end of ends) await end();
    assert.deepEqual(await store.audit(), []);
    await store.close();
    rmSync(dir, { recursive: true });
  });
  const broken: Fault[] = [];
  const books = await openBooks({
    store: { ...store, close: async () => undefined },
    clock,
    log: silentLog,
    limits: { refundAfterMs: 0, ...limits },
    onBroken: (fault) => broken.push(fault),
  });
  await books.open(TERMS, LANES);
  const { paymentHash, totalMsat: receivedMsat } = TERMS;
  await books.received({ paymentHash, receivedMsat, paidAtMs: unixMs(1), cursor: 1n });
  const start: Primary['start'] = async (worker) => {
    const place = await books.owners.begin(worker);
    const {
      ends: [near, far],
      cut,
    } = channelPair();
    const link = linkWorker(near, worker);
    link.serve(books.owners.join(link.worker));
    const { primary, serve } = linkPrimary(far, () => undefined);
    const file = await openWorkerLog(place, primary);
    let closing: Promise<void> | undefined;
    const log: WorkerLog = {
      commitLanes: (images, extra) => file.commitLanes(images, extra),
      flush: (names) => file.flush(names),
      close: () => (closing ??= file.close()),
    };
    const lanes = new WorkerLanes({ primary, log, clock, onBroken: () => undefined });
    serve(lanes);
    const die = async (): Promise<void> => {
      cut();
      await log.close();
      await books.owners.ended(worker).catch(() => undefined);
    };
    ends.push(die);
    return { lanes, die };
  };
  return { books, store, broken, start };
}

async function run(
  worker: WorkerLanes,
  place: number,
  n: number,
  units = 1,
  once = false,
): Promise<LaneRun> {
  const lane = fromHex(laneId(SESSION, place), 'lane');
  const slot = await worker.lanes.load(lane);
  const secret = new ChainReader(CHAINS[place] ?? assert.fail()).secret(LENGTH);
  const call = { n, done: 0, digest: Uint32Array.of(n, 1, 2, 3), units, once };
  const admission = worker.lanes.admit(slot, call, { index: LENGTH, secret });
  assert(admission.kind === 'run');
  return admission.run;
}

async function spend(worker: WorkerLanes, place: number, n: number, units = 1): Promise<void> {
  await (await run(worker, place, n, units)).charge(BODY);
}

test('what workers have charged is owed no more, as soon as it matters', async (t) => {
  const { books, start } = await open(t, { maxLiabilityMsat: msat(6_000) });
  const { lanes, die } = await start(1);
  const order = { payer: '09'.repeat(32), totalMsat: msat(500) };
  await assert.rejects(books.room(order), { code: 'SETUP_LIABILITY' });
  await spend(lanes, 0, 0, 5);
  (await books.room(order)).leave();
  await assert.rejects(books.room({ ...order, totalMsat: msat(501) }), { code: 'SETUP_LIABILITY' });
  await spend(lanes, 0, 1, 5);
  await die();
  assert.equal(books.owners.foldedMsat, 1_000n, 'what a worker leaves behind counts');
  (await books.room({ ...order, totalMsat: msat(1_000) })).leave();
  await books.lanes.close(SESSION);
  (await books.room({ ...order, totalMsat: msat(1_000) })).leave();
  await assert.rejects(books.room({ ...order, totalMsat: msat(1_001) }), {
    code: 'SETUP_LIABILITY',
  });
});

test('orders that are refused at once have workers asked twice at most', async (t) => {
  const { books, start } = await open(t, { maxPrepaidMsat: msat(6_000) });
  const { lanes } = await start(1);
  const flush = lanes.flush.bind(lanes);
  let asked = 0;
  lanes.flush = async (session) => {
    asked++;
    return flush(session);
  };
  const order = { payer: TERMS.payer, totalMsat: msat(7_000) };
  const orders = Array.from({ length: 100 }, () => books.room(order));
  const ends = await Promise.allSettled(orders);
  assert.deepEqual(new Set(ends.map(({ status }) => status)), new Set(['rejected']));
  assert(asked <= 2, `${asked} times`);
});

test('nor is it prepaid', async (t) => {
  const { books, start } = await open(t, { maxPrepaidMsat: msat(6_000) });
  const { lanes } = await start(1);
  const order = { payer: TERMS.payer, totalMsat: msat(300) };
  await assert.rejects(books.room(order), { code: 'SETUP_PREPAID' });
  await spend(lanes, 0, 0, 3);
  (await books.room(order)).leave();
});

test('a session is stated as its lanes are, at whichever worker', async (t) => {
  const { books, start } = await open(t);
  const [first, second] = [await start(1), await start(2)];
  await spend(first.lanes, 0, 0, 2);
  await spend(second.lanes, 1, 0, 3);
  const running = await run(second.lanes, 2, 0);
  const { state } = (await books.session(SESSION)) ?? assert.fail();
  assert.deepEqual([state.chargedMsat, state.callsLeft], [500n, 55]);
  const stated = await books.lanes.statement(SESSION);
  const indexes = stated.map(({ index, spent }) => [index, spent]);
  // The tick of a call that runs is accepted, and charged nothing yet.
  assert.deepEqual(indexes, [
    [20, 2],
    [20, 3],
    [20, 0],
  ]);
  await running.release();
  assert.equal((await books.sheet()).servedMsat, 500n);
});

test('a lane is served by one worker, and by the next one when it was let go', async (t) => {
  const { books, start } = await open(t);
  const [first, second] = [await start(1), await start(2)];
  await spend(first.lanes, 0, 0);
  const lane = fromHex(laneId(SESSION, 0), 'lane');
  const elsewhere = (error: unknown): boolean =>
    error instanceof LaneElsewhere && error.worker === 1;
  await assert.rejects(second.lanes.lanes.load(lane), elsewhere);
  await assert.rejects(books.lanes.load(lane), { code: 'LANE_MOVED' });
  const running = await run(first.lanes, 0, 1);
  const gone = first.lanes.letGo(lane);
  await assert.rejects(run(first.lanes, 0, 2), { code: 'LANE_MOVED' });
  await running.charge(BODY);
  await gone;
  await spend(second.lanes, 0, 2);
  await assert.rejects(first.lanes.lanes.load(lane), { name: 'LaneElsewhere', worker: 2 });
});

test('lanes that were closed are taken by nobody', async (t) => {
  const { books, start } = await open(t);
  const { lanes } = await start(1);
  await spend(lanes, 0, 0);
  const running = await run(lanes, 1, 0);
  const closing = books.lanes.close(SESSION);
  await turn();
  await assert.rejects(run(lanes, 2, 0), { code: 'LANE_CLOSED' });
  await assert.rejects(run(lanes, 0, 1), { code: 'LANE_CLOSED' });
  await running.charge(BODY);
  await closing;
  await assert.rejects(run(lanes, 2, 0), { code: 'LANE_CLOSED' });
  await assert.rejects(lanes.lanes.load(new Uint8Array(16)), { code: 'LANE_UNKNOWN' });
});

test('a lane that closes answers nothing any more once its calls have ended', async (t) => {
  const { start } = await open(t);
  const { lanes } = await start(1);
  const once = await run(lanes, 0, 0, 1, true);
  await once.started();
  await once.charge(BODY);
  const lane = fromHex(laneId(SESSION, 0), 'lane');
  await lanes.letGo(lane);
  const slot = await lanes.lanes.load(lane);
  const closing = lanes.close(SESSION);
  const call = { n: 0, done: 0, digest: Uint32Array.of(0, 1, 2, 3), units: 1, once: true };
  const tick = { index: 0, secret: new Uint8Array(32) };
  assert.throws(() => lanes.lanes.admit(slot, call, tick), { code: 'LANE_MOVED' });
  await closing;
  assert.equal(lanes.lanes.slotOf(lane), -1);
});

test('a worker has only so many lanes', async (t) => {
  const { start } = await open(t, { hotLanes: 1 });
  const { lanes } = await start(1);
  await Promise.all([spend(lanes, 0, 0), spend(lanes, 1, 0)]);
  await assert.rejects(run(lanes, 2, 0), { code: 'CALL_BUSY' });
});

test('a fold that the store refuses breaks the books', async (t) => {
  const { books, store, broken, start } = await open(t);
  const { lanes } = await start(1);
  await spend(lanes, 0, 0);
  await store.takeLanes([laneId(SESSION, 0)]);
  await assert.rejects(lanes.flush(undefined), { code: 'STORE_CORRUPT' });
  assert.equal(broken.length, 1);
  assert.throws(() => books.assertOpen(), { code: 'HOST_BROKEN' });
  assert.throws(() => lanes.assertOpen(), { code: 'HOST_BROKEN' });
});

test('a worker that stops has brought all into the store', async (t) => {
  const { store, start } = await open(t);
  const { lanes } = await start(1);
  await spend(lanes, 0, 0, 4);
  await lanes.stop();
  assert.equal((await store.lanesOf(SESSION))[0]?.spent, 4);
  await assert.rejects(run(lanes, 1, 0), { code: 'HOST_STOPPING' });
});

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
