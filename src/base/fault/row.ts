/**
 * What is known about one code of a fault.
 * @module
 */

/** Where the caller's money is when the fault reaches them. */
export type MoneyState = 'unspent' | 'spent' | 'unknown';

/**
 * What a caller may do next: nothing, send the same again, or start afresh (request id, quote,
 * set-up, invoice).
 */
export type Retry = 'never' | 'same' | 'fresh';

/** The facts about one code. */
export interface FaultRow {
  /** HTTP status (RFC 9110). */
  readonly status: number;
  readonly retry: Retry;
  readonly money: MoneyState;
  /** One sentence for people; says what to do when there is something to do. */
  readonly title: string;
  /** A fault of the way or of the moment: the same request may pass a little later, by itself. */
  readonly passes: boolean;
}

/** A row of a fault that does not pass by itself. */
export const row = (status: number, retry: Retry, money: MoneyState, title: string): FaultRow => ({
  status,
  retry,
  money,
  title,
  passes: false,
});

/** A row of one that does. */
export const passing = (status: number, money: MoneyState, title: string): FaultRow => ({
  ...row(status, 'same', money, title),
  passes: true,
});
