/**
 * The payer's side of one lane: which number comes next, which tick to reveal, what was spent. Pure
 * but for what it remembers; who records it is `lane-taker.ts`.
 *
 * Ticks are revealed as far as the calls under way need: what was spent, and what they may cost. A
 * call that fails leaves its tick to the next one.
 * @module
 */
import { fromHex } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { ChainReader, LANE_WINDOW, LaneCodes, MAX_STEPS, type Chain } from '../pay/tick/index.ts';
import type { TickCredential } from '../wire/toll/index.ts';
import { LAST_NUMBER } from './limits.ts';

/** A lane that is ready to pay. */
export interface LaneParts {
  /** 16 bytes, hex. */
  readonly lane: string;
  readonly key: Uint8Array;
  readonly chain: Chain;
  /** Where it goes on: the first number never used, and what the host says was spent. */
  readonly n: number;
  readonly spent: number;
  /** The highest tick that the host has shown. */
  readonly index: number;
}

/** A call that has its number. */
export interface LaneTicket {
  readonly n: number;
  readonly units: number;
}

/** A lane. */
export class PayerLane {
  /** 16 bytes, hex. */
  readonly lane: string;
  readonly #id: Uint8Array;
  readonly #codes: LaneCodes;
  readonly #reader: ChainReader;
  readonly #anchor: Uint8Array;
  readonly #length: number;
  /** Numbers from `done` on that have their outcome. */
  readonly #resolved = new Set<number>();
  #n: number;
  #done: number;
  #spent: number;
  #underWay = 0;
  /** The highest tick that was sent. */
  #index: number;
  /** The highest tick that the host has, as far as is known. */
  #accepted: number;
  #shortUnits = 0;

  constructor({ lane, key, chain, n, spent, index }: LaneParts) {
    this.lane = lane;
    this.#id = fromHex(lane, 'lane');
    this.#codes = new LaneCodes(key);
    this.#reader = new ChainReader(chain);
    this.#anchor = chain.anchor;
    this.#length = chain.length;
    [this.#n, this.#done, this.#spent] = [n, n, spent];
    [this.#index, this.#accepted] = [index, index];
  }

  /** The number that the next call gets. */
  get nextNumber(): number {
    return this.#n;
  }

  /** Units that no call has spent or may still spend. */
  get unitsLeft(): number {
    return this.#length - this.#spent - this.#underWay;
  }

  /** Units spent, as far as is known here. */
  get spent(): number {
    return this.#spent;
  }

  /** Calls under way. */
  get open(): number {
    return this.#n - this.#done - this.#resolved.size;
  }

  /** Whether a call of so many units can begin now. */
  canTake(units: number): boolean {
    return this.#n < this.#done + LANE_WINDOW && units <= this.unitsLeft && !this.usedUp;
  }

  /** It has no numbers left: so many calls have failed. What is left of it can be refunded. */
  get usedUp(): boolean {
    return this.#n > LAST_NUMBER;
  }

  /** Begins a call; `canTake` must hold, and its number be recorded. */
  take(units: number): LaneTicket {
    if (!this.canTake(units)) throw new Error('invariant: the lane can take the call');
    this.#underWay += units;
    return { n: this.#n++, units };
  }

  /** What goes with a call; made anew for each try. @param hash of the request, hex */
  credential({ n }: LaneTicket, hash: string): TickCredential {
    // A host takes so many steps at once; the next ticks follow when it has this one.
    const index = Math.min(this.#wanted(), this.#accepted + MAX_STEPS);
    this.#index = Math.max(this.#index, index);
    const numbers = { n, done: this.#done, index };
    const code = this.#codes.code(numbers, hash);
    const secret = index === 0 ? this.#anchor : this.#reader.secret(index);
    return { ...numbers, lane: this.#id, code, secret };
  }

  /** The host has taken the tick of this index. */
  accepted(index: number): void {
    this.#accepted = Math.max(this.#accepted, index);
  }

  /** The host stands at this index: what it knew beyond it is lost, or still on its way. */
  behind(index: number): void {
    if (Number.isInteger(index) && index >= 0 && index < this.#accepted) this.#accepted = index;
  }

  /**
   * The call has its outcome: so many units were charged. One whose outcome stays unknown counts as
   * charged, until the host has stated what was.
   */
  resolve({ n, units }: LaneTicket, chargedUnits: number): void {
    this.#underWay -= units;
    this.#spent += chargedUnits;
    this.#resolved.add(n);
    while (this.#resolved.delete(this.#done)) this.#done++;
  }

  /**
   * The host says that the tick of `index` leaves so many units missing. If more are revealed by
   * now, the call is only to be sent again. Else more was spent than is known here, by calls of an
   * earlier process that ended late: at most a window of them.
   * @throws Fault `HOST_TERMS` for more than that
   */
  short({ units: cost }: LaneTicket, index: number, missing: number): void {
    this.accepted(index);
    if (index < this.#wanted()) return;
    const fits = missing > 0 && missing <= this.unitsLeft;
    const late = this.#shortUnits + missing <= LANE_WINDOW * cost;
    if (!fits || !late) throw new Fault('HOST_TERMS', { where: 'ticks', lane: this.lane });
    this.#shortUnits += missing;
    this.#spent += missing;
  }

  /** The tick that pays for everything under way. */
  #wanted(): number {
    return Math.max(this.#index, this.#spent + this.#underWay);
  }
}
