/**
 * A primary and its workers over one store, a payer that sends each call to any of them, messages
 * and writes that take their time, processes that die at any await point, and what must hold after
 * each event.
 * @module
 */
import assert from 'node:assert/strict';
import { fromHex } from '../../src/base/bytes/index.ts';
import { isFault } from '../../src/base/fault/index.ts';
import { sha256Hex } from '../../src/base/hash/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { unixMs, type Clock } from '../../src/base/time/index.ts';
import {
  LaneElsewhere,
  WorkerLanes,
  openBooks,
  type Books,
  type LaneRun,
  type Recover,
} from '../../src/books/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import { laneId, laneKey } from '../../src/pay/tick/index.ts';
import { PayerLane, type LaneTicket } from '../../src/payer/lane.ts';
import type { HostStore } from '../../src/port/store/index.ts';
import { linkPrimary, linkWorker } from '../../src/port/workers/index.ts';
import {
  DEAD,
  FINAL,
  PASSING,
  SESSION,
  UNIT_MSAT,
  chainOf,
  laneTermsOf,
  saleOf,
} from './lane-sale.ts';
import type { WorkerLogs } from './model-logs.ts';
import { Gate, StepLine } from './step-line.ts';
import { hex, settled } from './world.ts';

const LANES = 3;
const CODE_KEY = new Uint8Array(32).fill(5);
const NOW_MS = 86_400_000;

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

/** A worker process, from its start to its end. */
interface Process {
  readonly lanes: WorkerLanes;
  readonly line: StepLine;
  /** Its writes to its log. */
  readonly writes: Gate;
}

interface Run {
  readonly call: Call;
  readonly run: LaneRun;
  readonly process: Process;
}

/** The world. */
export class WorkerWorld {
  readonly #logs: WorkerLogs;
  readonly #workers: number;
  /** The service has effect once, and knows of most calls what became of them. */
  readonly #once: boolean;
  #books: Books | undefined;
  /** The thread that writes the store. */
  #thread = new Gate();
  #processes: (Process | undefined)[] = [];
  /** Lines of processes that have ended, with messages that the primary has not read yet. */
  #late: StepLine[] = [];
  readonly #lanes: readonly PayerLane[];
  readonly #calls: Call[] = [];
  #runs: Run[] = [];
  #closed = false;
  #made = 0;
  #refunds = 0;
  readonly #problems: unknown[] = [];

