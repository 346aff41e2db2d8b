/**
 * Lanes in the books of one host or of several over one store, a payer that sends calls in any
 * order, a disk that fails, crashes at any await point, and what must hold after each event.
 * @module
 */
import assert from 'node:assert/strict';
import { toHex, fromHex } from '../../src/base/bytes/index.ts';
import { sha256Hex } from '../../src/base/hash/index.ts';
import { Fault, isFault } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { unixMs, type Clock } from '../../src/base/time/index.ts';
import {
  openBooks,
  type Books,
  type Durability,
  type LaneRun,
  type Recover,
} from '../../src/books/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import { laneId, laneKey } from '../../src/pay/tick/index.ts';
import { PayerLane, type LaneTicket } from '../../src/payer/lane.ts';
import { GatedDisk, type Fate } from './gated-store.ts';
import {
  DEAD,
  FINAL,
  LENGTH,
  PASSING,
  SESSION,
  UNIT_MSAT,
  chainOf,
  laneTermsOf,
  saleOf,
} from './lane-sale.ts';
import { hex, settled } from './world.ts';

const LANES = 2;
const CODE_KEY = new Uint8Array(32).fill(5);

/** What a lazy host may lose in one crash. */
export const LAZY_MSAT = 4n * UNIT_MSAT;

/** A logical call of the payer, until it has its outcome. */
interface Call {
  readonly place: number;
  readonly ticket: LaneTicket;
  readonly hash: string;
  /** Its handler was asked to charge it, somewhere. */
  charging: boolean;
  answered: boolean;
  over: boolean;
  /** With effect once: how often its handler was begun, but for those that did nothing. */
  begun: number;
}

/** What the world is made of. */
export interface LaneWorldOptions {
  readonly hosts: number;
  readonly durability: Durability;
  /** The service has effect once. */
  readonly once?: boolean;
  /** It knows of most of the calls that a crash has cut what became of them. */
  readonly recovers?: boolean;
}

interface Run {
  readonly call: Call;
  readonly run: LaneRun;
  /** The host that runs it, and its life. */
  readonly host: number;
}

/** The world. */
export class LaneWorld {
  readonly gated: GatedDisk;
  readonly #options: LaneWorldOptions;
  books: Books[] = [];
  readonly lanes: PayerLane[];
  readonly calls: Call[] = [];
  runs: Run[] = [];
  /** What answers have promised and a crash of a lazy host has forgotten. */
  lostMsat = 0n;
  nowMs = 86_400_000;
  readonly #problems: unknown[] = [];
  #made = 0;

  private constructor(gated: GatedDisk, options: LaneWorldOptions) {
    this.gated = gated;
    this.#options = options;
    this.lanes = Array.from({ length: LANES }, (_, place) => {
      const key = laneKey(CODE_KEY, { host: hex(1, 32), lane: laneId(SESSION, place) });
      const lane = laneId(SESSION, place);
      return new PayerLane({ lane, key, chain: chainOf(place), n: 0, spent: 0, index: 0 });
    });
  }

