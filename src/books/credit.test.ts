/**
 * What becomes of money that is not used: refunds, caps, expiry, payments that came too early, the
 * budget for work that nobody pays for, and calls that a crash has cut.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault, type FaultCode } from '../base/fault/index.ts';
import { silentLog } from '../base/log/index.ts';
import { msat } from '../base/money/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import { isBalanced, type SessionTerms } from '../pay/ledger/index.ts';
import { openHostStore, type HostStore } from '../port/store/index.ts';
import type { RefundRequest } from './books.ts';
import { openBooks, type Admission, type Books, type BooksLimits } from './index.ts';

const START_MS = 1_000_000;
const DAY_MS = 86_400_000;

function hex(value: number, length: number): string {
  return value.toString(16).padStart(length * 2, '0');
}

/** Ten calls for 10 sat each. */
function terms(s: number, change: Partial<SessionTerms> = {}): SessionTerms {
  return {
    session: hex(s, 16),
    service: 'quotes',
    calls: 10,
    totalMsat: msat(100_000),
    paymentHash: hex(s, 32),
    openedAtMs: unixMs(START_MS),
    payByMs: unixMs(START_MS + 600_000),
    expiresAtMs: unixMs(START_MS + DAY_MS),
    setup: hex(1000 + s, 32),
    payer: hex(5, 32),
    codeKey: new Uint8Array(32),
    reply: new Uint8Array(9),
    ...change,
  };
}

class Desk {
  readonly disk: HostStore;
  readonly #limits: Partial<BooksLimits>;
  books!: Books;
  nowMs = START_MS;
  /** Runs before the next commit is written. */
  beforeCommit: (() => Promise<void>) | undefined;

  private constructor(disk: HostStore, limits: Partial<BooksLimits>) {
    this.disk = disk;
    this.#limits = limits;
  }

  static async make(limits: Partial<BooksLimits> = {}): Promise<Desk> {
    const desk = new Desk(await openHostStore({ file: ':memory:', thread: false }), limits);
    await desk.start();
    return desk;
  }

  /** With sessions 1 to `count`, open and paid a minute ago. */
  static async paid(count = 1, limits?: Partial<BooksLimits>): Promise<Desk> {
    const desk = await Desk.make(limits);
    for (let s = 1; s <= count; s++) {
      await desk.books.open(terms(s));
      assert.equal(await desk.receive(s), 'credited');
    }
    desk.nowMs += 60_000;
    return desk;
  }

