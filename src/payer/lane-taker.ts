/**
 * Takes the lanes of a purchase for this process: asks the host where they stand, has it show the
 * ticks that it claims, and records numbers before they are used, a block at a time.
 * @module
 */
import { toBase64url, toHex } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import type { Msat } from '../base/money/index.ts';
import { unixMs } from '../base/time/index.ts';
import { ChainReader, LANE_WINDOW, laneId, laneKey, type Chain } from '../pay/tick/index.ts';
import { lastSecret } from './lane-maker.ts';
import { PayerLane, type LaneTicket } from './lane.ts';
import { LANE_BLOCK, LANE_LEASE_MS } from './limits.ts';
import type { LinkParts } from './link.ts';
import type { LaneStatus, PayerSession, SessionKey } from './session.ts';

/** Lanes that were bought together. */
export interface LanePurchase {
  readonly key: SessionKey;
  readonly session: PayerSession;
  /** What a unit was sold for. */
  readonly unitMsat: Msat;
  readonly seed: Uint8Array;
  /** Of the lanes, by their places. */
  readonly lengths: readonly number[];
  /** The same, made when they are needed: that takes a hash for each tick. */
  readonly chains: () => Promise<readonly Chain[]>;
}

/** A lane that this process uses. */
export class LaneInUse {
  readonly lane: PayerLane;
  readonly unitMsat: Msat;
  readonly #parts: LinkParts;
  readonly #holder: string;
  /** Numbers below it are recorded. */
  #recorded: number;
  #recording: Promise<void> | undefined;
  /** Why the last numbers could not be recorded. */
  #fault: Fault | undefined;
  #lost = false;
  #stopRenewing = (): void => undefined;

  constructor(
    parts: LinkParts,
    { holder, lane, unitMsat }: { holder: string; lane: PayerLane; unitMsat: Msat },
  ) {
    this.#parts = parts;
    this.#holder = holder;
    this.lane = lane;
    this.unitMsat = unitMsat;
    this.#recorded = lane.nextNumber;
    this.#renew();
  }

  /** Another process of the profile has taken the lane: what is left of it is that one's. */
  get lost(): boolean {
    return this.#lost;
  }

  /**
   * Begins a call; undefined while there is no room. `wake` is called when there may be some.
   * @throws Fault of the store, once for each time that it could not record numbers
   */
  take(units: number, wake: () => void): LaneTicket | undefined {
    if (this.#lost || !this.lane.canTake(units)) return undefined;
    const ahead = this.#recorded - this.lane.nextNumber;
    const fault = this.#fault;
    if (fault !== undefined && ahead <= 0) {
      this.#fault = undefined;
      throw fault;
    }
    if (ahead < LANE_BLOCK / 2) {
      this.#recording ??= this.#record(this.lane.nextNumber + LANE_BLOCK).finally(() => {
        this.#recording = undefined;
        wake();
      });
    }
    return ahead > 0 ? this.lane.take(units) : undefined;
  }

  /** Lets the lane go. */
  async leave(): Promise<void> {
    this.#stopRenewing();
    await this.#recording;
    if (!this.#lost) await this.#record(this.lane.nextNumber, 0);
    this.#lost = true;
  }

  async #record(n: number, leaseMs: number = LANE_LEASE_MS): Promise<void> {
    const { store, clock } = this.#parts;
    const untilMs = unixMs(clock.now() + leaseMs);
    try {
      const lease = { lane: this.lane.lane, holder: this.#holder, untilMs };
      this.#fault = undefined;
      if ((await store.extendLane(lease, n)) === 'ok') {
        this.#recorded = Math.max(this.#recorded, n);
      } else {
        this.#lost = true;
        this.#stopRenewing();
      }
    } catch (error) {
      // Nothing was recorded, so nothing is used: whoever calls is told, and may try again.
      this.#fault = asFault(error, 'STORE_FAILED');
    }
  }

  #renew(): void {
    this.#stopRenewing = this.#parts.clock.timer(LANE_LEASE_MS / 2, () => {
      if (this.#lost) return;
      void this.#record(this.#recorded);
      this.#renew();
    });
  }
}

/** Lanes of a purchase. */
export interface TakenLanes {
  readonly lanes: readonly LaneInUse[];
  /** Another process has some that have units left. */
  readonly held: boolean;
}

/**
 * Takes the lanes that nobody uses and that have units left.
 * @param most how many; absent, all
 * @throws Fault `HOST_TERMS` when the host claims what it cannot show
 */
