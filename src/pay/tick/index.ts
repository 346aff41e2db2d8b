/** Tick: one secret per call, one hash to check it. @module */
export {
  ChainReader,
  beginChain,
  makeChain,
  stepChain,
  type Chain,
  type ChainWork,
} from './chain.ts';
export { socketProof, tickCode, type TickFields } from './codes.ts';
export {
  TICK_REFUSALS,
  acceptTick,
  claimHolds,
  laneCredit,
  openLane,
  spendUnits,
  type LaneBounds,
  type LaneState,
  type TickOutcome,
  type TickRefusal,
} from './lane.ts';
export { HASHES_PER_TURN, MAX_LANE_TICKS, MAX_STEPS } from './limits.ts';