  /** A process on the disk as it is. */
  async start(): Promise<void> {
    const clock: Clock = {
      now: () => unixMs(this.nowMs),
      monotonicMs: () => this.nowMs,
      sleep: () => Promise.reject(new Error('the books do not sleep')),
      timer: () => () => undefined,
    };
    const commit: HostStore['commit'] = async (groups) => {
      const before = this.beforeCommit;
      this.beforeCommit = undefined;
      await before?.();
      return this.disk.commit(groups);
    };
    const store = { ...this.disk, commit, close: async () => undefined };
    this.books = await openBooks({ store, clock, log: silentLog, limits: this.#limits });
  }

  receive(s: number, amount = 100_000n, cursor = BigInt(s)): Promise<string> {
    const paidAtMs = unixMs(this.nowMs);
    const receivedMsat = msat(amount);
    return this.books.received({ paymentHash: hex(s, 32), receivedMsat, paidAtMs, cursor });
  }

  async run(n: bigint, s = 1): Promise<Extract<Admission, { kind: 'run' }>> {
    const call = { n, done: n, digest: hex(1, 16) };
    const admission = await this.books.admit(hex(s, 16), call, 'none');
    assert.equal(admission.kind, 'run');
    return admission;
  }

  async state(s = 1) {
    const found = await this.books.session(hex(s, 16));
    assert.ok(found !== undefined);
    return found.state;
  }

  async close(): Promise<void> {
    assert.ok(isBalanced(await this.books.sheet()));
    assert.deepEqual(await this.disk.audit(), []);
    await this.disk.close();
  }
}

function request(hash: number, amount: bigint, s = 1): RefundRequest {
  const session = hex(s, 16);
  return { session, paymentHash: hex(hash, 32), invoice: `i${hash}`, amountMsat: msat(amount) };
}

function code(expected: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === expected;
}

test('a refund is set aside with its fee, then leaves with what routing cost', async () => {
  const desk = await Desk.paid();
  const refund = await desk.books.refund(request(9, 50_000n));
  assert.equal(refund.state, 'refunding');
  assert.equal(refund.feeLimitMsat, 1_000n);
  assert.equal((await desk.state()).creditMsat, 49_000n);
  assert.equal((await desk.state()).refundingMsat, 51_000n);
  assert.equal((await desk.state()).callsLeft, 4, 'calls that can be paid');
  assert.deepEqual(await desk.books.refund(request(9, 50_000n)), refund, 'a repeat moves nothing');
  const end = { state: 'refunded', feeMsat: msat(300) } as const;
  const ended = await desk.books.refundEnded(hex(9, 32), end);
  assert.deepEqual(ended, { ...refund, state: 'refunded', feeMsat: 300n });
  assert.deepEqual(
    await desk.books.refundEnded(hex(9, 32), { state: 'failed', reason: 'x' }),
    ended,
  );
  assert.deepEqual(await desk.books.refund(request(9, 50_000n)), ended);
  assert.equal((await desk.state()).creditMsat, 49_700n);
  const { refundedMsat, refundFeesMsat, refundingMsat } = await desk.books.sheet();
  assert.deepEqual([refundedMsat, refundFeesMsat, refundingMsat], [50_000n, 300n, 0n]);
  const {
    lastAskedAtMs: _,
    lastPaidAtMs: _paid,
    topUpUntilMs: _until,
    ...totals
  } = await desk.books.refundTotals(hex(1, 16));
  assert.deepEqual(totals, { refundedMsat: 50_000n, feesMsat: 300n, count: 1 });
  await desk.close();
});

test('a refund that failed is credit again; its hash stays used', async () => {
  const desk = await Desk.paid();
  await desk.books.refund(request(9, 50_000n));
  const end = { state: 'failed', reason: 'PAYMENT_NO_ROUTE' } as const;
  assert.equal((await desk.books.refundEnded(hex(9, 32), end)).reason, 'PAYMENT_NO_ROUTE');
  assert.equal((await desk.state()).creditMsat, 100_000n);
  assert.equal((await desk.state()).callsLeft, 10);
  assert.equal((await desk.books.refund(request(9, 50_000n))).state, 'failed');
  await assert.rejects(desk.books.refund(request(9, 40_000n)), code('REFUND_HASH_USED'));
  await desk.close();
});

test('a wallet that paid more in fees than it was allowed pays the rest itself', async () => {
  const desk = await Desk.paid();
  await desk.books.refund(request(9, 50_000n));
  const end = { state: 'refunded', feeMsat: msat(5_000) } as const;
  assert.equal((await desk.books.refundEnded(hex(9, 32), end)).feeMsat, 1_000n);
  await desk.close();
});

test('refunds are refused in the order of precedence', async () => {
  const desk = await Desk.paid(3, { openRefunds: 2 });
  await desk.books.open(terms(4));
  await desk.books.open(terms(5, { calls: 1, totalMsat: msat(1_000) }));
  await desk.receive(5, 1_000n);
  await desk.books.refund(request(91, 50_000n));
  const refused: readonly (readonly [RefundRequest, FaultCode])[] = [
    [request(91, 50_000n, 2), 'REFUND_HASH_USED'],
    [request(92, 1n, 77), 'SESSION_UNKNOWN'],
    [request(92, 1n, 4), 'SESSION_UNPAID'],
    [request(92, 1n, 5), 'REFUND_DUST'],
    [request(92, 99_001n, 2), 'REFUND_EXCEEDS'],
    [request(92, 48_001n, 1), 'REFUND_EXCEEDS'],
    [request(92, 1n, 1), 'REFUND_EARLY'],
  ];
  for (const [asked, expected] of refused) {
    await assert.rejects(desk.books.refund(asked), code(expected), expected);
  }
  desk.nowMs += 60_000;
  await assert.rejects(desk.books.refund(request(92, 1n)), code('REFUND_BUSY'), 'its own');
  await desk.books.refund(request(92, 99_000n, 2));
  await assert.rejects(desk.books.refund(request(93, 1n, 3)), code('REFUND_BUSY'), 'all places');
  await desk.start();
  await assert.rejects(desk.books.refund(request(93, 1n, 3)), code('REFUND_BUSY'), 'after a start');
  assert.equal((await desk.books.openRefunds()).length, 2);
  await desk.books.refundEnded(hex(92, 32), { state: 'failed', reason: 'x' });
  assert.equal((await desk.books.refund(request(93, 1n, 3))).state, 'refunding');
  await desk.close();
});

test('refunds that one payer holds back leave the places of others free', async () => {
  const desk = await Desk.paid(3, { openRefundsPerPayer: 2 });
  await desk.books.open(terms(4, { payer: hex(6, 32) }));
  await desk.receive(4);
  desk.nowMs += 60_000;
  await desk.books.refund(request(91, 1n, 1));
  const both = [request(92, 1n, 2), request(93, 1n, 3)].map((asked) => desk.books.refund(asked));
  const [second, third] = await Promise.allSettled(both);
  assert.equal(second?.status, 'fulfilled');
  assert.ok(third?.status === 'rejected' && code('REFUND_BUSY')(third.reason));
  await desk.start();
  await assert.rejects(desk.books.refund(request(93, 1n, 3)), code('REFUND_BUSY'), 'after a start');
  assert.equal((await desk.books.refund(request(94, 1n, 4))).state, 'refunding');
  await desk.books.refundEnded(hex(91, 32), { state: 'failed', reason: 'x' });
  assert.equal((await desk.books.refund(request(93, 1n, 3))).state, 'refunding');
  await desk.close();
});

test('a top-up that was just paid is not refunded at once either', async () => {
  const desk = await Desk.paid();
  const more = { session: hex(1, 16), service: 'quotes', calls: 5, totalMsat: msat(50_000) };
  const until = { payByMs: unixMs(desk.nowMs + 600_000), expiresAtMs: unixMs(START_MS + DAY_MS) };
  const named = { id: hex(1, 16), paymentHash: hex(40, 32), reply: new Uint8Array(9) };
  await desk.books.topUp({ ...more, ...until, ...named, paid: false });
  await desk.receive(40, 50_000n);
  assert.equal((await desk.state()).creditMsat, 150_000n);
  await assert.rejects(desk.books.refund(request(9, 100_000n)), code('REFUND_EARLY'));
  desk.nowMs += 60_000;
  assert.equal((await desk.books.refund(request(9, 100_000n))).state, 'refunding');
  await desk.close();
});

test('refunds without end are slowed down: the pause doubles from the fourth on', async () => {
  const desk = await Desk.paid();
  const MINUTE_MS = 60_000;
  const pauses: number[] = [];
  for (let i = 0; i < 16; i++) {
    let pauseMs = 0;
    for (;;) {
      try {
        await desk.books.refund(request(100 + i, 1n));
        break;
      } catch (error) {
        if (!isFault(error)) throw error;
        assert.equal(error.code, 'REFUND_EARLY');
        const waitMs = Number(error.facts['waitMs']);
        desk.nowMs += waitMs;
        pauseMs += waitMs;
      }
    }
    pauses.push(pauseMs / MINUTE_MS);
    await desk.books.refundEnded(hex(100 + i, 32), { state: 'failed', reason: 'x' });
  }
  assert.deepEqual(
    pauses.slice(1),
    [1, 1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024],
  );
  assert.equal((await desk.state()).creditMsat, 100_000n);
  await desk.close();
});

test('money cannot be reserved and refunded at once, in whatever order', async () => {
  const desk = await Desk.paid();
  const running = await desk.run(0n);
  await assert.rejects(desk.books.refund(request(9, 90_000n)), code('REFUND_EXCEEDS'));
  desk.beforeCommit = async () => {
    await assert.rejects(desk.run(1n), code('SESSION_EXHAUSTED'));
    assert.equal((await desk.state()).creditMsat, 0n);
  };
  assert.equal((await desk.books.refund(request(9, 89_000n))).state, 'refunding');
  assert.equal(desk.beforeCommit, undefined);
  await running.charge(new Uint8Array(1));
  assert.equal((await desk.state()).creditMsat, 0n);
  assert.equal((await desk.state()).callsLeft, 0);
  await desk.close();
});

test('what one payer and all payers have prepaid is capped before an invoice', async () => {
  const caps = { maxPrepaidMsat: msat(250_000), maxLiabilityMsat: msat(300_000) };
  const desk = await Desk.paid(1, caps);
  const order = (payer: number) => ({ payer: hex(payer, 32), totalMsat: msat(100_000) });
  await desk.books.open(terms(2));
  await assert.rejects(desk.books.room(order(5)), (error: unknown) => {
    assert.ok(isFault(error) && error.code === 'SETUP_PREPAID');
    assert.deepEqual(error.facts, { prepaidMsat: '200000', capMsat: '250000' });
    return true;
  });
  const room = await desk.books.room(order(6));
  await assert.rejects(desk.books.room(order(7)), code('SETUP_LIABILITY'), 'rooms count');
  room.leave();
  (await desk.books.room(order(7))).leave();
  desk.nowMs += 600_000;
  (await desk.books.room(order(5))).leave();
  await desk.receive(2);
  await assert.rejects(desk.books.room(order(5)), code('SETUP_PREPAID'), 'paid after all');
  // What is served is not owed any more, at once and after a start.
  for (let n = 0n; n < 10n; n++) await (await desk.run(n)).charge(new Uint8Array(1));
  (await desk.books.room(order(5))).leave();
  await desk.start();
  (await desk.books.room(order(5))).leave();
  (await desk.books.room({ payer: hex(7, 32), totalMsat: msat(200_000) })).leave();
  const much = { payer: hex(7, 32), totalMsat: msat(200_001) };
  await assert.rejects(desk.books.room(much), code('SETUP_LIABILITY'));
  await desk.close();
});

test('credit expires when the host said so, once, and not what is in motion', async () => {
  const desk = await Desk.paid(3);
  const running = await desk.run(0n, 2);
  await desk.books.refund(request(9, 10_000n, 3));
  const expiry = unixMs(START_MS + DAY_MS);
  assert.equal(await desk.books.expireCredit(expiry), 0, 'not on the day itself');
  const after = unixMs(expiry + 1);
  assert.equal(await desk.books.expireCredit(after), 1);
  assert.equal(await desk.books.expireCredit(after), 0);
  assert.equal((await desk.state()).creditMsat, 0n);
  assert.equal((await desk.books.sheet()).expiredMsat, 100_000n);
  await running.release();
  await desk.books.refundEnded(hex(9, 32), { state: 'failed', reason: 'x' });
  await desk.start();
  assert.equal(await desk.books.expireCredit(after), 2);
  assert.equal((await desk.books.sheet()).creditMsat, 0n);
  // Money that comes later is credit, until the next sweep.
  await desk.receive(1, 5n, 9n);
  await desk.close();
});

test('a payment that came before its session is credited when the session appears', async () => {
  const desk = await Desk.make();
  assert.equal(await desk.receive(1), 'unattributed');
  assert.equal((await desk.books.sheet()).unattributedMsat, 100_000n);
  assert.ok((await desk.books.open(terms(1))).state.paid);
  assert.equal((await desk.books.sheet()).unattributedMsat, 0n);
  assert.equal(await desk.receive(1), 'exists');
  assert.equal((await desk.state()).creditMsat, 100_000n);
  // Both at once, and a crash in between.
  await Promise.all([desk.receive(2), desk.books.open(terms(2))]);
  assert.equal((await desk.state(2)).creditMsat, 100_000n);
  assert.equal(await desk.receive(3), 'unattributed');
  await desk.disk.commit([{ open: terms(3) }]);
  await desk.start();
  assert.equal((await desk.state(3)).creditMsat, 100_000n);
  assert.equal(desk.books.unpaidCount(unixMs(desk.nowMs)), 0);
  await desk.close();
});

test('failing on purpose is not free work: a budget of runs and of time, draining', async () => {
  const desk = await Desk.paid(2, { budgetRuns: 3, budgetWorkMs: 60_000 });
  const running = await desk.run(0n, 2);
  for (const n of [0n, 1n, 2n]) await (await desk.run(n)).release();
  await assert.rejects(desk.run(3n), code('CALL_BUDGET'));
  await assert.rejects(desk.run(1n, 2), code('CALL_BUDGET'), 'a payer, not a session');
  assert.equal((await desk.state()).reservedMsat, 0n);
  await running.charge(new Uint8Array(1));
  desk.nowMs += 200_000;
  const slow = await desk.run(3n);
  await assert.rejects(
    desk
      .run(1n, 2)
      .then((more) => more.release())
      .then(() => desk.run(4n)),
    code('CALL_BUDGET'),
  );
  desk.nowMs += 400_000;
  await slow.release();
  await assert.rejects(desk.run(5n), code('CALL_BUDGET'), 'its time');
  desk.nowMs += 601_000;
  await (await desk.run(5n)).charge(new Uint8Array(1));
  await desk.close();
});

test('a call that was cut is answered, run or left alone, as its service says', async () => {
  const desk = await Desk.paid();
  const once = (n: bigint): Promise<Admission> =>
    desk.books.admit(hex(1, 16), { n, done: 0n, digest: hex(1, 16) }, 'once');
  for (let n = 0n; n < 4n; n++) assert.equal((await once(n)).kind, 'run');
  await desk.start();
  await assert.rejects(once(0n), code('CALL_OUTCOME_UNKNOWN'), 'nobody is asked');
  const asked: bigint[] = [];
  desk.books.recoverWith(async ({ service, session, n }) => {
    assert.deepEqual([service, session], ['quotes', hex(1, 16)]);
    asked.push(n);
    if (n === 1n) return { done: new Uint8Array([7]) };
    return n === 2n ? 'not-done' : 'unknown';
  });
  await assert.rejects(once(0n), code('CALL_OUTCOME_UNKNOWN'));
  const both = await Promise.all([once(1n), once(1n)]);
  for (const admission of both) {
    assert.equal(admission.kind, 'repeat');
    assert.deepEqual(await admission.answer, {
      body: new Uint8Array([7]),
      chargedMsat: msat(10_000),
    });
  }
  assert.deepEqual(asked, [0n, 1n], 'one is asked for both');
  assert.equal((await desk.state()).chargedMsat, 10_000n);
  const again = await once(2n);
  assert.equal(again.kind, 'run');
  await desk.start();
  await assert.rejects(once(2n), code('CALL_OUTCOME_UNKNOWN'), 'it was started once more');
  const kept = await once(1n);
  assert.equal(kept.kind, 'repeat', 'charged and answered for good');
  assert.deepEqual((await kept.answer).body, new Uint8Array([7]));
  assert.equal((await desk.state()).reservedMsat, 0n);
  await desk.close();
});

test('a call that was done after all, and refunded meanwhile, is not charged', async () => {
  const desk = await Desk.paid();
  const once = (): Promise<Admission> =>
    desk.books.admit(hex(1, 16), { n: 0n, done: 0n, digest: hex(1, 16) }, 'once');
  await once();
  await desk.start();
  desk.books.recoverWith(async () => ({ done: new Uint8Array(1) }));
  await desk.books.refund(request(9, 95_000n));
  await assert.rejects(once(), code('SESSION_EXHAUSTED'));
  assert.equal((await desk.state()).chargedMsat, 0n);
  await desk.books.refundEnded(hex(9, 32), { state: 'failed', reason: 'x' });
  assert.equal((await once()).kind, 'repeat');
  await desk.close();
});
