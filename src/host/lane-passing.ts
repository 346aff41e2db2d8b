/**
 * Calls over lanes that another worker has: passed on to that one, once. And lanes whose calls come
 * through another worker only: let go, so that it takes them. docs/workers.md.
 * @module
 */
import { toHex, utf8 } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import type { Clock } from '../base/time/index.ts';
import { LaneElsewhere, type Lanes } from '../books/index.ts';
import { BALANCE_HEADER, parseBalanceHeader, toAuthorization } from '../wire/toll/index.ts';
import type { Call, CallAnswer } from './call.ts';
import { ELSEWHERE_LANES, GUEST_CALLS, MOVED_FIRST_PAUSE_MS, MOVED_ROUNDS } from './limits.ts';
import type { HostRequest, HostResponse } from './message.ts';
import { answeredFault, type Passage } from './passage.ts';

/** What calls are passed on with. */
export interface LanePassingParts {
  /** The number of this worker. */
  readonly worker: number;
  readonly lanes: Pick<Lanes, 'load' | 'mayMove'>;
  /** As `WorkerLanes.letGo`. */
  readonly letGo: (lane: Uint8Array) => Promise<void>;
  /** The way to the inner door of a worker, also of one that has ended. */
  readonly peer: (worker: number) => Passage;
  readonly clock: Clock;
  /** Longer than any call takes. */
  readonly timeoutMs: number;
}

/** Where lanes of other workers are, and who comes for ours. */
export class LanePassing {
  readonly #parts: LanePassingParts;
  /** Lanes that another worker has, as it was last said; the oldest are forgotten first. */
  readonly #elsewhere = new Map<string, number>();
  /** By slot: new calls that came through one other worker in a row, and which one. */
  readonly #guests: number[] = [];
  readonly #guestVia: number[] = [];
  readonly #waiting = new Set<(fault: Fault) => void>();
  #cut = false;

  constructor(parts: LanePassingParts) {
    this.#parts = parts;
  }

  /**
   * Brings a lane into memory, or passes the call on and gives its answer.
   * @throws Fault what the primary or the other worker says; `LANE_MOVED` when the lane goes from
   * one to the other; `HOST_BROKEN` when nobody knows whether the call was charged
   */
  async load(lane: Uint8Array, call: Call): Promise<CallAnswer | undefined> {
    const name = toHex(lane);
    for (let round = 0; ; round++) {
      const owner = await this.#race(this.#find(lane, name, call.via));
      if (owner === undefined) return undefined;
      if (call.via !== undefined) throw new Fault('LANE_MOVED');
      const answer = await this.#passOn(owner, call);
      if (answer !== undefined) return answer;
      // Nothing of it was charged there: it may be served wherever the lane is now.
      this.#elsewhere.delete(name);
      if (round >= MOVED_ROUNDS) throw new Fault('LANE_MOVED');
      if (round > 0) await this.#race(this.#pause(round));
    }
  }

  /**
   * An own call, or one that another worker has passed on, over the lane in this slot; undefined
   * when it may go on. Else the lane was let go: the call is `LANE_MOVED` once that is done.
   */
  seen(slot: number, lane: Uint8Array, { via }: Call): Promise<void> | undefined {
    if (via === undefined) {
      this.#guests[slot] = 0;
      return undefined;
    }
    if (this.#guestVia[slot] !== via) this.#guests[slot] = 0;
    this.#guestVia[slot] = via;
    // Only between two calls: those under way would keep the others waiting.
    const isGuest = (this.#guests[slot] ?? 0) >= GUEST_CALLS - 1;
    if (!isGuest || !this.#parts.lanes.mayMove(slot)) return undefined;
    this.#guests[slot] = 0;
    this.#remember(toHex(lane), via);
    return this.#race(this.#parts.letGo(lane));
  }

  /** It was new, and runs. Repeats cost nothing, so they move nothing. */
  began(slot: number, { via }: Call): void {
    const isGuest = via !== undefined && via === this.#guestVia[slot];
    if (isGuest) this.#guests[slot] = (this.#guests[slot] ?? 0) + 1;
  }

  /** Nobody waits for the primary or another worker any more. */
  cut(): void {
    this.#cut = true;
    for (const reject of this.#waiting) reject(new Fault('HOST_STOPPING'));
  }

  /** Who has a lane; undefined when it is here, and in memory. */
  async #find(
    lane: Uint8Array,
    name: string,
    via: number | undefined,
  ): Promise<number | undefined> {
    const known = this.#elsewhere.get(name);
    if (known !== undefined && via === undefined) return known;
    // It was let go for that worker, which will ask for it when that is done.
    if (known !== undefined && known === via) {
      await this.#parts.letGo(lane);
      return known;
    }
    try {
      await this.#parts.lanes.load(lane);
      this.#elsewhere.delete(name);
      return undefined;
    } catch (error) {
      if (!(error instanceof LaneElsewhere)) throw error;
      this.#remember(name, error.worker);
      return error.worker;
    }
  }

  #remember(lane: string, worker: number): void {
    this.#elsewhere.delete(lane);
    this.#elsewhere.set(lane, worker);
    if (this.#elsewhere.size <= ELSEWHERE_LANES) return;
    for (const oldest of this.#elsewhere.keys()) return void this.#elsewhere.delete(oldest);
  }

  /**
   * The answer of the worker that has the lane; undefined when it certainly did not charge the call
   * and does not have the lane.
   */
  async #passOn(worker: number, call: Call): Promise<CallAnswer | undefined> {
    const { peer, timeoutMs } = this.#parts;
    let answer: HostResponse;
    try {
      answer = await this.#race(peer(worker).send(this.#request(call), timeoutMs), unanswered);
    } catch (error) {
      const fault = asFault(error);
      if (fault.code === 'HOST_UNREACHABLE') return undefined;
      if (fault.code === 'CALL_BUSY') throw fault;
      // It may have been charged. The payer asks again under the same number and learns it; an
      // answer that we fetched ourselves would look uncharged to a payer who asked once.
      throw unanswered(fault);
    }
    const { status, headers, body } = answer;
    const fault = status === 200 ? undefined : answeredFault(answer);
    if (fault?.code === 'LANE_MOVED') return undefined;
    call.elsewhere = true;
    if (fault !== undefined) throw fault;
    return { body, balance: parseBalanceHeader(headers[BALANCE_HEADER]) };
  }

  #request({ credential, service, input }: Call): HostRequest {
    const headers = {
      authorization: toAuthorization(credential),
      'content-type': 'application/json',
      accept: undefined,
      'if-none-match': undefined,
    };
    return {
      method: 'POST',
      path: `/call/${service}`,
      header: (name) => headers[name],
      body: utf8(JSON.stringify(input)),
      // Calls over lanes have no quota of an address.
      address: '',
      via: this.#parts.worker,
    };
  }

  /** Two workers may be changing over: the primary hears of it a little later. */
  #pause(round: number): Promise<void> {
    return this.#parts.clock.sleep(MOVED_FIRST_PAUSE_MS * 2 ** (round - 1));
  }

  /** The same, unless it is cut before. */
  #race<T>(promise: Promise<T>, told: (fault: Fault) => Fault = (fault) => fault): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const cut = (fault: Fault): void => reject(told(fault));
      if (this.#cut) cut(new Fault('HOST_STOPPING'));
      this.#waiting.add(cut);
      promise.then(resolve, reject).finally(() => this.#waiting.delete(cut));
    });
  }
}

function unanswered(cause: Fault): Fault {
  return new Fault('HOST_BROKEN', { reason: 'the worker that has the lane did not answer' }, cause);
}
