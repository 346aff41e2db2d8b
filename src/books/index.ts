/** Books: every promise about money is kept here. @module */
export type {
  Admission,
  Answer,
  Books,
  HeldSession,
  Payment,
  Received,
  RefundRequest,
  Room,
  Session,
} from './books.ts';
export { BOOKS_LIMITS, type BooksLimits } from './limits.ts';
export { openBooks, type BooksOptions } from './open-books.ts';
export { withLanes } from './lane-state.ts';
export type { Funding, FundingRefusal, TakenLane } from './funding.ts';
export type { LaneOwners } from './lane-owners.ts';
export type { LaneRun } from './lane-run.ts';
export type { Durability } from './durability.ts';
export type { LaneAdmission, LaneSession, LaneStatement, Lanes } from './lanes.ts';
export {
  LaneElsewhere,
  WorkerLanes,
  type WorkerLanesOptions,
  type WorkerLog,
} from './worker-lanes.ts';
export type { Recover, Recovered } from './recovered.ts';
