/**
 * Sessions in memory: what is durable, what is true right now, and who waits for what.
 * @module
 */
import { msat } from '../base/money/index.ts';
import { reservedOf, type CallsImage, type SessionRow } from '../pay/ledger/index.ts';
import type { StoredAnswer } from '../port/store/index.ts';
import type { Answer } from './books.ts';

/** An answer that is being made, for those who wait for it. */
export interface Pending {
  /** How many wait for it besides the one who runs it. */
  joiners: number;
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
  /** What refunds are about to set aside: not credit any more, and not in the row yet. */
  asideMsat: bigint;
  /** Things under way; while there are any, the session stays in memory. */
  pins: number;
}

/** A session as it was just read. */
export function hotSession(row: SessionRow): HotSession {
  return { row, calls: row.calls, pending: new Map(), toStore: [], asideMsat: 0n, pins: 0 };
}

/** The row as calls and refunds have to see it: what a refund is about to take is gone. */
export function rowNow({ row, asideMsat }: HotSession): SessionRow {
  if (asideMsat === 0n) return row;
  const debitsPendingMsat = msat(row.counters.debitsPendingMsat + asideMsat);
  return { ...row, counters: { ...row.counters, debitsPendingMsat } };
}

/** A pending answer; if nobody joins, its failure is nobody's loss and no promise is made. */
export function pendingAnswer(): Pending {
  return new LazyAnswer();
}

class LazyAnswer implements Pending {
  joiners = 0;
  #outcome: { readonly answer: Answer } | { readonly reason: unknown } | undefined;
  #joined: PromiseWithResolvers<Answer> | undefined;

  get answer(): Promise<Answer> {
    if (this.#joined === undefined) {
      this.#joined = Promise.withResolvers<Answer>();
      this.#joined.promise.catch(() => undefined);
      this.#tell();
    }
    return this.#joined.promise;
  }

  resolve(answer: Answer): void {
    this.#outcome ??= { answer };
    this.#tell();
  }

  reject(reason: unknown): void {
    this.#outcome ??= { reason };
    this.#tell();
  }

  #tell(): void {
    if (this.#outcome === undefined || this.#joined === undefined) return;
    if ('answer' in this.#outcome) this.#joined.resolve(this.#outcome.answer);
    else this.#joined.reject(this.#outcome.reason);
  }
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

  /** It is in the store no more. */
  drop(session: string): void {
    this.#sessions.delete(session);
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
