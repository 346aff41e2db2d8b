/**
 * A session as the books show it to others.
 * @module
 */
import {
  stateOf,
  type Bought,
  type CallsImage,
  type SessionRow,
  type SessionState,
  type SessionTerms,
} from '../pay/ledger/index.ts';
import type { HeldSession, Session } from './books.ts';
import { rowNow, type HotSession } from './hot-session.ts';

/** What it is now. */
export function toSession(hot: HotSession): Session {
  const { terms, bought = terms } = hot.row;
  return { terms, bought, state: stateOf(rowNow(hot), hot.calls) };
}

/** A session, and the version of its row. */
export interface Seen {
  readonly found: Session;
  readonly version: bigint;
}

/** What it is now, with its version. */
export function seen(hot: HotSession): Seen {
  return { found: toSession(hot), version: hot.row.version };
}

/** Rows and calls are never changed in place: what is held is what was true then. */
export class Held implements HeldSession {
  readonly terms: SessionTerms;
  readonly bought: Bought;
  readonly #row: SessionRow;
  readonly #calls: CallsImage;

  constructor(hot: HotSession) {
    this.terms = hot.row.terms;
    this.bought = hot.row.bought ?? hot.row.terms;
    this.#row = rowNow(hot);
    this.#calls = hot.calls;
  }

  get paid(): boolean {
    return this.#row.counters.creditsPostedMsat >= this.terms.totalMsat;
  }

  get state(): SessionState {
    return stateOf(this.#row, this.#calls);
  }
}
