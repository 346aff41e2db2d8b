/**
 * Calls paid with ticks: lanes of one or more purchases, used by many calls at once. Who calls sees
 * no lane: each call takes one that has room.
 *
 * A call is tried again under its number until its outcome is known; a repeat is answered, never
 * charged twice. A process that dies takes at most what was under way with it: its numbers are
 * never used again, and where its lanes stand the host says, and shows.
 * @module
 */
import { Fault, asFault, isFault } from '../base/fault/index.ts';
import { canonicalJson, type Json } from '../base/json/index.ts';
import type { Msat } from '../base/money/index.ts';
import { hasOutputPrice, mostUnitsOf, unitsOf, type UnitPrice } from '../pay/price/index.ts';
import { ticksFromJson, type CallBalance } from '../wire/toll/index.ts';
import { untilAborted } from './abort.ts';
import type { LaneTicket } from './lane.ts';
import { takeLanes, type LaneInUse, type LanePurchase } from './lane-taker.ts';
import { CALL_DEADLINE_MS, MAX_QUEUED_CALLS } from './limits.ts';
import type { Link, LinkParts } from './link.ts';
import type { PayerSession } from './session.ts';
import { sendTick } from './tick-call.ts';

/** A result and what it cost. */
export interface StreamResult<Output = Json> {
  readonly result: Output;
  readonly balance: CallBalance;
  /**
   * What the call has cost; also when the first answer was lost, and the balance of the second one
   * says that nothing more was charged.
   */
  readonly costMsat: Msat;
}

/** How to call. */
export interface StreamCallOptions {
  /** How long it is tried, from the moment that it has a number. */
  readonly deadlineMs?: number;
  /** Ends the waiting; what was sent may be charged all the same. */
  readonly signal?: AbortSignal;
  /** The most units that it may cost; needed where only the host can say what it costs. */
  readonly maxUnits?: number;
}

/** What to buy more of. */
export interface StreamTopUp {
  readonly units: number;
  /** The most that all units together may cost, routing fees left out. */
  readonly maxTotalMsat: Msat;
  /** Absent: as many as before. */
  readonly lanes?: number;
  /** The most that one call costs: units are spread over the lanes in such steps. Absent: 1. */
  readonly unitsPerCall?: number;
  /** 16 bytes, hex: the same id is the same purchase, also after a crash. */
  readonly purchaseId?: string;
  /** Told how many hashes of the lanes are made, of how many. */
  readonly progress?: (done: number, of: number) => void;
  readonly signal?: AbortSignal;
}

/** What a stream is opened with. */
export interface StreamParts extends LinkParts {
  readonly link: Link;
  readonly service: string;
  /** How many lanes are taken at most; others stay free for other processes. */
  readonly most?: number | undefined;
  /** Buys more lanes. */
  readonly buyMore: (request: StreamTopUp) => Promise<LanePurchase>;
}

/** Calls of one service over lanes. Its types are what the host promises; nobody checks them. */
export class PayerStream<Input = Json, Output = Json> {
  readonly service: string;
  /** What was bought, for receipts and refunds; a refund closes the lanes. */
  readonly sessions: PayerSession[] = [];
  readonly #parts: StreamParts;
  readonly #price: UnitPrice | undefined;
  #lanes: LaneInUse[] = [];
  #next = 0;
  readonly #queue: Waiting[] = [];
  #open = 0;
  readonly #idle: (() => void)[] = [];
  #closed = false;

  private constructor(parts: StreamParts) {
    this.#parts = parts;
    this.service = parts.service;
    const sold = parts.link.description.services.find(({ name }) => name === parts.service);
    if (sold?.ticks === undefined) throw new Fault('TICK_UNSOLD', { service: parts.service });
    this.#price = ticksFromJson(sold.ticks);
  }

