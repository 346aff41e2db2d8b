/**
 * What the books promise, one test each.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Fault, isFault } from '../base/fault/index.ts';
import { silentLog } from '../base/log/index.ts';
import { msat } from '../base/money/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import { isBalanced, type Effect, type SessionTerms } from '../pay/ledger/index.ts';
import { openHostStore, type HostStore } from '../port/store/index.ts';
import { openBooks, type Admission, type Answer, type Books } from './index.ts';

const S = '11'.repeat(16);
const A = 'aa'.repeat(16);
const B = 'bb'.repeat(16);
const BODY = new Uint8Array([1, 2, 3]);
const TERMS: SessionTerms = {
  session: S,
  service: 'quotes',
  calls: 3,
  totalMsat: msat(1000),
  paymentHash: '22'.repeat(32),
  openedAtMs: unixMs(0),
  payByMs: unixMs(50),
  expiresAtMs: unixMs(100),
  setup: '33'.repeat(32),
  payer: '44'.repeat(32),
  codeKey: new Uint8Array(32),
  reply: new Uint8Array(9),
};

type Running = Extract<Admission, { kind: 'run' }>;
type Rerunning = Extract<Admission, { kind: 'rerun' }>;

/** A host with a store that outlives it. */
class Desk {
  readonly disk: HostStore;
  books!: Books;
  nowMs = 1;
  commits = 0;
  failing: Fault | undefined;
  readonly broken: Fault[] = [];

  constructor(disk: HostStore) {
    this.disk = disk;
  }

  static async make(answerBytes = 1e6): Promise<Desk> {
    const desk = new Desk(await openHostStore({ file: ':memory:', thread: false }));
    await desk.start(answerBytes);
    return desk;
  }

  /** With a session that is open and paid. */
  static async paid(answerBytes?: number): Promise<Desk> {
    const desk = await Desk.make(answerBytes);
    await desk.books.open(TERMS);
    assert.equal(await desk.receive(1000n), 'credited');
    return desk;
  }

  async start(answerBytes = 1e6): Promise<void> {
    const clock: Clock = {
      now: () => unixMs(this.nowMs),
      monotonicMs: () => this.nowMs,
      sleep: () => Promise.reject(new Error('the books do not sleep')),
      timer: () => () => undefined,
    };
    const store: HostStore = {
      ...this.disk,
      commit: async (groups) => {
        this.commits++;
        if (this.failing !== undefined) throw this.failing;
        return this.disk.commit(groups);
      },
      close: async () => undefined,
    };
    const onBroken = (fault: Fault): void => void this.broken.push(fault);
    const limits = { answerBytes };
    this.books = await openBooks({ store, clock, log: silentLog, limits, onBroken });
  }

  receive(amount: bigint, paymentHash = TERMS.paymentHash, cursor = 1n): Promise<string> {
    const receivedMsat = msat(amount);
    return this.books.received({ paymentHash, receivedMsat, paidAtMs: unixMs(2), cursor });
  }

  admit(
    n: bigint,
    change: { digest?: string; done?: bigint; effect?: Effect } = {},
  ): Promise<Admission> {
    const { digest = A, done = 0n, effect = 'none' } = change;
    return this.books.admit(S, { n, done, digest }, effect);
  }

  async run(n: bigint, effect: Effect = 'none'): Promise<Running> {
    const admission = await this.admit(n, { effect });
    assert.equal(admission.kind, 'run');
    return admission;
  }

  async state() {
    const found = await this.books.session(S);
    assert.ok(found !== undefined);
    return found.state;
  }
}

function answerOf(admission: Admission): Promise<Answer> {
  assert.equal(admission.kind, 'repeat');
  return admission.answer;
}

async function repeatOf(admission: Promise<Admission>): Promise<Answer> {
  return answerOf(await admission);
}

function code(expected: string): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === expected;
}

