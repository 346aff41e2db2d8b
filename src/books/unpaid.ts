/**
 * Sessions whose invoice is not paid yet. Bounded by whoever opens them: the host stops at a
 * number.
 * @module
 */
import type { UnixMs } from '../base/time/index.ts';
import { ZERO_MSAT } from '../base/money/index.ts';
import type { SessionTerms } from '../pay/ledger/index.ts';
import type { UnpaidSession } from '../port/store/index.ts';

/** Who may still pay. */
export class UnpaidSessions {
  readonly #payByMs: Map<string, UnixMs>;

  constructor(sessions: readonly UnpaidSession[]) {
    this.#payByMs = new Map(sessions.map(({ session, payByMs }) => [session, payByMs]));
  }

  /** Adds a new session, unless it costs nothing. */
  add({ session, payByMs, totalMsat }: SessionTerms): void {
    if (totalMsat > ZERO_MSAT) this.#payByMs.set(session, payByMs);
  }

  /** It is paid, or was not opened. */
  delete(session: string): void {
    this.#payByMs.delete(session);
  }

  /** How many can still be paid; forgets the others. */
  count(nowMs: UnixMs): number {
    for (const [session, payByMs] of this.#payByMs) {
      if (payByMs <= nowMs) this.#payByMs.delete(session);
    }
    return this.#payByMs.size;
  }
}
