/**
 * The processes of one host: a primary, which has the books, the store and the wallet, and workers,
 * which take connections and serve calls over the lanes that they own.
 * @module
 */
import type { SessionTerms } from '../../pay/ledger/index.ts';
import type { LaneRow } from '../../pay/tick/index.ts';
import type { LaneLogFold } from '../store/index.ts';

/** Where a lane is served. */
export type LanePlace =
  /** By who asks, from now on, under the epoch of this row. */
  | { readonly kind: 'here'; readonly row: LaneRow; readonly terms: SessionTerms }
  /** By another worker, until that one lets it go or ends. */
  | { readonly kind: 'elsewhere'; readonly worker: number };

/** How far a lane is with what its payer has said. */
export interface LaneStanding {
  /** 16 bytes, hex. */
  readonly lane: string;
  /** The highest tick accepted, and its index. */
  readonly index: number;
  readonly tip: Uint8Array;
  readonly done: number;
}

/** What a worker asks of its primary. Rejects with Fault; when the primary is gone, never. */
export interface PrimaryLink {
  /**
   * Takes a lane, unless another worker has it.
   * @throws Fault `LANE_UNKNOWN`, `LANE_CLOSED`, `SESSION_UNPAID`
   */
  take(lane: string): Promise<LanePlace>;
  /** Resolves when the store has it, durably. */
  fold(fold: LaneLogFold): Promise<void>;
  /** `HostStore.storedLaneAnswer`: a repeat asks, and this worker holds the answer no more. */
  storedLaneAnswer(lane: string, n: number): Promise<Uint8Array | undefined>;
  /**
   * This worker serves these lanes no more, and all that it answered was folded. One that it has
   * taken again since (a higher epoch) stays its own.
   */
  release(lanes: readonly { readonly lane: string; readonly epoch: number }[]): void;
}

/** What a primary asks of a worker. Rejects when the worker has ended. */
export interface WorkerLink {
  readonly worker: number;
  /**
   * Folds what was written of its lanes: of one session, or of all. Gives where those of the
   * session stand, which may be further than what was written.
   */
  flush(session: string | undefined): Promise<readonly LaneStanding[]>;
  /**
   * Serves the lanes of a session no more: refuses new calls, waits for those under way, folds,
   * then lets them go.
   */
  close(session: string): Promise<void>;
}
