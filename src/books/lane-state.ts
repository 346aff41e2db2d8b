/**
 * The numbers of a session that was sold as lanes: what they have spent is not in its own row until
 * they are closed.
 * @module
 */
import { msat } from '../base/money/index.ts';
import type { SessionState } from '../pay/ledger/index.ts';
import type { LaneStatement } from './lanes.ts';

/** What a lane has spent, and of how much. */
export type LaneSpending = Pick<LaneStatement, 'closed' | 'length' | 'spent' | 'unitMsat'>;

/** The state with its lanes; calls are units here. */
export function withLanes(state: SessionState, lanes: readonly LaneSpending[]): SessionState {
  const open = lanes.filter(({ closed }) => !closed);
  return {
    ...state,
    chargedMsat: msat(lanes.reduce(spentMsat, 0n)),
    chargedCalls: lanes.reduce((units, { spent }) => units + spent, 0),
    creditMsat: msat(state.creditMsat - open.reduce(spentMsat, 0n)),
    callsLeft: state.paid
      ? open.reduce((units, { length, spent }) => units + length - spent, 0)
      : 0,
  };
}

function spentMsat(sum: bigint, { spent, unitMsat }: LaneSpending): bigint {
  return sum + BigInt(spent) * unitMsat;
}