test('the same set-up opens the same session, also at the same time', async () => {
  const desk = await Desk.make();
  const other = { ...TERMS, session: '99'.repeat(16), paymentHash: '98'.repeat(32) };
  const opened = await Promise.all([desk.books.open(TERMS), desk.books.open(other)]);
  assert.deepEqual(
    opened.map(({ terms }) => terms.session),
    [S, S],
  );
  assert.equal((await desk.books.sessionBySetup(TERMS.setup))?.terms.session, S);
  assert.equal(desk.books.unpaidCount(unixMs(49)), 1);
  const reused = { ...TERMS, session: '99'.repeat(16), setup: '97'.repeat(32) };
  await assert.rejects(desk.books.open(reused), code('INVOICE_HASH_USED'));
  assert.equal(desk.books.unpaidCount(unixMs(50)), 0);
});

test('a payment counts once; too little is credit that the rest adds to', async () => {
  const desk = await Desk.make();
  await desk.books.open(TERMS);
  assert.equal(await desk.receive(999n), 'credited');
  await assert.rejects(desk.admit(0n), code('SESSION_UNPAID'));
  assert.deepEqual([(await desk.state()).creditMsat, (await desk.state()).callsLeft], [999n, 0]);
  assert.equal(await desk.receive(999n, undefined, 2n), 'exists');
  assert.equal(await desk.receive(555n, undefined, 3n), 'exists');
  assert.equal((await desk.state()).paidMsat, 999n);
  assert.equal(desk.books.walletCursor(), 3n);
  assert.equal(await desk.receive(7n, '98'.repeat(32), 4n), 'unattributed');
  assert.equal(await desk.receive(0n, '97'.repeat(32), 5n), 'unattributed');
  assert.equal(desk.books.walletCursor(), 5n, 'a payment of nothing holds up none');
  assert.equal((await desk.books.sheet()).unattributedMsat, 7n);
  await desk.start();
  assert.equal(desk.books.walletCursor(), 5n);
  assert.equal(desk.books.unpaidCount(unixMs(1)), 1);
});

test('what is paid beyond the total stays credit when all calls are used', async () => {
  const desk = await Desk.make();
  await desk.books.open(TERMS);
  await desk.receive(1005n);
  const prices: bigint[] = [];
  for (const n of [0n, 1n, 2n]) prices.push((await (await desk.run(n)).charge(BODY)).chargedMsat);
  assert.deepEqual(prices, [333n, 333n, 334n]);
  const { creditMsat, callsLeft, chargedMsat } = await desk.state();
  assert.deepEqual([creditMsat, callsLeft, chargedMsat], [5n, 0, 1000n]);
  await assert.rejects(desk.admit(3n), code('SESSION_EXHAUSTED'));
  assert.deepEqual(await desk.disk.audit(), []);
});

