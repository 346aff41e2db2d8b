/**
 * What stands behind the lanes of a session: why, until when and how far their ticks are money.
 * @module
 */
import type { UnixMs } from '../base/time/index.ts';
import type { SessionState, SessionTerms } from '../pay/ledger/index.ts';
import type { LaneRow } from '../pay/tick/index.ts';

/**
 * Why no new call is served. `SESSION_UNPAID`: nothing stands behind it yet, so nothing was charged
 * either. `SESSION_EXPIRED`: it is over, or so near its end that it could not be enforced any more.
 * `LANE_CLOSED`: it is being closed.
 */
export type FundingRefusal = 'SESSION_UNPAID' | 'SESSION_EXPIRED' | 'LANE_CLOSED';

/** What stands behind the lanes of one session. It may know more each time that it is asked. */
export interface Funding {
  /** Why no new call is served now; what was charged before is answered all the same. */
  refusal(nowMs: UnixMs): FundingRefusal | undefined;
  /** Up to which index the ticks of the lane at `place` are money; never less than before. */
  backed(place: number): number;
}

/** A lane that was taken: served by who took it, under the epoch of its row. */
export interface TakenLane {
  readonly row: LaneRow;
  readonly terms: SessionTerms;
  readonly funding: Funding;
}

/** An invoice that was paid: all of each lane is backed by credit until the session expires. */
export function prepaid(terms: SessionTerms, { paid }: Pick<SessionState, 'paid'>): Funding {
  return new Prepaid(terms.expiresAtMs, paid);
}

class Prepaid implements Funding {
  readonly #expiresAtMs: UnixMs;
  readonly #paid: boolean;

  constructor(expiresAtMs: UnixMs, paid: boolean) {
    this.#expiresAtMs = expiresAtMs;
    this.#paid = paid;
  }

  refusal(nowMs: UnixMs): FundingRefusal | undefined {
    if (!this.#paid) return 'SESSION_UNPAID';
    return nowMs >= this.#expiresAtMs ? 'SESSION_EXPIRED' : undefined;
  }

  backed(): number {
    return Infinity;
  }
}
