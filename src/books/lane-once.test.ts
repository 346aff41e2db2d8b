/**
 * Calls with effect once over lanes: what is durable before a handler runs and before anybody is
 * told, and what becomes of a call that a crash has cut.
 * @module
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { fromHex, utf8 } from '../base/bytes/index.ts';
import { Fault, type FaultCode } from '../base/fault/index.ts';
import { silentLog } from '../base/log/index.ts';
import { msat } from '../base/money/index.ts';
import { seededRandom } from '../base/random/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import type { SessionTerms } from '../pay/ledger/index.ts';
import { ChainReader, hasStarted, laneId, makeChain, type LaneTerms } from '../pay/tick/index.ts';
import { openHostStore, type HostStore, type LaneExtra } from '../port/store/index.ts';
import type { Books } from './books.ts';
import type { LaneRun } from './lane-run.ts';
import type { LaneAdmission } from './lanes.ts';
import type { BooksLimits } from './limits.ts';
import { openBooks } from './open-books.ts';
import type { Recover, Recovered } from './recovered.ts';

const SESSION = '05'.repeat(16);
const LENGTH = 20;
const UNIT_MSAT = 100n;
const CHAIN = makeChain(seededRandom(9).bytes(32), LENGTH);
const LANE = laneId(SESSION, 0);
const BODY = utf8('"answer"');

const TERMS: SessionTerms = {
  session: SESSION,
  service: 'once',
  lanes: 1,
  calls: LENGTH,
  totalMsat: msat(UNIT_MSAT * BigInt(LENGTH)),
  paymentHash: '06'.repeat(32),
  openedAtMs: unixMs(1),
  payByMs: unixMs(86_400_000),
  expiresAtMs: unixMs(2 * 86_400_000),
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

/** A host's disk, whose commits of lanes wait for the test once they are told to. */
class Disk {
  readonly store: HostStore;
  waits = false;
  readonly extras: (LaneExtra | undefined)[] = [];
  readonly #waiting: ((fault?: Fault) => void)[] = [];
  /** Timers that were set and not cancelled. */
  readonly #timers = new Set<() => void>();

  private constructor(store: HostStore) {
    this.store = store;
  }

  static async make(): Promise<Disk> {
    const disk = new Disk(await openHostStore({ file: ':memory:', thread: false }));
    disks.push(disk);
    const books = await disk.open();
    await books.open(TERMS, LANES);
    const { paymentHash, totalMsat: receivedMsat } = TERMS;
    await books.received({ paymentHash, receivedMsat, paidAtMs: unixMs(1), cursor: 1n });
    return disk;
  }

  /** A new process; what the one before it wanted to write is lost. */
  async open(recover?: Recover, limits: Partial<BooksLimits> = {}): Promise<Books> {
    this.#waiting.length = 0;
    this.waits = false;
    const commitLanes: HostStore['commitLanes'] = async (images, extra) => {
      this.extras.push(extra);
      const waiting = this.waits;
      const fault = await new Promise<Fault | undefined>((resolve) => {
        if (waiting) this.#waiting.push(resolve);
        else resolve(undefined);
      });
      if (fault !== undefined) throw fault;
      return this.store.commitLanes(images, extra);
    };
    const clock: Clock = {
      now: () => unixMs(1_000),
      monotonicMs: () => 1_000,
      sleep: () => new Promise(() => undefined),
      timer: (_, fire) => {
        this.#timers.add(fire);
        return () => void this.#timers.delete(fire);
      },
    };
    const books = await openBooks({
      store: { ...this.store, commitLanes, close: async () => undefined },
      clock,
      log: silentLog,
      limits: { refundAfterMs: 0, ...limits },
    });
    if (recover !== undefined) books.recoverWith(recover);
    return books;
  }

  /** The oldest commit is written, or fails. */
  async commit(fault?: Fault): Promise<void> {
    await turn();
    this.#waiting.shift()?.(fault);
    await turn();
  }

