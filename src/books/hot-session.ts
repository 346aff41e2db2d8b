/**
 * Sessions in memory: what is durable, what is true right now, and who waits for what.
 * @module
 */
import { reservedOf, type CallsImage, type SessionRow } from '../pay/ledger/index.ts';
import type { StoredAnswer } from '../port/store/index.ts';
import type { Answer } from './books.ts';

/** An answer that is being made, for those who wait for it. */
export interface Pending {
  readonly answer: Promise<Answer>;
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

/** A session in memory. */
export interface HotSession {
  /** As it is stored. */
  row: SessionRow;
  /** As it is: with reservations, and with charges that wait for their commit. */
  calls: CallsImage;
  /** Calls that run or wait for their commit. */
  readonly pending: Map<bigint, Pending>;
  /** Answers of calls with effect once that go into the next commit. */
  toStore: StoredAnswer[];
  /** Things under way; while there are any, the session stays in memory. */
  pins: number;
}

/** A session as it was just read. */
export function hotSession(row: SessionRow): HotSession {
  return { row, calls: row.calls, pending: new Map(), toStore: [], pins: 0 };
}

/** A pending answer; if nobody joins, its failure is nobody's loss. */
export function pendingAnswer(): Pending {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  promise.catch(() => undefined);
  return { answer: promise, resolve, reject };
}

/** What a session holds in memory beyond what the stored row says; negative after a release. */
export function unstoredMsat({ row, calls }: HotSession): bigint {
  const now = calls.chargedMsat + reservedOf(calls.entries).msat;
  return now - row.calls.chargedMsat - reservedOf(row.calls.entries).msat;
}

/**
 * The sessions in memory; the one used least recently goes first, never one with something under
 * way.
 */
export class HotSessions {
  readonly #max: number;
  readonly #sessions = new Map<string, HotSession>();

  constructor(max: number) {
    this.#max = max;
  }

  /** A session, if it is here; it counts as used. */
  get(session: string): HotSession | undefined {
    const hot = this.#sessions.get(session);
    if (hot === undefined) return undefined;
    this.#sessions.delete(session);
    this.#sessions.set(session, hot);
    return hot;
  }

  /** Adds a session that was read, unless it is here already. */
  add(row: SessionRow): void {
    const { session } = row.terms;
    if (this.#sessions.has(session)) return;
    this.#sessions.set(session, hotSession(row));
    this.#evict(session);
  }

  /** All of them. */
  all(): Iterable<HotSession> {
    return this.#sessions.values();
  }

  #evict(justAdded: string): void {
    for (const [session, hot] of this.#sessions) {
      if (this.#sessions.size <= this.#max) return;
      if (hot.pins === 0 && session !== justAdded) this.#sessions.delete(session);
    }
  }
}
