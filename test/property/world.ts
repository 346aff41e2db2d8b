/**
 * A host's books under a random payer, a random disk and random crashes, and a model that knows
 * what must hold after each event.
 * @module
 */
import assert from 'node:assert/strict';
import { Fault, isFault } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat, type Msat } from '../../src/base/money/index.ts';
import { unixMs, type Clock } from '../../src/base/time/index.ts';
import {
  openBooks,
  type Admission,
  type Answer,
  type Books,
  type Recovered,
} from '../../src/books/index.ts';
import {
  isBalanced,
  type Effect,
  type RefundEnd,
  type SessionTerms,
} from '../../src/pay/ledger/index.ts';
import { GatedDisk, type Fate } from './gated-store.ts';

/** A number as hex of so many bytes. */
export function hex(value: number, length: number): string {
  return value.toString(16).padStart(length * 2, '0');
}

/** What two requests of the same number may differ in. */
export type Request = { readonly s: number; readonly n: number; readonly d: number };

interface Run {
  readonly request: Request;
  readonly effect: Effect;
  readonly admission: Extract<Admission, { kind: 'run' | 'rerun' }>;
}

/** What the model knows of one request id. */
interface Known {
  /** Digests under which `charge` was asked for. */
  readonly charging: Set<number>;
  /** How often `charge` was acknowledged. */
  acknowledged: number;
  /** Digests under which it may have been started with effect once: a crash leaves it unknown. */
  readonly cut: Set<number>;
  /** Digests under which a release was asked for: the number is dead then. */
  readonly failed: Set<number>;
  /** It was started with effect once, and no release was asked for. */
  startedOnce: boolean;
}

const DAY_MS = 86_400_000;
/** The total of each bundle: none can be divided evenly by its calls. */
export const TOTALS = [10_001n, 7n, 2000n, 11n].map((total) => msat(total));
/** The calls of each bundle. */
export const CALLS = [7, 3, 100, 2];
/** What one payer may be owed, and all together; every bundle here is of the same payer. */
const MAX_PREPAID_MSAT = msat(16_000);
const MAX_LIABILITY_MSAT = msat(20_000);

/** A call that a crash has cut, whose service is being asked. */
interface Recovering {
  readonly s: number;
  readonly n: number;
  readonly resolve: (found: Recovered) => void;
}

/** What a service says of a call that was cut. */
export type Found = 'done' | 'not-done' | 'unknown';

/** The world. */
export class World {
  readonly gated: GatedDisk;
  books!: Books;
  nowMs = DAY_MS;
  broken = 0;
  #crashes = 0;
  readonly runs: Run[] = [];
  readonly #recovering: Recovering[] = [];
  readonly #rooms: { readonly totalMsat: bigint; leave(): void }[] = [];
  readonly #known = new Map<string, Known>();
  readonly #acknowledgedMsat = new Map<number, bigint>();
  /** How each refund ended, by its hash: what was once seen never changes. */
  readonly #ended = new Map<string, string>();
  readonly #problems: unknown[] = [];

  private constructor(gated: GatedDisk) {
    this.gated = gated;
  }

  /** A new host. */
  static async make(): Promise<World> {
    const world = new World(await GatedDisk.make());
    await world.start();
    return world;
  }

  /** Starts a process on the disk as it is. */
  async start(): Promise<void> {
    const { store, gate } = this.gated.open();
    const clock: Clock = {
      now: () => unixMs(this.nowMs),
      monotonicMs: () => this.nowMs,
      sleep: () => new Promise(() => undefined),
      timer: () => () => undefined,
    };
    const caps = { maxPrepaidMsat: MAX_PREPAID_MSAT, maxLiabilityMsat: MAX_LIABILITY_MSAT };
    const limits = { hotSessions: 1, answerBytes: 1200, refundAfterMs: 0, ...caps };
    const onBroken = (): void => void this.broken++;
    this.broken = 0;
    this.books = await openBooks({ store, clock, log: silentLog, limits, onBroken });
    this.books.recoverWith(({ session, n }) => {
      const { promise, resolve } = Promise.withResolvers<Recovered>();
      this.#recovering.push({ s: Number(`0x${session}`), n: Number(n), resolve });
      return promise;
    });
    gate();
  }

  /** The process dies and a new one starts. */
  async crash(writes: boolean): Promise<void> {
    this.#crashes++;
    this.runs.splice(0);
    // Nobody waits for their answers any more.
    this.#recovering.splice(0);
    this.#rooms.splice(0);
    await this.gated.crash(writes);
    await settled();
    await this.start();
  }

