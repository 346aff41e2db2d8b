/** Tick: one secret per call, one hash to check it. @module */
export {
  ChainReader,
  beginChain,
  makeChain,
  stepChain,
  type Chain,
  type ChainWork,
} from './chain.ts';
export { LaneCodes, laneKey, socketProof, type LaneName, type TickNumbers } from './codes.ts';
export { EntryKind } from './entries.ts';
export { LaneTable } from './lanes.ts';
export {
  LANE_CALL_REFUSALS,
  TICK_REFUSALS,
  type LaneCall,
  type LaneCallRefusal,
  type LaneJudgement,
  type TickRefusal,
} from './lane-call.ts';
export {
  EntryMark,
  IMAGE_ENTRY_BYTES,
  IMAGE_HEAD_BYTES,
  LANE_REFUSALS,
  checkLaneImage,
  entryWord,
  hasStarted,
  readEntries,
  readImage,
  startedUnits,
  type ImageEntry,
  type LaneImage,
  type LaneRefusal,
} from './image.ts';
export { parseLaneOrders, printLaneOrders, type LaneOrder } from './order.ts';
export { laneId, newLaneRow, type LaneRow, type LaneTerms } from './terms.ts';
export {
  HASHES_PER_TURN,
  LANE_WINDOW,
  MAX_LANES,
  MAX_LANE_ENTRIES,
  MAX_LANE_RUNNING,
  MAX_LANE_TICKS,
  MAX_RERUNS,
  MAX_STEPS,
} from './limits.ts';