  /**
   * Opens a stream over the lanes of some purchases.
   * @throws Fault `LANE_HELD` when other processes have all that is left, `LANE_EXHAUSTED` when
   * nothing is left
   */
  static async open<Input, Output>(
    parts: StreamParts,
    purchases: readonly LanePurchase[],
  ): Promise<PayerStream<Input, Output>> {
    const stream = new PayerStream<Input, Output>(parts);
    try {
      let held = false;
      const { service, most = Infinity } = parts;
      for (const purchase of purchases) {
        try {
          const free = await stream.#add(purchase, most - stream.#lanes.length);
          held ||= !free;
        } catch (error) {
          // One that the host does not know any more does not hide the others.
          const gone = isFault(error) && error.code === 'SESSION_UNKNOWN';
          if (!gone || purchases.length === 1) throw error;
        }
      }
      if (stream.#lanes.length > 0) return stream;
      throw held ? new Fault('LANE_HELD', { service }) : new Fault('LANE_EXHAUSTED', { service });
    } catch (error) {
      await stream.close();
      throw error;
    }
  }

  /** Units that no call has spent or may still spend. */
  get unitsLeft(): number {
    return this.#lanes.reduce((units, { lane }) => units + lane.unitsLeft, 0);
  }

  /** How many calls of so many units its lanes can still pay: no call is paid by two of them. */
  callsLeft(units: number): number {
    const each = Math.max(1, units);
    return this.#lanes.reduce((calls, { lane }) => calls + Math.floor(lane.unitsLeft / each), 0);
  }

  /** Calls under way or waiting. */
  get openCalls(): number {
    return this.#open;
  }

  /**
   * Makes one call.
   * @throws Fault `SERVICE_*` (not charged); `LANE_EXHAUSTED` when the units do not suffice;
   * `CALL_UNANSWERED` when nobody knows: its units count as spent until the host states them
   */
  async call(input: Input, options: StreamCallOptions = {}): Promise<StreamResult<Output>> {
    if (this.#closed) throw new Fault('USAGE_INVALID', { problem: 'the stream is closed' });
    const cost = this.#costOf(input as Json, options);
    this.#open++;
    try {
      const taken = await this.#take(cost.most, options.signal);
      const answer = await this.#send(taken, cost, input as Json, options);
      const { result, balance, costMsat } = answer;
      return { result: result as Output, balance, costMsat };
    } finally {
      if (--this.#open === 0) for (const wake of this.#idle.splice(0)) wake();
    }
  }

  /** Buys more lanes; calls go on meanwhile. */
  async topUp(request: StreamTopUp): Promise<void> {
    await this.#add(await this.#parts.buyMore(request));
    this.#wake();
  }

  /** Waits for the calls under way, then lets the lanes go: another process may take them. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#open > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await Promise.all(this.#lanes.splice(0).map((one) => one.leave()));
  }

  /** False when another process has lanes of it. */
  async #add(purchase: LanePurchase, most?: number): Promise<boolean> {
    const { lanes, held } = await takeLanes(this.#parts, purchase, most);
    this.sessions.push(purchase.session);
    this.#lanes.push(...lanes);
    return !held;
  }

  /** Bytes are those of the canonical form, as the host counts them. */
  #costOf(input: Json, { maxUnits }: StreamCallOptions): Cost {
    const price = this.#price;
    if (price === undefined) {
      if (maxUnits === undefined) throw new Fault('USAGE_INVALID', { problem: 'maxUnits' });
      return { most: maxUnits };
    }
    const perByte = (price.perInputByte ?? 0) > 0;
    const inputBytes = perByte ? canonicalJson(input).length : 0;
    const most = mostUnitsOf(price, inputBytes);
    if (maxUnits !== undefined && most > maxUnits) {
      throw new Fault('PAYMENT_PRICE', { asked: `${most}`, limit: `${maxUnits}` });
    }
    if (!hasOutputPrice(price)) return { most };
    const byAnswer = (answer: Json): number => {
      return unitsOf(price, { inputBytes, outputBytes: canonicalJson(answer).length });
    };
    return { most, byAnswer };
  }

  /** A number of some lane; waits while all are full. Whoever has waited wakes the next one. */
  async #take(units: number, signal: AbortSignal | undefined): Promise<Taken> {
    let waited = false;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const taken = this.#tryTake(units);
        if (taken !== undefined) return taken;
        if (this.#queue.length >= MAX_QUEUED_CALLS) throw new Fault('CALL_BUSY');
        const turn = Promise.withResolvers<void>();
        // Who was before the others stays before them.
        this.#queue[waited ? 'unshift' : 'push']({ wake: turn.resolve, signal });
        waited = true;
        await untilAborted(turn.promise, signal);
      }
    } finally {
      if (waited) this.#wake();
    }
  }

  /** @throws Fault `LANE_EXHAUSTED` when none can take it, now or later */
  #tryTake(units: number): Taken | undefined {
    for (let i = 0; i < this.#lanes.length; i++) {
      const one = this.#lanes[(this.#next + i) % this.#lanes.length];
      const ticket = one?.take(units, () => this.#wake());
      if (one === undefined || ticket === undefined) continue;
      this.#next = (this.#next + i + 1) % this.#lanes.length;
      return { one, ticket };
    }
    this.#lanes = this.#lanes.filter(({ lost }) => !lost);
    // What is under way may make room.
    const hope = this.#lanes.some(({ lane }) => {
      return lane.open > 0 || (lane.unitsLeft >= units && !lane.usedUp);
    });
    if (!hope) throw new Fault('LANE_EXHAUSTED', { units, left: this.unitsLeft });
    return undefined;
  }

  async #send(
    { one, ticket }: Taken,
    { byAnswer }: Cost,
    input: Json,
    { deadlineMs = CALL_DEADLINE_MS, signal }: StreamCallOptions,
  ): Promise<StreamResult> {
    const { link, clock, random } = this.#parts;
    const { lane, unitMsat } = one;
    const { service } = this;
    // Nothing is known of a call that was sent, until it is.
    let chargedUnits = ticket.units;
    try {
      const call = { link, service, lane, ticket, unitMsat, input, byAnswer };
      const answer = await sendTick(call, { clock, random, deadlineMs, signal });
      chargedUnits = answer.units;
      return answer;
    } catch (error) {
      const fault = asFault(error, 'HOST_MALFORMED');
      if (fault.row.money === 'unspent') chargedUnits = 0;
      if (GONE.has(fault.code)) this.#drop(one);
      throw isFault(error) ? new Fault(fault.code, { ...fault.facts, n: ticket.n }, fault) : error;
    } finally {
      lane.resolve(ticket, chargedUnits);
      this.#wake();
    }
  }

  /** The lane serves no more: what is left of it is credit that can be refunded. */
  #drop(gone: LaneInUse): void {
    this.#lanes = this.#lanes.filter((one) => one !== gone);
    void gone.leave();
  }

  /** Lets the next one look; who has given up does not keep the place from others. */
  #wake(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (next.signal?.aborted === true) continue;
      next.wake();
      return;
    }
  }
}

/** What a call costs. */
interface Cost {
  /** Is reserved. */
  readonly most: number;
  /** Where the answer has a price: what the call has cost with this one. */
  readonly byAnswer?: (answer: Json) => number;
}

/** A number of a lane. */
interface Taken {
  readonly one: LaneInUse;
  readonly ticket: LaneTicket;
}

interface Waiting {
  readonly wake: () => void;
  readonly signal: AbortSignal | undefined;
}

const GONE = new Set(['LANE_UNKNOWN', 'LANE_CLOSED', 'LANE_EXHAUSTED', 'SESSION_EXPIRED']);