test('of two who race for the last call exactly one runs', async () => {
  const desk = await Desk.paid();
  for (const n of [0n, 1n]) await (await desk.run(n)).charge(BODY);
  const results = await Promise.allSettled([desk.admit(2n), desk.admit(3n)]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
});

test('a call that is under way is joined, and another request of its number refused', async () => {
  const desk = await Desk.paid();
  const run = await desk.run(0n);
  const joined = repeatOf(desk.admit(0n));
  await assert.rejects(desk.admit(0n, { digest: B }), code('CALL_CONFLICT'));
  const answer = await run.charge(BODY);
  assert.deepEqual(await joined, answer);
  assert.deepEqual(await repeatOf(desk.admit(0n)), answer);
  assert.equal((await desk.state()).chargedCalls, 1);
});

test('a released call is credit again, and whoever joined it gets the same fault', async () => {
  const desk = await Desk.paid();
  for (const [n, effect] of [
    [0n, 'none'],
    [1n, 'once'],
  ] as const) {
    const run = await desk.run(n, effect);
    assert.equal((await desk.state()).reservedMsat, 333n);
    const joined = assert.rejects(answerOf(await desk.admit(n)), code('SERVICE_TIMEOUT'));
    await run.release(new Fault('SERVICE_TIMEOUT'));
    await joined;
    assert.deepEqual((await desk.state()).creditMsat, 1000n);
    await assert.rejects(run.charge(BODY), /invariant/);
  }
  assert.equal((await desk.disk.sheet()).reservedMsat, 0n);
});

test('a number whose call failed never runs again: a late message costs nothing', async () => {
  const desk = await Desk.paid();
  for (const [n, effect] of [
    [0n, 'none'],
    [1n, 'once'],
  ] as const) {
    await (await desk.run(n, effect)).release(new Fault('SERVICE_FAILED'));
    await assert.rejects(desk.admit(n), code('CALL_FAILED'));
    await assert.rejects(desk.admit(n, { digest: B }), code('CALL_CONFLICT'));
  }
  await (await desk.run(2n)).release(new Fault('HOST_STOPPING'));
  await desk.start();
  await assert.rejects(desk.admit(1n), code('CALL_FAILED'), 'durable for effect once');
  assert.equal((await desk.admit(2n)).kind, 'run', 'cut by us, so it may be sent again');
  assert.equal((await desk.state()).chargedMsat, 0n);
});

test('a lost answer is made again once, uncharged', async () => {
  const desk = await Desk.paid(0);
  await (await desk.run(0n)).charge(BODY);
  const rerun = (await desk.admit(0n)) as Rerunning;
  assert.equal(rerun.kind, 'rerun');
  const joined = assert.rejects(answerOf(await desk.admit(0n)), code('SERVICE_FAILED'));
  rerun.failed();
  await joined;
  const second = (await desk.admit(0n)) as Rerunning;
  const answer = await second.answered(BODY);
  assert.equal(answer.chargedMsat, 333n);
  await assert.rejects(desk.admit(0n), code('CALL_RERUNS'));
  // A crash of the host may have cost the payer that answer too.
  await desk.start(0);
  assert.equal((await desk.admit(0n)).kind, 'rerun');
  assert.equal((await desk.state()).chargedMsat, 333n);
});

test('reruns that fail are not for ever', async () => {
  const desk = await Desk.paid(0);
  await (await desk.run(0n)).charge(BODY);
  for (let i = 0; i < 3; i++) ((await desk.admit(0n)) as Rerunning).failed();
  await assert.rejects(desk.admit(0n), code('CALL_RERUNS'));
});

test('the answer of a call with effect once is stored until it is resolved', async () => {
  const desk = await Desk.paid(0);
  const answer = await (await desk.run(0n, 'once')).charge(BODY);
  await desk.start(0);
  assert.deepEqual(await repeatOf(desk.admit(0n, { effect: 'once' })), answer);
  await (await desk.admit(1n, { done: 1n }).then((run) => run as Running)).charge(BODY);
  assert.equal(await desk.disk.storedAnswer(S, 0n), undefined);
  await assert.rejects(desk.admit(0n), code('CALL_FORGOTTEN'));
});

test('a crash leaves an unknown outcome of effect once, and nothing of effect none', async () => {
  const desk = await Desk.paid();
  await desk.run(0n, 'once');
  await desk.run(1n, 'none');
  await desk.start();
  await assert.rejects(desk.admit(0n, { effect: 'once' }), code('CALL_OUTCOME_UNKNOWN'));
  assert.deepEqual((await desk.state()).creditMsat, 1000n);
  await desk.start();
  await assert.rejects(desk.admit(0n, { effect: 'once' }), code('CALL_OUTCOME_UNKNOWN'));
  await desk.run(1n);
});

test('a commit that fails withholds every answer, once and for all', async () => {
  const desk = await Desk.paid();
  const [first, second, third] = [await desk.run(0n), await desk.run(1n), await desk.run(2n)];
  const joined = repeatOf(desk.admit(2n));
  desk.failing = new Fault('STORE_FULL');
  const charges = [first.charge(BODY), second.charge(BODY)];
  for (const charge of charges) await assert.rejects(charge, code('STORE_FULL'));
  await assert.rejects(joined, code('STORE_FULL'));
  desk.failing = undefined;
  await assert.rejects(third.charge(BODY), code('HOST_BROKEN'));
  await assert.rejects(desk.admit(0n), code('HOST_BROKEN'));
  await assert.rejects(desk.books.sheet(), code('HOST_BROKEN'));
  await assert.rejects(desk.receive(1n), code('HOST_BROKEN'));
  assert.deepEqual(
    desk.broken.map((fault) => fault.code),
    ['STORE_FULL'],
  );
  await desk.start();
  assert.equal((await desk.state()).chargedCalls, 0);
});

test('calls that end together share a commit', async () => {
  const desk = await Desk.paid();
  const runs = [await desk.run(0n), await desk.run(1n), await desk.run(2n)];
  const before = desk.commits;
  await Promise.all(runs.map((run) => run.charge(BODY)));
  assert.equal(desk.commits - before, 1);
});

test('expiry ends service, not the debt; a clock that goes back revives nothing', async () => {
  const desk = await Desk.paid();
  const answer = await (await desk.run(0n)).charge(BODY);
  desk.nowMs = 100;
  await assert.rejects(desk.admit(1n), code('SESSION_EXPIRED'));
  desk.nowMs = 1;
  await assert.rejects(desk.admit(1n), code('SESSION_EXPIRED'));
  assert.deepEqual(await repeatOf(desk.admit(0n)), answer);
  assert.equal((await desk.state()).creditMsat, 667n);
  assert.ok(isBalanced(await desk.books.sheet()));
});

test('what cannot be stored is refused before anything happens', async () => {
  const desk = await Desk.paid();
  const before = desk.commits;
  await assert.rejects(desk.admit(1n << 64n), code('BYTES_LENGTH'));
  await assert.rejects(desk.admit(-1n), code('BYTES_LENGTH'));
  await assert.rejects(desk.admit(0n, { digest: 'aa' }), code('BYTES_LENGTH'));
  await assert.rejects(desk.admit(0n, { digest: 'zz'.repeat(16) }), code('BYTES_MALFORMED'));
  const unknown = { n: 0n, done: 0n, digest: A };
  await assert.rejects(desk.books.admit('99'.repeat(16), unknown, 'none'), code('SESSION_UNKNOWN'));
  assert.equal(desk.commits, before);
});

test('closing waits for what is being written; later calls are refused', async () => {
  const desk = await Desk.paid();
  const charge = (await desk.run(0n)).charge(BODY);
  await desk.books.close();
  assert.deepEqual((await charge).body, BODY);
  await assert.rejects(desk.admit(1n), code('HOST_STOPPING'));
  await desk.books.close();
});

test('the threaded store on a file keeps the same promises', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-books-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const open = async (): Promise<Desk> => {
    const desk = new Desk(await openHostStore({ file: join(dir, 'host.db'), thread: true }));
    await desk.start();
    return desk;
  };
  const desk = await open();
  await desk.books.open(TERMS);
  await desk.receive(1000n);
  const runs = await Promise.all([desk.run(0n), desk.run(1n, 'once'), desk.run(2n, 'once')]);
  await Promise.all([runs[0].charge(BODY), runs[1].charge(BODY)]);
  await desk.disk.close();
  const again = await open();
  assert.deepEqual((await repeatOf(again.admit(1n))).body, BODY);
  assert.equal((await again.admit(0n)).kind, 'rerun');
  await assert.rejects(again.admit(2n), code('CALL_OUTCOME_UNKNOWN'));
  assert.equal((await again.state()).chargedMsat, 666n);
  assert.deepEqual(await again.disk.audit(), []);
  await again.books.close();
  await again.disk.close();
});
