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