export async function takeLanes(
  parts: LinkParts,
  purchase: LanePurchase,
  most = Infinity,
): Promise<TakenLanes> {
  const holder = toHex(parts.random.bytes(16));
  const left = await lanesLeft(purchase);
  const taken: TakenLane[] = [];
  try {
    for (const one of left) {
      if (taken.length >= most) break;
      const n = await takeLane(parts, purchase, holder, one.place);
      if (n !== undefined) taken.push({ ...one, n });
    }
    const held = taken.length < Math.min(left.length, most);
    // Asked once more: until now another process may have used them.
    const stated = taken.length === 0 ? [] : await purchase.session.lanes();
    const usable = taken.flatMap((one) => laneOf(purchase, one, stated[one.place]) ?? []);
    const { unitMsat } = purchase;
    const lanes = usable.map((lane) => new LaneInUse(parts, { holder, lane, unitMsat }));
    return { lanes, held };
  } catch (error) {
    await Promise.all(
      taken.map(({ place, n }) => leaveLane(parts, purchase, { holder, place, n })),
    );
    throw error;
  }
}

/** A lane with units left, as the host says. */
interface LaneLeft {
  readonly place: number;
  readonly chain: Chain;
}

/** It is this process's; numbers from `n` on were never used. */
interface TakenLane extends LaneLeft {
  readonly n: number;
}

/** Nothing is hashed for lanes that are used up: their last tick is known. */
async function lanesLeft(purchase: LanePurchase): Promise<readonly LaneLeft[]> {
  const { session, lengths, seed } = purchase;
  const stated = await session.lanes();
  if (stated.length !== lengths.length) throw new Fault('HOST_TERMS', { where: 'lanes' });
  const left = stated.flatMap((status, place) => {
    const length = lengths[place] ?? 0;
    const usedUp = status.spent >= length;
    if (usedUp) assertStated(status, length, () => lastSecret(seed, place));
    return usedUp || status.closed ? [] : [place];
  });
  if (left.length === 0) return [];
  const chains = await purchase.chains();
  return left.map((place) => {
    const chain = chains[place];
    if (chain === undefined) throw new Error('invariant: each lane has a chain');
    return { place, chain };
  });
}

/** The first number that was never used; undefined when another process has the lane. */
async function takeLane(
  { store, clock }: LinkParts,
  { key }: LanePurchase,
  holder: string,
  place: number,
): Promise<number | undefined> {
  const lane = laneId(key.session, place);
  const nowMs = clock.now();
  const untilMs = unixMs(nowMs + LANE_LEASE_MS);
  const taken = await store.takeLane({ lane, holder, nowMs, untilMs });
  return taken.kind === 'held' ? undefined : taken.n;
}

async function leaveLane(
  { store, clock }: LinkParts,
  { key }: LanePurchase,
  { holder, place, n }: { readonly holder: string; readonly place: number; readonly n: number },
): Promise<void> {
  const lease = { lane: laneId(key.session, place), holder, untilMs: clock.now() };
  await store.extendLane(lease, n).catch(() => undefined);
}

/** Undefined when it was used up or closed meanwhile. */
function laneOf(
  { key }: LanePurchase,
  { place, chain, n }: TakenLane,
  status: LaneStatus | undefined,
): PayerLane | undefined {
  if (status === undefined) throw new Fault('HOST_TERMS', { where: 'lanes' });
  const { length, anchor } = chain;
  assertStated(status, length, (at) => (at === 0 ? anchor : new ChainReader(chain).secret(at)));
  const { spent, index, done, closed } = status;
  if (closed || spent >= length) return undefined;
  const lane = laneId(key.session, place);
  return new PayerLane({
    lane,
    key: laneKey(key.codeKey, { host: key.host, lane }),
    chain,
    // A profile that was restored from a copy does not know which numbers it has used: those that
    // the host may remember are passed over.
    n: Math.max(n, done + LANE_WINDOW),
    spent,
    index,
  });
}

/** A host that claims an index shows its tick. @throws Fault `HOST_TERMS` */
function assertStated(
  status: LaneStatus,
  length: number,
  secretOf: (index: number) => Uint8Array,
): void {
  const { index, spent, tip } = status;
  const possible = status.length === length && index <= length && spent <= index;
  if (!possible || tip !== toBase64url(secretOf(index))) {
    throw new Fault('HOST_TERMS', { where: 'lane' });
  }
}