  /** Hosts over one store, and a payer that has paid for its lanes. */
  static async make(options: LaneWorldOptions): Promise<LaneWorld> {
    const world = new LaneWorld(await GatedDisk.make(), options);
    const { store } = world.gated.open();
    const books = await openBooks({ store, clock: world.#clock(), log: silentLog });
    await books.open(TERMS, LANE_TERMS);
    const { paymentHash, totalMsat: receivedMsat } = TERMS;
    await books.received({ paymentHash, receivedMsat, paidAtMs: unixMs(1), cursor: 1n });
    await world.start();
    return world;
  }

  /** New processes on the disk as it is. */
  async start(): Promise<void> {
    this.books = [];
    const { hosts, durability, recovers = false } = this.#options;
    for (let host = 0; host < hosts; host++) {
      const { store, gate } = this.gated.open();
      const limits = { durability, hotLanes: 1, answerBytes: 600, refundAfterMs: 0 };
      const parts = { store, clock: this.#clock(), log: silentLog, limits };
      const books = await openBooks({ ...parts, onBroken: () => undefined });
      if (recovers) books.recoverWith(this.#recover);
      this.books.push(books);
      gate();
    }
  }

  /** All hosts die, and start again. */
  async crash(writes: boolean): Promise<void> {
    this.runs = [];
    await this.gated.crash(writes);
    await settled();
    const before = this.lostMsat;
    this.lostMsat = maxOf(before, this.#answeredMsat() - (await this.spentMsat()));
    assert.ok(this.lostMsat - before <= this.#lazyMsat, 'a crash loses no more than is stated');
    await this.start();
  }

  /** Lets what waits for the disk go on. A failure ends the process. */
  async step(fate: Fate): Promise<void> {
    if (!(await this.gated.step(fate)) || fate === 'durable') return settled();
    await settled();
    await this.crash(false);
  }

  /** A new call. */
  call(place: number, units: number, host: number): void {
    const lane = this.lanes[place] ?? assert.fail();
    if (!lane.canTake(units)) return;
    const hash = sha256Hex(new Uint8Array([this.#made & 0xff, this.#made++ >> 8]));
    const flags = { charging: false, answered: false, over: false, begun: 0 };
    const call: Call = { place, ticket: lane.take(units), hash, ...flags };
    this.calls.push(call);
    this.#send(call, host);
  }

  /** A call is sent again: one without an outcome, or one that somebody has recorded. */
  again(index: number, host: number): void {
    const call = this.calls[index % Math.max(1, this.calls.length)];
    // What it was told had failed, a payer does not send again.
    if (call !== undefined && (call.answered || !call.over)) this.#send(call, host);
  }

  /** A handler returns. */
  charge(index: number): void {
    const found = this.#take(index);
    if (found === undefined) return;
    const { call, run } = found;
    call.charging ||= !run.rerun;
    this.#expect(
      run.charge(bodyOf(call)).then((body) => this.#answer(call, body)),
      call,
    );
  }

  /** A handler fails. */
  release(index: number): void {
    const found = this.#take(index);
    if (found === undefined) return;
    this.#expect(found.run.release(), found.call);
  }

  /** The payer asks for its money back: the lanes are closed. */
  refund(amountMsat: bigint): void {
    const asked = { session: SESSION, invoice: 'invoice', paymentHash: hex(77, 32) };
    const [books] = this.books;
    const work = books?.refund({ ...asked, amountMsat: msat(amountMsat) }).then(async () => {
      const rows = await this.gated.disk.lanesOf(SESSION);
      assert.ok(
        rows.every(({ closed }) => closed),
        'nothing is set aside while a lane serves',
      );
    });
    if (work !== undefined) this.#expect(work, undefined);
  }

  /** What must hold at every instant. */
  async check(): Promise<void> {
    await settled();
    assert.deepEqual(this.#problems, []);
    assert.deepEqual(await this.gated.disk.audit(), []);
    assert.ok(isBalanced(await this.gated.disk.sheet()));
    const spentMsat = await this.spentMsat();
    const charging = this.calls.filter((call) => call.charging);
    assert.ok(spentMsat <= sumMsat(charging), 'one charge for each call');
    assert.ok(
      spentMsat + this.lostMsat + this.#lazyMsat >= this.#answeredMsat(),
      'no charge is lost',
    );
    assert.ok(spentMsat <= BigInt(LENGTH * LANES) * UNIT_MSAT, 'no more than was paid');
  }

  /** Everything ends well: what is open is asked again until it is answered. */
  async finish(): Promise<void> {
    for (let round = 0; round < 400; round++) {
      while (this.runs.length > 0) this.charge(0);
      await settled();
      while (this.gated.waiting > 0) await this.step('durable');
      if (this.runs.length > 0) continue;
      const open = this.calls.find((call) => !call.over);
      if (open === undefined) break;
      this.#send(open, 0);
      await settled();
    }
    assert.deepEqual(this.calls.filter((call) => !call.over).length, 0, 'each call has an end');
    await this.check();
  }

  /** What lanes have spent, durably. */
  async spentMsat(): Promise<bigint> {
    const rows = await this.gated.disk.lanesOf(SESSION);
    return rows.reduce((sum, { spent }) => sum + BigInt(spent) * UNIT_MSAT, 0n);
  }

  /** What answers were charged that the payer has. */
  answeredMsat(): bigint {
    return this.#answeredMsat();
  }

  /** What handlers have done, but for what nobody knows. */
  doneMsat(): bigint {
    return sumMsat(this.calls.filter((call) => call.charging));
  }

  /** What a host may forget: an answer of effect once does not leave before its charge. */
  get #lazyMsat(): bigint {
    const { durability, once = false } = this.#options;
    return durability.kind === 'lazy' && !once ? durability.maxMsat : 0n;
  }

  #answeredMsat(): bigint {
    return sumMsat(this.calls.filter((call) => call.answered));
  }

  #send(call: Call, host: number): void {
    const { lanes } = this.books[host % this.books.length] ?? assert.fail();
    const lane = this.lanes[call.place] ?? assert.fail();
    const { n, done, index, secret } = lane.credential(call.ticket, call.hash);
    const digest = new Uint32Array(fromHex(call.hash.slice(0, 32), 'hash').buffer);
    const { once = false } = this.#options;
    const request = { n, done, digest, units: call.ticket.units, once };
    const sent = lanes.load(fromHex(lane.lane, 'lane')).then((slot) => {
      const admission = lanes.admit(slot, request, { index, secret });
      if (admission.kind === 'run') return this.#admitted(call, admission.run, host);
      return Promise.resolve(admission.answer).then((body) => this.#answer(call, body));
    });
    this.#expect(sent, call);
  }

  #admitted(call: Call, run: LaneRun, host: number): Promise<void> | undefined {
    const { hosts, durability, once = false } = this.#options;
    // Of several hosts one may not know yet that another one has the lane: it writes nothing.
    const knows = hosts === 1 && durability.kind === 'commit';
    if (!run.rerun && knows) assert.ok(!call.answered, 'what was charged does not run as new');
    if (run.rerun) assert.ok(call.charging && !once, 'it was charged, and may run again');
    if (!run.once) return void this.runs.push({ call, run, host });
    return run.started().then(() => {
      assert.equal(++call.begun, 1, 'effect once');
      assert.ok(!call.over, 'it does not begin once the payer was told an outcome');
      this.runs.push({ call, run, host });
    });
  }

  /** What became of a call that a crash has cut: a handler that was to return has done its work. */
  readonly #recover: Recover = async ({ session, n }) => {
    await settled();
    const call = this.calls.find(({ place, ticket }) => {
      return laneId(SESSION, place) === session && BigInt(ticket.n) === n;
    });
    if (call === undefined || isUnknown(call)) return 'unknown';
    if (call.charging) return { done: bodyOf(call) };
    call.begun = 0;
    return 'not-done';
  };

  #answer(call: Call, body: Uint8Array): void {
    assert.ok(call.charging, 'an answer was charged');
    assert.deepEqual(body, bodyOf(call), 'the same bytes');
    call.answered = true;
    this.#over(call, call.ticket.units);
  }

  #over(call: Call, units: number): void {
    if (call.over) return;
    call.over = true;
    this.lanes[call.place]?.resolve(call.ticket, units);
  }

  #expect(work: Promise<unknown>, call: Call | undefined): void {
    work.catch((error: unknown) => {
      if (!isFault(error) || !this.#mayBe(error, call)) return void this.#problems.push(error);
      if (call === undefined || !FINAL.has(error.code)) return;
      // Durable before it was told: it is not charged, whatever was on its way.
      if (DEAD.has(error.code) && this.#options.once === true) call.charging = false;
      // What a closed lane has charged, or another host, the payer learns from the statement.
      const closed = error.code === 'LANE_CLOSED';
      const certain = this.#options.hosts === 1 && !call.charging && !closed;
      this.#over(call, certain ? 0 : call.ticket.units);
    });
  }

  #mayBe({ code }: Fault, call: Call | undefined): boolean {
    if (call === undefined) return code.startsWith('REFUND_') || BROKEN.has(code);
    if (code === 'CALL_FORGOTTEN') return call.over;
    if (code === 'CALL_OUTCOME_UNKNOWN' && this.#options.recovers) return isUnknown(call);
    return BROKEN.has(code) || FINAL.has(code) || PASSING.has(code);
  }

  #take(index: number): Run | undefined {
    return this.runs.splice(index % Math.max(1, this.runs.length), 1)[0];
  }

  #clock(): Clock {
    return {
      now: () => unixMs(this.nowMs),
      monotonicMs: () => this.nowMs,
      sleep: () => new Promise(() => undefined),
      timer: () => () => undefined,
    };
  }
}

const BROKEN = new Set(['STORE_FAILED', 'HOST_BROKEN']);

/** The service does not know what became of every fourth call. */
function isUnknown({ ticket }: Call): boolean {
  return ticket.n % 4 === 3;
}

const LANE_TERMS = laneTermsOf(LANES);
const TERMS = saleOf(LANES);

function bodyOf(call: Call): Uint8Array {
  return new Uint8Array(200).fill(
    Number.parseInt(toHex(fromHex(call.hash, 'hash').subarray(0, 1)), 16),
  );
}

function sumMsat(calls: readonly Call[]): bigint {
  return calls.reduce((sum, { ticket }) => sum + BigInt(ticket.units) * UNIT_MSAT, 0n);
}

function maxOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