  private constructor(logs: WorkerLogs, workers: number, once: boolean) {
    this.#once = once;
    this.#logs = logs;
    this.#workers = workers;
    this.#lanes = Array.from({ length: LANES }, (_, place) => {
      const lane = laneId(SESSION, place);
      const key = laneKey(CODE_KEY, { host: hex(1, 32), lane });
      return new PayerLane({ lane, key, chain: chainOf(place), n: 0, spent: 0, index: 0 });
    });
  }

  /** A host with workers, and a payer that has paid for its lanes. */
  static async make(workers: number, logs: WorkerLogs, once = false): Promise<WorkerWorld> {
    const world = new WorkerWorld(logs, workers, once);
    const books = await openBooks({ store: world.#store(), clock: CLOCK, log: silentLog });
    world.#thread.open();
    await books.open(TERMS, LANE_TERMS);
    const { paymentHash, totalMsat: receivedMsat } = TERMS;
    await books.received({ paymentHash, receivedMsat, paidAtMs: unixMs(1), cursor: 1n });
    await world.#start();
    return world;
  }

  /** A new call, which reaches a worker. */
  call(place: number, units: number, worker: number): void {
    const lane = this.#lanes[place] ?? assert.fail();
    if (!lane.canTake(units)) return;
    const hash = sha256Hex(new Uint8Array([this.#made & 0xff, this.#made++ >> 8]));
    const flags = { charging: false, answered: false, over: false, begun: 0 };
    const call: Call = { place, ticket: lane.take(units), hash, ...flags };
    this.#calls.push(call);
    this.#send(call, worker);
  }

  /** A call is sent again: one without an outcome, or one that somebody has recorded. */
  again(index: number, worker: number): void {
    const call = this.#calls[index % Math.max(1, this.#calls.length)];
    // What it was told had failed, a payer does not send again.
    if (call !== undefined && (call.answered || !call.over)) this.#send(call, worker);
  }

  /** A handler returns. */
  charge(index: number): void {
    const found = this.#takeRun(index);
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
    const found = this.#takeRun(index);
    if (found !== undefined) this.#expect(found.run.release(), found.call);
  }

  /** A worker lets a lane go. */
  letGo(place: number, worker: number): void {
    const lanes = this.#processes[worker % this.#workers]?.lanes;
    const lane = this.#lanes[place] ?? assert.fail();
    lanes?.letGo(fromHex(lane.lane, 'lane')).catch((error: unknown) => this.#problems.push(error));
  }

  /** A worker's log is half full. */
  fold(worker: number): void {
    const lanes = this.#processes[worker % this.#workers]?.lanes;
    lanes?.flush(undefined).catch((error: unknown) => this.#problems.push(error));
  }

  /** The payer asks where it stands: with all that was answered before. */
  state(): void {
    const before = this.#answeredMsat();
    const asked = this.#books?.session(SESSION).then((session) => {
      const { chargedMsat, creditMsat } = session?.state ?? assert.fail();
      assert.ok(chargedMsat >= before, 'what was answered is stated');
      if (!this.#closed) assert.equal(chargedMsat + creditMsat, TERMS.totalMsat);
    });
    asked?.catch((error: unknown) => this.#problems.push(error));
  }

  /** The owner asks for the balance. */
  sheet(): void {
    const before = this.#answeredMsat();
    const asked = this.#books?.sheet().then((sheet) => {
      assert.ok(isBalanced(sheet));
      assert.ok(sheet.servedMsat >= before, 'what was answered is served');
    });
    asked?.catch((error: unknown) => this.#problems.push(error));
  }

  /** The payer asks for its money back: the lanes are closed. */
  refund(amountMsat: bigint): void {
    this.#closed = true;
    const paymentHash = hex(1_000 + this.#refunds++, 32);
    const asked = { session: SESSION, invoice: 'invoice', paymentHash };
    const work = this.#books?.refund({ ...asked, amountMsat: msat(amountMsat) }).then(async () => {
      const rows = await this.#disk.lanesOf(SESSION);
      assert.ok(
        rows.every(({ closed }) => closed),
        'nothing is set aside while a lane serves',
      );
    });
    if (work !== undefined) this.#expect(work, undefined);
  }

  /** The lanes are closed, as when their credit expires. */
  close(): void {
    this.#closed = true;
    this.#books?.lanes.close(SESSION).catch((error: unknown) => this.#problems.push(error));
  }

  /** One of the things that wait goes on. */
  async step(pick: number): Promise<void> {
    const steps = this.#steps();
    await steps[pick % Math.max(1, steps.length)]?.();
    await settled();
  }

  /** A worker dies; what it was writing is written or not; some of what it said is not heard. */
  async crash(worker: number, writes: boolean, heard: number): Promise<void> {
    const number = worker % this.#workers;
    const process = this.#processes[number];
    if (process === undefined) return;
    await this.#die(process, writes, heard);
    await this.#logs.ended(number);
    this.#processes[number] = undefined;
    this.#late.push(process.line);
    const restarted = this.#books?.owners.ended(number).then(() => this.#fork(number));
    restarted?.catch((error: unknown) => this.#problems.push(error));
    await settled();
  }

  /** All processes die, and the host starts again. */
  async crashAll(writes: boolean): Promise<void> {
    for (const process of this.#processes) {
      if (process !== undefined) await this.#die(process, writes, 0);
    }
    if (writes) await this.#thread.step();
    this.#thread.drop();
    await settled();
    this.#late = [];
    await this.#start();
  }

  /** What must hold at every instant. */
  async check(): Promise<void> {
    await settled();
    assert.deepEqual(this.#problems, []);
    assert.deepEqual(await this.#disk.audit(), []);
    assert.ok(isBalanced(await this.#disk.sheet()));
    const charging = this.#calls.filter((call) => call.charging);
    assert.ok((await this.#spentMsat()) <= sumMsat(charging), 'one charge for each call');
  }

  /** Everything ends well: what is open is asked again until it is answered. */
  async finish(): Promise<void> {
    for (let round = 0; round < 400; round++) {
      while (this.#runs.length > 0) this.charge(0);
      await this.#settle();
      if (this.#runs.length > 0) continue;
      const open = this.#calls.find((call) => !call.over);
      if (open === undefined) break;
      this.#send(open, round);
    }
    assert.deepEqual(this.#calls.filter((call) => !call.over).length, 0, 'each call has an end');
    this.sheet();
    this.state();
    await this.#settle();
    await this.check();
    const spentMsat = await this.#spentMsat();
    assert.ok(spentMsat >= this.#answeredMsat(), 'no charge is lost');
    if (!this.#closed)
      assert.equal(spentMsat, this.#answeredMsat(), 'what was answered was bought');
  }

  async #start(): Promise<void> {
    await this.#logs.restart();
    this.#thread = new Gate();
    const limits = { refundAfterMs: 0 };
    const opening = { store: this.#store(), clock: CLOCK, log: silentLog, limits };
    const onBroken = (fault: unknown): void => void this.#problems.push(fault);
    const books = await openBooks({ ...opening, onBroken });
    this.#books = books;
    this.#processes = [];
    this.#runs = [];
    for (let worker = 0; worker < this.#workers; worker++) await this.#fork(worker);
  }

  async #fork(worker: number): Promise<void> {
    const books = this.#books ?? assert.fail();
    const place = await books.owners.begin(worker);
    const line = new StepLine();
    const near = linkWorker(line.primary, worker);
    near.serve(books.owners.join(near.worker));
    const far = linkPrimary(line.worker, () => undefined);
    const gate = new Gate();
    const { primary } = far;
    const lanes = new WorkerLanes({
      primary,
      log: await this.#logs.open({ worker, place, gate, primary }),
      clock: CLOCK,
      limits: { hotLanes: 1, answerBytes: 600 },
      onBroken: (fault) => this.#problems.push(fault),
    });
    lanes.lanes.recoverWith(this.#recover);
    far.serve(lanes);
    this.#processes[worker] = { lanes, line, writes: gate };
  }

  async #die(process: Process, writes: boolean, heard: number): Promise<void> {
    this.#runs = this.#runs.filter((run) => run.process !== process);
    process.line.cut(heard);
    if (writes) await process.writes.step();
    process.writes.drop();
  }

  /** The store, whose writes wait for their turn. */
  #store(): HostStore {
    const [disk, thread, logs] = [this.#disk, this.#thread, this.#logs.store()];
    return {
      ...disk,
      commit: (groups) => thread.pass(() => disk.commit(groups)),
      takeLanes: (lanes) => thread.pass(() => disk.takeLanes(lanes)),
      openLaneLog: (worker) => logs.openLaneLog(worker),
      foldLanes: (worker, fold) => thread.pass(() => logs.foldLanes(worker, fold)),
      closeLaneLog: (worker) => thread.pass(() => logs.closeLaneLog(worker)),
      close: async () => undefined,
    };
  }

  #steps(): (() => unknown)[] {
    const steps: (() => unknown)[] = [];
    if (this.#thread.waiting > 0) steps.push(() => this.#thread.step());
    const alive = this.#processes.filter((process) => process !== undefined);
    for (const { writes } of alive) if (writes.waiting > 0) steps.push(() => writes.step());
    for (const line of [...alive.map((process) => process.line), ...this.#late]) {
      const [toPrimary, toWorker] = line.waiting;
      if (toPrimary > 0) steps.push(() => line.deliver(0));
      if (toWorker > 0) steps.push(() => line.deliver(1));
    }
    return steps;
  }

  async #settle(): Promise<void> {
    await settled();
    for (let steps = this.#steps(); steps.length > 0; steps = this.#steps()) {
      await steps[0]?.();
      await settled();
    }
  }

  #send(call: Call, worker: number): void {
    const process = this.#processes[worker % this.#workers];
    if (process !== undefined) this.#expect(this.#serve(call, process), call);
  }

  async #serve(call: Call, process: Process): Promise<void> {
    const lane = fromHex((this.#lanes[call.place] ?? assert.fail()).lane, 'lane');
    const { lanes } = process.lanes;
    try {
      // Others may take its place again before the caller goes on.
      while (lanes.slotOf(lane) < 0) await lanes.load(lane);
      this.#admit(call, lanes.slotOf(lane), process);
    } catch (error) {
      if (!(error instanceof LaneElsewhere)) throw error;
      // It is passed on; who has let it go meanwhile does not take it for that.
      const other = this.#processes[error.worker];
      const slot = other?.lanes.lanes.slotOf(lane) ?? -1;
      if (other !== undefined && slot >= 0) this.#admit(call, slot, other);
    }
  }

  #admit(call: Call, slot: number, process: Process): void {
    const lane = this.#lanes[call.place] ?? assert.fail();
    const { n, done, index, secret } = lane.credential(call.ticket, call.hash);
    const digest = new Uint32Array(fromHex(call.hash.slice(0, 32), 'hash').buffer);
    const request = { n, done, digest, units: call.ticket.units, once: this.#once };
    const admission = process.lanes.lanes.admit(slot, request, { index, secret });
    if (admission.kind === 'run') {
      const { run } = admission;
      if (!run.rerun) assert.ok(!call.answered, 'what was charged does not run as new');
      if (run.rerun) assert.ok(call.charging && !this.#once, 'it was charged');
      if (run.once) this.#expect(this.#begin({ call, run, process }), call);
      else this.#runs.push({ call, run, process });
      return;
    }
    const answered = Promise.resolve(admission.answer).then((body) => this.#answer(call, body));
    this.#expect(answered, call);
  }

  async #begin(run: Run): Promise<void> {
    await run.run.started();
    assert.equal(++run.call.begun, 1, 'effect once');
    assert.ok(!run.call.over, 'it does not begin once the payer was told an outcome');
    this.#runs.push(run);
  }

  /** What became of a call that a crash has cut: a handler that was to return has done its work. */
  readonly #recover: Recover = async ({ session, n }) => {
    await settled();
    const call = this.#calls.find(({ place, ticket }) => {
      return laneId(SESSION, place) === session && BigInt(ticket.n) === n;
    });
    if (call === undefined || call.ticket.n % 4 === 3) return 'unknown';
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
    this.#lanes[call.place]?.resolve(call.ticket, units);
  }

  #expect(work: Promise<unknown>, call: Call | undefined): void {
    work.catch((error: unknown) => {
      if (!isFault(error) || !mayBe(error.code, call)) return void this.#problems.push(error);
      if (call === undefined || !FINAL.has(error.code)) return;
      // Durable before it was told: it is not charged, whatever was on its way.
      if (DEAD.has(error.code) && this.#once) call.charging = false;
      // What a closed lane has charged the payer learns from the statement; until then it is spent.
      const spent = call.charging || error.code === 'LANE_CLOSED';
      this.#over(call, spent ? call.ticket.units : 0);
    });
  }

  #takeRun(index: number): Run | undefined {
    return this.#runs.splice(index % Math.max(1, this.#runs.length), 1)[0];
  }

  get #disk(): HostStore {
    return this.#logs.disk;
  }

  async #spentMsat(): Promise<bigint> {
    const rows = await this.#disk.lanesOf(SESSION);
    return rows.reduce((sum, { spent }) => sum + BigInt(spent) * UNIT_MSAT, 0n);
  }

  #answeredMsat(): bigint {
    return sumMsat(this.#calls.filter((call) => call.answered));
  }
}

function mayBe(code: string, call: Call | undefined): boolean {
  if (call === undefined) return code.startsWith('REFUND_');
  if (code === 'CALL_FORGOTTEN') return call.over;
  return FINAL.has(code) || PASSING.has(code);
}

const CLOCK: Clock = {
  now: () => unixMs(NOW_MS),
  monotonicMs: () => NOW_MS,
  sleep: () => new Promise(() => undefined),
  timer: () => () => undefined,
};

const LANE_TERMS = laneTermsOf(LANES);
const TERMS = saleOf(LANES);

function bodyOf(call: Call): Uint8Array {
  return new Uint8Array(200).fill(Number.parseInt(call.hash.slice(0, 2), 16));
}

function sumMsat(calls: readonly Call[]): bigint {
  return calls.reduce((sum, { ticket }) => sum + BigInt(ticket.units) * UNIT_MSAT, 0n);
}