  /** Lets the commit that waits go on. A failure ends the process. */
  async step(fate: Fate): Promise<void> {
    const stepped = await this.gated.step(fate);
    await settled();
    if (!stepped || fate === 'durable') return;
    assert.equal(this.broken, 1, 'a failed commit breaks the books once');
    await assert.rejects(this.books.sheet(), refused(['HOST_BROKEN']));
    await this.crash(false);
  }

  open(s: number): void {
    this.#expect(this.books.open(termsOf(s)), []);
  }

  receive(s: number, payment: number, amount: bigint): void {
    const paymentHash = payment === 0 ? termsOf(s).paymentHash : hex(1000 * s + payment, 32);
    const paidAtMs = unixMs(this.nowMs);
    const cursor = BigInt(payment + 10 * s);
    this.#expect(
      this.books.received({ paymentHash, receivedMsat: msat(amount), paidAtMs, cursor }),
      [],
    );
  }

  /** The service of a call that was cut finds out what became of it. */
  async recover(index: number, found: Found): Promise<void> {
    const asked = this.#recovering.splice(index % Math.max(1, this.#recovering.length), 1)[0];
    if (asked === undefined) return;
    const { s, n, resolve } = asked;
    const row = await this.gated.disk.session(hex(s, 16));
    const entry = row?.calls.entries.find((one) => one.n === BigInt(n));
    const d = Number(`0x${entry?.digest ?? '0'}`);
    const known = this.known({ s, n, d });
    // What was not done may be run again, and what was done is charged.
    if (found === 'not-done') known.startedOnce = false;
    if (found === 'done') known.charging.add(d);
    resolve(found === 'done' ? { done: new Uint8Array(300).fill(d) } : found);
  }

  /** Somebody orders; what one payer has ordered and not given up stays below the cap. */
  room(totalMsat: bigint): void {
    const order = { payer: hex(9, 32), totalMsat: msat(totalMsat) };
    const rooms = this.#rooms;
    const books = this.books;
    const asked = books.room(order).then((room) => {
      if (books !== this.books) return room.leave();
      rooms.push({ totalMsat, leave: () => room.leave() });
      const heldMsat = rooms.reduce((sum, room) => sum + room.totalMsat, 0n);
      assert.ok(heldMsat <= MAX_PREPAID_MSAT, 'open orders of one payer');
    });
    this.#expect(asked, ['SETUP_PREPAID', 'SETUP_LIABILITY']);
  }

  /** An order comes to nothing. */
  leave(index: number): void {
    this.#rooms.splice(index % Math.max(1, this.#rooms.length), 1)[0]?.leave();
  }

  /** More calls are ordered; the invoice is the payment of that number. */
  topUp(s: number, payment: number): void {
    this.#expect(
      this.books.topUp({
        session: hex(s, 16),
        id: hex(payment, 16),
        service: 'quotes',
        calls: 3,
        totalMsat: msat(4_001n),
        paymentHash: hex(1000 * s + payment, 32),
        payByMs: unixMs(2 * DAY_MS),
        expiresAtMs: unixMs(11 * DAY_MS),
        reply: new Uint8Array(10),
        paid: false,
      }),
      ['SESSION_UNKNOWN', 'INVOICE_HASH_USED'],
    );
  }

  /** The spender asks for a refund; one hash may be asked for by several sessions. */
  refund(s: number, hash: number, amount: bigint): void {
    const paymentHash = refundHash(hash);
    const request = { session: hex(s, 16), invoice: `invoice ${hash}`, paymentHash };
    const asked = this.books
      .refund({ ...request, amountMsat: msat(amount) })
      .then(async (refund) => {
        const stored = await this.gated.disk.refund(paymentHash);
        assert.equal(stored?.session, refund.session, 'nothing is paid before it is set aside');
        assert.equal(refund.amountMsat, amount);
      });
    this.#expect(asked, REFUSED_REFUNDS);
  }

  /** The wallet says how a refund ended; it may say something else later, or say it twice. */
  async endRefund(hash: number, feeMsat: bigint | undefined): Promise<void> {
    const paymentHash = refundHash(hash);
    if ((await this.gated.disk.refund(paymentHash)) === undefined) return;
    const end: RefundEnd =
      feeMsat === undefined
        ? { state: 'failed', reason: 'PAYMENT_NO_ROUTE' }
        : { state: 'refunded', feeMsat: msat(feeMsat) };
    const ended = this.books.refundEnded(paymentHash, end).then(({ state }) => {
      assert.notEqual(state, 'refunding');
      assert.equal(this.#ended.get(paymentHash) ?? state, state, 'it ends once');
      this.#ended.set(paymentHash, state);
    });
    this.#expect(ended, []);
  }

  /** Credit of sessions that expired so many days ago is no longer owed. */
  expire(days: number): void {
    this.#expect(this.books.expireCredit(unixMs(Math.max(0, this.nowMs - days * DAY_MS))), []);
  }

  /** Asks for a call; what is admitted to run waits in `runs`. */
  admit(request: Request, done: number, effect: Effect): void {
    const { s, n, d } = request;
    const before = this.known(request);
    const others = [...before.charging, ...before.cut, ...this.#running(request)];
    const failed = new Set(before.failed);
    // From here on it may be started durably, and then be cut.
    if (effect === 'once') before.cut.add(d);
    const call = { n: BigInt(n), done: BigInt(done), digest: hex(d, 16) };
    const admitted = this.books.admit(hex(s, 16), call, effect).then(
      (admission) => this.#admitted(request, effect, admission),
      (error: unknown) => {
        if (!isFault(error)) throw error;
        if (error.code === 'CALL_FAILED') assert.ok(failed.has(d), 'it had failed');
        if (error.code === 'CALL_CONFLICT') {
          assert.ok(
            [...others, ...failed].some((other) => other !== d),
            'a conflict has a cause',
          );
        }
        if (error.code === 'CALL_OUTCOME_UNKNOWN') {
          assert.ok(this.#crashes > 0 && before.cut.has(d), 'it was started and cut');
        }
      },
    );
    admitted.catch((error: unknown) => this.#problems.push(error));
  }

  /** The payer asks again for a call that a crash may have cut. */
  again(index: number): void {
    const cut = [...this.#known].filter(([, known]) => known.cut.size > 0);
    const [key, known] = cut[index % Math.max(1, cut.length)] ?? [];
    const [s = 0, n = 0] = (key ?? '').split(':').map(Number);
    const [d = 0] = known?.cut ?? [];
    if (known !== undefined) this.admit({ s, n, d }, 0, 'once');
  }

  /** A handler returns. */
  charge(index: number): void {
    const run = this.#take(index);
    if (run === undefined) return;
    const { request, admission } = run;
    const body = new Uint8Array(300).fill(request.d);
    if (admission.kind === 'rerun') {
      this.#expect(admission.answered(body), []);
      return;
    }
    const known = this.known(request);
    known.charging.add(request.d);
    const charged = admission.charge(body).then((answer) => this.#charged(request, known, answer));
    this.#expect(charged, ['STORE_FAILED', 'HOST_BROKEN']);
  }

  /** A handler fails. */
  release(index: number): void {
    const run = this.#take(index);
    if (run === undefined) return;
    const { request, admission } = run;
    if (admission.kind === 'rerun') return admission.failed(new Fault('SERVICE_FAILED'));
    const known = this.known(request);
    known.startedOnce = false;
    known.failed.add(request.d);
    this.#expect(admission.release(new Fault('SERVICE_FAILED')), ['STORE_FAILED', 'HOST_BROKEN']);
  }

  /** What must hold at every instant. */
  async check(): Promise<void> {
    await settled();
    assert.deepEqual(this.#problems, []);
    assert.ok(isBalanced(await this.gated.disk.sheet()), 'the durable sheet is balanced');
    assert.deepEqual(await this.gated.disk.audit(), []);
    if (this.gated.waiting === 0) {
      assert.ok(isBalanced(await this.books.sheet()), 'the sheet of the books is balanced');
    }
    for (const s of TOTALS.keys()) await this.#checkSession(s);
    for (const [paymentHash, state] of this.#ended) {
      assert.equal((await this.gated.disk.refund(paymentHash))?.state, state);
    }
  }

  known({ s, n }: Request): Known {
    const key = `${s}:${n}`;
    const known = this.#known.get(key) ?? {
      charging: new Set<number>(),
      acknowledged: 0,
      cut: new Set<number>(),
      failed: new Set<number>(),
      startedOnce: false,
    };
    this.#known.set(key, known);
    return known;
  }

  async #checkSession(s: number): Promise<void> {
    const row = await this.gated.disk.session(hex(s, 16));
    if (row === undefined) return;
    const all = [...this.#known]
      .filter(([key]) => key.startsWith(`${s}:`))
      .map(([, known]) => known);
    const asked = all.filter((known) => known.charging.size > 0).length;
    assert.ok(row.calls.chargedCalls <= asked, 'one charge per request id');
    const acknowledged = all.filter((known) => known.acknowledged > 0).length;
    assert.ok(row.calls.chargedCalls >= acknowledged, 'no charge is lost');
    assert.ok(row.calls.chargedMsat >= (this.#acknowledgedMsat.get(s) ?? 0n));
    assert.ok(
      all.every((known) => known.acknowledged <= 1),
      'acknowledged once',
    );
  }

  #admitted(request: Request, effect: Effect, admission: Admission): void {
    const known = this.known(request);
    if (admission.kind === 'repeat') {
      this.#expect(
        admission.answer.then((answer) => {
          assert.ok(known.acknowledged > 0 || known.charging.size > 0, 'an answer was charged');
          assert.deepEqual(answer.body, new Uint8Array(300).fill(request.d), 'the same bytes');
        }),
        ['SERVICE_FAILED', 'CALL_FORGOTTEN', ...CUT],
      );
      return;
    }
    if (admission.kind === 'rerun') assert.ok(known.charging.has(request.d), 'it was charged');
    if (admission.kind === 'run') {
      assert.equal(known.acknowledged, 0, 'what was charged does not run as new');
      assert.ok(!known.startedOnce, 'effect once runs once');
      known.startedOnce = effect === 'once';
    }
    this.runs.push({ request, effect, admission });
  }

  async #charged(request: Request, known: Known, answer: Answer): Promise<void> {
    known.acknowledged++;
    const paid = this.#acknowledgedMsat.get(request.s) ?? 0n;
    this.#acknowledgedMsat.set(request.s, paid + answer.chargedMsat);
    const row = await this.gated.disk.session(hex(request.s, 16));
    const calls = row?.calls;
    const entry = calls?.entries.find(({ n }) => n === BigInt(request.n));
    const durable = entry?.kind === 'charged' || (calls?.done ?? 0n) > BigInt(request.n);
    assert.ok(durable, 'no answer before its charge is durable');
  }

  #running({ s, n }: Request): number[] {
    return this.runs
      .filter(({ request }) => request.s === s && request.n === n)
      .map(({ request }) => request.d);
  }

  #take(index: number): Run | undefined {
    return this.runs.splice(index % Math.max(1, this.runs.length), 1)[0];
  }

  #expect(work: Promise<unknown>, codes: readonly string[]): void {
    const allowed = [...codes, 'STORE_FAILED', 'HOST_BROKEN'];
    work.catch((error: unknown) => {
      if (!isFault(error) || !allowed.includes(error.code)) this.#problems.push(error);
    });
  }
}

/** What those get who wait for a call that was cut: nobody knows, or it can be paid no more. */
const CUT = ['CALL_OUTCOME_UNKNOWN', 'SESSION_EXHAUSTED', 'SESSION_EXPIRED'];

function refundHash(hash: number): string {
  return hex(50_000 + hash, 32);
}

const REFUSED_REFUNDS = [
  'SESSION_UNKNOWN',
  'SESSION_UNPAID',
  'REFUND_HASH_USED',
  'REFUND_DUST',
  'REFUND_EXCEEDS',
  'REFUND_BUSY',
];

/** The terms of one of the three bundles. */
export function termsOf(s: number): SessionTerms {
  return {
    session: hex(s, 16),
    service: 'quotes',
    calls: CALLS[s] ?? 1,
    totalMsat: TOTALS[s] as Msat,
    paymentHash: hex(s, 32),
    openedAtMs: unixMs(DAY_MS),
    payByMs: unixMs(2 * DAY_MS),
    expiresAtMs: unixMs(10 * DAY_MS),
    setup: hex(s, 32),
    payer: hex(9, 32),
    codeKey: new Uint8Array(32).fill(s),
    reply: new Uint8Array(10),
  };
}

/** Resolves when all that can go on without the disk has gone on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => void setImmediate(resolve));
}

/** A check for `assert.rejects`. */
export function refused(codes: readonly string[]): (error: unknown) => boolean {
  return (error) => isFault(error) && codes.includes(error.code);
}