  /** Time is up for all that was set. */
  fire(): void {
    for (const fire of this.#timers) fire();
  }

  get timers(): number {
    return this.#timers.size;
  }

  async spent(): Promise<number | undefined> {
    return (await this.store.lanesOf(SESSION))[0]?.spent;
  }
}

const disks: Disk[] = [];
afterEach(async () => {
  for (const { store } of disks.splice(0)) {
    assert.deepEqual(await store.audit(), []);
    await store.close();
  }
});

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function is(code: FaultCode): { code: string } {
  return { code };
}

async function admit(
  books: Books,
  n: number,
  { done = 0, units = 1, once = true } = {},
): Promise<LaneAdmission> {
  const slot = await books.lanes.load(fromHex(LANE, 'lane'));
  const call = { n, done, digest: Uint32Array.of(n, 1, 2, 3), units, once };
  const secret = new ChainReader(CHAIN).secret(LENGTH);
  return books.lanes.admit(slot, call, { index: LENGTH, secret });
}

async function run(books: Books, n: number, units = 1): Promise<LaneRun> {
  const admission = await admit(books, n, { units });
  assert(admission.kind === 'run' && admission.run.once);
  return admission.run;
}

async function started(books: Books, n: number, units = 1): Promise<LaneRun> {
  const one = await run(books, n, units);
  await one.started();
  return one;
}

/** The answer of a repeat. */
async function again(books: Books, n: number): Promise<Uint8Array> {
  const admission = await admit(books, n);
  assert(admission.kind === 'repeat');
  return admission.answer;
}

/** Whether it has settled by now. */
async function settled(work: Promise<unknown>): Promise<boolean> {
  let over = false;
  const end = (): void => void (over = true);
  work.then(end, end);
  await turn();
  return over;
}

test('its start is durable before it runs, its charge and answer before that leaves', async () => {
  const disk = await Disk.make();
  const books = await disk.open();
  const one = await run(books, 0);
  disk.waits = true;
  const starting = one.started();
  assert.equal(await settled(starting), false);
  await disk.commit();
  await starting;
  const charging = one.charge(BODY);
  assert.equal(await settled(charging), false);
  assert.equal(await settled(again(books, 0)), false, 'whoever repeats it waits too');
  await disk.commit();
  assert.deepEqual(await charging, BODY);
  assert.deepEqual(disk.extras, [{ answers: [] }, { answers: [{ lane: LANE, n: 0, body: BODY }] }]);
  assert.deepEqual(await disk.store.storedLaneAnswer(LANE, 0), BODY);
  assert.equal(await disk.spent(), 1);
});

test('calls with effect none are written as ever', async () => {
  const disk = await Disk.make();
  const books = await disk.open();
  const admission = await admit(books, 0, { once: false });
  assert(admission.kind === 'run' && !admission.run.once);
  await admission.run.charge(BODY);
  assert.deepEqual(disk.extras, [undefined]);
});

test('lazy: the answer of a call with effect once waits for its commit all the same', async () => {
  const disk = await Disk.make();
  const durability = { kind: 'lazy', maxMs: 1_000, maxMsat: msat(1_000_000) } as const;
  const books = await disk.open(undefined, { durability });
  const one = await started(books, 0);
  disk.waits = true;
  const charging = one.charge(BODY);
  assert.equal(await settled(charging), false);
  await disk.commit();
  await charging;
});

test('what failed is told when that is durable, and stays so after a crash', async () => {
  const disk = await Disk.make();
  const books = await disk.open();
  const one = await started(books, 0, 5);
  disk.waits = true;
  const releasing = one.release(new Fault('HOST_STOPPING'));
  const joined = again(books, 0);
  assert.equal(await settled(joined), false);
  assert.equal(await settled(releasing), false);
  await disk.commit();
  await releasing;
  await assert.rejects(joined, is('HOST_STOPPING'));
  await assert.rejects(admit(books, 0), is('CALL_FAILED'));
  const next = await disk.open(async () => assert.fail('nothing was cut'));
  await assert.rejects(admit(next, 0), is('CALL_FAILED'));
  assert.equal((await run(next, 1, LENGTH)).once, true, 'its units are credit');
});

test('a stored answer is read when memory has lost it, as long as it is not resolved', async () => {
  const disk = await Disk.make();
  await (await started(await disk.open(), 0)).charge(BODY);
  const books = await disk.open(undefined, { answerBytes: 0 });
  const [first, second] = await Promise.all([again(books, 0), again(books, 0)]);
  assert.deepEqual([first, second], [BODY, BODY]);
  assert.deepEqual(await again(books, 0), BODY);
  const reading = again(books, 0);
  await (await started(books, 1)).charge(BODY);
  assert.deepEqual(await reading, BODY);
  const later = await admit(books, 2, { done: 1 });
  assert(later.kind === 'run');
  await later.run.started();
  await later.run.charge(BODY);
  assert.equal(await disk.store.storedLaneAnswer(LANE, 0), undefined);
  await assert.rejects(admit(books, 0), is('CALL_FORGOTTEN'));
});

test('a commit that fails before the handler runs keeps it from running', async () => {
  const disk = await Disk.make();
  const books = await disk.open();
  const one = await run(books, 0);
  const joined = again(books, 0);
  disk.waits = true;
  const starting = one.started();
  const told = Promise.all([
    assert.rejects(starting, is('STORE_FAILED')),
    assert.rejects(joined, is('STORE_FAILED')),
  ]);
  await disk.commit(new Fault('STORE_FAILED'));
  await told;
  await assert.rejects(admit(books, 1), is('HOST_BROKEN'));
});

test('a lane that another process has taken starts nothing here', async () => {
  const disk = await Disk.make();
  const books = await disk.open();
  const one = await run(books, 0);
  await disk.store.takeLanes([LANE]);
  await assert.rejects(one.started(), is('LANE_MOVED'));
  assert.throws(() => one.charge(BODY), /charged or released once/);
});

const CUT: readonly [
  what: string,
  found: Recovered | 'fails' | undefined,
  told: FaultCode | 'answered',
  then: string,
][] = [
  ['no recover', undefined, 'CALL_OUTCOME_UNKNOWN', 'CALL_OUTCOME_UNKNOWN'],
  ['unknown', 'unknown', 'CALL_OUTCOME_UNKNOWN', 'CALL_OUTCOME_UNKNOWN'],
  ['a recover that fails', 'fails', 'CALL_OUTCOME_UNKNOWN', 'CALL_OUTCOME_UNKNOWN'],
  ['not done', 'not-done', 'LANE_MOVED', 'run'],
  ['done', { done: BODY }, 'answered', 'repeat'],
  ['done, and cheaper', { done: BODY, units: 2 }, 'answered', 'repeat'],
];
for (const [what, found, told, then] of CUT) {
  test(`a call that a crash has cut, ${what}: ${told}, then ${then}`, async () => {
    const disk = await Disk.make();
    await started(await disk.open(), 3, 5);
    const asked: unknown[] = [];
    const recover: Recover = async (call) => {
      asked.push(call);
      await turn();
      if (found === 'fails') throw new Error('as asked');
      return found ?? 'unknown';
    };
    const books = await disk.open(found === undefined ? undefined : recover);
    assert.equal(await outcome(again(books, 3)), told);
    assert.equal(await outcome(admit(books, 3).then(({ kind }) => kind)), then);
    const call = { service: 'once', session: LANE, n: 3n };
    assert.deepEqual(asked, found === undefined ? [] : [call]);
    const units = typeof found === 'object' ? (found.units ?? 5) : 0;
    assert.equal(await disk.spent(), units);
    assert.equal(disk.timers, 0);
    const [{ entries } = assert.fail()] = await disk.store.lanesOf(SESSION);
    // Of what was not done nothing has to be written: until it runs again, it is asked again.
    assert.equal(hasStarted(entries), found === 'not-done');
  });
}

async function outcome(work: Promise<unknown>): Promise<string> {
  const got = await work.catch((error: unknown) => (error as Fault).code);
  return typeof got === 'string' ? got : 'answered';
}

test('a crash while the outcome is written decides nothing; then it is asked again', async () => {
  const disk = await Disk.make();
  await started(await disk.open(), 0, 5);
  const books = await disk.open(async () => 'unknown');
  disk.waits = true;
  const joined = again(books, 0);
  assert.equal(await settled(joined), false, 'nobody is told yet');
  const next = await disk.open(async () => ({ done: BODY }));
  assert.deepEqual(await again(next, 0), BODY);
  assert.equal(await disk.spent(), 5);
});

test('while nobody knows yet, its units are reserved, and the lane serves', async () => {
  const disk = await Disk.make();
  await started(await disk.open(), 0, 5);
  const found = Promise.withResolvers<Recovered>();
  const books = await disk.open(() => found.promise);
  await assert.rejects(admit(books, 1, { units: 16 }), is('LANE_EXHAUSTED'));
  await (await started(books, 1, 15)).charge(BODY);
  const joined = again(books, 0);
  assert.equal(await settled(joined), false);
  found.resolve({ done: BODY });
  assert.deepEqual(await joined, BODY);
  assert.equal(await disk.spent(), 20);
});

test('a recover that hangs knows nothing; what it says later is not heard', async () => {
  const disk = await Disk.make();
  await started(await disk.open(), 0, 5);
  const found = Promise.withResolvers<Recovered>();
  const books = await disk.open(() => found.promise);
  const joined = again(books, 0);
  assert.equal(await settled(joined), false);
  disk.fire();
  await assert.rejects(joined, is('CALL_OUTCOME_UNKNOWN'));
  found.resolve({ done: BODY });
  await turn();
  assert.equal(await disk.spent(), 0);
});

test('lanes are closed when it is known what became of the calls that were cut', async () => {
  const disk = await Disk.make();
  await started(await disk.open(), 0, 5);
  const found = Promise.withResolvers<Recovered>();
  const books = await disk.open(() => found.promise);
  const invoice = { session: SESSION, invoice: 'lnbc', paymentHash: '77'.repeat(32) };
  const refunding = books.refund({ ...invoice, amountMsat: msat(500) });
  assert.equal(await settled(refunding), false);
  found.resolve({ done: BODY });
  await refunding;
  const { servedMsat, refundingMsat } = await books.sheet();
  assert.equal(servedMsat, 500n);
  assert.ok(refundingMsat >= 500n);
});

test('books that are closed meanwhile leave it to the next process', async () => {
  const disk = await Disk.make();
  await started(await disk.open(), 0, 5);
  const found = Promise.withResolvers<Recovered>();
  const books = await disk.open(() => found.promise);
  const joined = again(books, 0);
  assert.equal(await settled(joined), false);
  await books.close();
  await assert.rejects(joined, is('HOST_STOPPING'));
  found.resolve({ done: BODY });
  await turn();
  assert.equal(await disk.spent(), 0);
  assert.deepEqual(await again(await disk.open(async () => ({ done: BODY })), 0), BODY);
});
