/** Books: every promise about money is kept here. @module */
export type {
  Admission,
  Answer,
  Books,
  HeldSession,
  Payment,
  Received,
  Recover,
  Recovered,
  RefundRequest,
  Room,
  Session,
} from './books.ts';
export { BOOKS_LIMITS, type BooksLimits } from './limits.ts';
export { openBooks, type BooksOptions } from './open-books.ts';
export { withLanes } from './lane-state.ts';
export type { LaneRun } from './lane-run.ts';
export type { Durability } from './durability.ts';
export type { LaneAdmission, LaneSession, LaneStatement, Lanes } from './lanes.ts';
