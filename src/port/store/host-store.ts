/**
 * The host's store: the ledger, durably. One owner per file.
 *
 * Every method may reject with Fault `STORE_FULL`, `STORE_READONLY`, `STORE_CORRUPT` or
 * `STORE_FAILED`. When `commit` rejects, it is unknown what was written: answer nothing that waited
 * for it, stop, open again and look.
 * @module
 */
import type {
  Account,
  AccountId,
  CallsImage,
  ImageRefusal,
  Refund,
  RefundEnd,
  SessionNumbers,
  SessionRow,
  SessionTerms,
  Sheet,
  TopUp,
  Transfer,
  TransferRefusal,
} from '../../pay/ledger/index.ts';
import type { LaneRow, LaneTerms } from '../../pay/tick/index.ts';
import type { Msat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';

/** A session's calls, to be written over the version that they were made from. */
export interface SessionImage {
  readonly session: string;
  readonly version: bigint;
  readonly calls: CallsImage;
}

/** The answer of a call with effect once, kept until the payer has declared it resolved. */
export interface StoredAnswer {
  readonly session: string;
  readonly n: bigint;
  readonly body: Uint8Array;
  readonly chargedMsat: Msat;
}

/** What is written together or not at all, in this order. */
export interface CommitGroup {
  /** A new session, unpaid. */
  readonly open?: SessionTerms;
  /** The lanes of the session that is opened. */
  readonly lanes?: readonly LaneTerms[];
  /**
   * Closes all lanes of a session: they serve no more, their epoch rises, and what they have spent
   * becomes one `serve` transfer, before the group's own transfers. Closed ones stay as they are.
   */
  readonly closeLanes?: { readonly session: string; readonly atMs: UnixMs };
  readonly images?: readonly SessionImage[];
  /** Evaluated against the rows as they are; a session that they touch is folded first. */
  readonly transfers?: readonly Transfer[];
  /** A new refund, `refunding`: goes with the transfers that set it aside. */
  readonly refund?: Refund;
  /** How a refund ended: goes with the transfers that end it. */
  readonly refundEnd?: { readonly paymentHash: string; readonly end: RefundEnd };
  /** A new top-up, unpaid. */
  readonly topUp?: TopUp;
  /** A top-up is paid, by its payment hash: goes with the transfer that credits it. */
  readonly topUpPaid?: string;
  /** The wallet's position; a lower one than the stored one changes nothing. */
  readonly cursor?: bigint;
  readonly answers?: readonly StoredAnswer[];
  /** Stored answers that are not needed any more. */
  readonly forget?: readonly { readonly session: string; readonly n: bigint }[];
}

/**
 * Why a group was not written, in order of precedence: first the session, then images, then
 * transfers.
 */
export type GroupRefusal = OpenRefusal | ImageRefusal | TransferRefusal | TopUpRefusal;

/** Why a session is not opened, in order of precedence. */
export const OPEN_REFUSALS = ['session_exists', 'setup_exists', 'payment_hash_exists'] as const;
/** Why a session is not opened. */
export type OpenRefusal = (typeof OPEN_REFUSALS)[number];

/** Why a top-up is not written, or cannot be paid. */
export type TopUpRefusal = 'topup_exists' | 'payment_hash_exists' | 'topup_unknown';

/** What became of one group. */
export type GroupResult =
  /** Written, with the numbers of every session that it touched. */
  | {
      readonly code: 'ok';
      readonly touched: readonly { readonly session: string; readonly numbers: SessionNumbers }[];
    }
  /** Nothing of it was written. */
  | { readonly code: GroupRefusal };

/** A session that is not paid yet. */
export interface UnpaidSession {
  readonly session: string;
  readonly payByMs: UnixMs;
  readonly payer: string;
  readonly totalMsat: Msat;
}

/** What the refunds of a session have moved, and when money last moved. */
export interface RefundTotals {
  readonly refundedMsat: Msat;
  readonly feesMsat: Msat;
  /** Zero when there was none. */
  readonly lastAskedAtMs: UnixMs;
  /** How many there were, whatever became of them. */
  readonly count: number;
  /** When its invoice or that of a top-up was last paid; zero while none was. */
  readonly lastPaidAtMs: UnixMs;
  /** Until then a top-up of the session can still be paid; zero when there is none. */
  readonly topUpUntilMs: UnixMs;
}

/** The answer of a call with effect once over a lane, kept until the payer has resolved it. */
export interface StoredLaneAnswer {
  /** 16 bytes, hex. */
  readonly lane: string;
  readonly n: number;
  readonly body: Uint8Array;
}

/** What goes into one transaction with images of lanes; they are not logged then. */
export interface LaneExtra {
  readonly answers: readonly StoredLaneAnswer[];
}

/** Lanes as a worker's log has them. */
export interface LaneLogFold {
  /**
   * For each lane: the version of its row in the store (4 bytes, little-endian), then its image as
   * it is now (`pay/tick/image.ts`), one after the other.
   */
  readonly images: Uint8Array;
  /** Up to this block of the log everything is in the store then. */
  readonly through: number;
  /** What goes into the same transaction. */
  readonly extra?: LaneExtra;
}

/** Where the log of a worker stands. */
export interface LaneLogPlace {
  readonly file: string;
  /** 16 bytes that nobody outside knows: it marks the blocks of this log. */
  readonly id: Uint8Array;
}

/** Which unpaid orders are cut down, and which are deleted; none that something was paid for. */
export interface Lapse {
  /** The reply goes when the invoice ended from here on, */
  readonly fromMs: UnixMs;
  /** and before. */
  readonly beforeMs: UnixMs;
  /** Deleted when the invoice ended before, */
  readonly dropBeforeMs: UnixMs;
  /** and so many others without a reply are younger. */
  readonly keep: number;
}

/** The store of one host. */
export interface HostStore {
  /**
   * Where there is one: resolves when a commit is worth its price, once what is about to happen
   * anyway has happened. Never a timer.
   */
  readonly gather?: () => Promise<void>;
  /**
   * One durable transaction for all groups; each group is written whole or refused on its own.
   * Resolves once what was written survives a crash and a power cut.
   */
  commit(groups: readonly CommitGroup[]): Promise<readonly GroupResult[]>;
  /**
   * Writes images of lanes (`pay/tick/image.ts`), one after the other in `images`, each on its own:
   * it is written if it was made from the row as it is, by its owner. Resolves once what was
   * written survives a crash and a power cut, with one byte for each image: 0 written, else 1 + the
   * place of the reason in `LANE_REFUSALS`. A lane occurs once. With `extra`, also when it is
   * empty, all are written in one transaction with it; the answers of a refused lane are not.
   * @throws Fault `BYTES_MALFORMED` when that is not what `images` holds
   */
  commitLanes(images: Uint8Array, extra?: LaneExtra): Promise<Uint8Array>;
  /**
   * Takes lanes over: their epoch rises, durably, and images of an earlier owner are refused from
   * now on. Gives the rows of those that exist, in the order asked for. Closed ones stay as they
   * are.
   */
  takeLanes(lanes: readonly string[]): Promise<readonly LaneRow[]>;
  /** Begins the log of a worker process, which must have none. Only a store in a file has them. */
  openLaneLog(worker: number): Promise<LaneLogPlace>;
  /**
   * Brings lanes of a worker up to images that its log holds, in one transaction; one that the
   * store has left behind changes nothing. Refused as a whole when one was not made by the owner.
   * Resolves with what their calls cost that the store did not have before. Not after the log was
   * closed: what comes late from a worker that has ended is dropped by whoever hears it.
   * @throws Fault `STORE_CORRUPT`
   */
  foldLanes(worker: number, fold: LaneLogFold): Promise<Msat>;
  /**
   * A worker has ended: brings all that its log still holds into the store, then the log is gone.
   * Resolves with what those calls cost that the store did not have before.
   * @throws Fault `STORE_OWNED` as long as a process has the log open
   */
  closeLaneLog(worker: number): Promise<Msat>;
  /** The answer of a call with effect once over a lane, as long as it is kept. */
  storedLaneAnswer(lane: string, n: number): Promise<Uint8Array | undefined>;
  /** The lanes of a session, by their places. */
  lanesOf(session: string): Promise<readonly LaneRow[]>;
  session(session: string): Promise<SessionRow | undefined>;
  sessionBySetup(setup: string): Promise<SessionRow | undefined>;
  sessionByPaymentHash(paymentHash: string): Promise<SessionRow | undefined>;
  /** Sessions in the order in which they were opened, after `position` (0 at first). */
  sessionsAfter(
    position: bigint,
    limit: number,
  ): Promise<{ readonly rows: readonly SessionRow[]; readonly position: bigint }>;
  /** The journal after a position, 0 at first; oldest first. */
  transfersAfter(
    position: bigint,
    limit: number,
  ): Promise<{ readonly rows: readonly Transfer[]; readonly position: bigint }>;
  /** Sessions with a started call: after a crash their outcome is unknown. */
  startedSessions(): Promise<readonly SessionRow[]>;
  /** Unpaid sessions whose invoice can be paid after `nowMs`. */
  unpaidSessions(nowMs: UnixMs): Promise<readonly UnpaidSession[]>;
  /**
   * Takes the reply from each unpaid order whose invoice ended in a time, and deletes the oldest of
   * those without one; gives the sessions that were deleted. Not while a commit is under way.
   */
  lapse(lapse: Lapse): Promise<readonly string[]>;
  /** A top-up by the payer's id. */
  topUp(session: string, id: string): Promise<TopUp | undefined>;
  topUpByPaymentHash(paymentHash: string): Promise<TopUp | undefined>;
  /** Unpaid top-ups whose invoice can be paid after `nowMs`, by payment hash for a session. */
  unpaidTopUps(nowMs: UnixMs): Promise<readonly UnpaidSession[]>;
  /** A refund by its payment hash. */
  refund(paymentHash: string): Promise<Refund | undefined>;
  /** Refunds that have not ended, oldest first. */
  openRefunds(): Promise<readonly Refund[]>;
  refundTotals(session: string): Promise<RefundTotals>;
  /** What the sessions of a payer hold: credit, reserved and refunding. */
  prepaidMsat(payer: string): Promise<Msat>;
  /** Hashes of payments that are unattributed although their session exists. */
  attributable(): Promise<readonly string[]>;
  /** Sessions with credit that expired before `beforeMs`, at most `limit`, oldest first. */
  expiredSessions(beforeMs: UnixMs, limit: number): Promise<readonly string[]>;
  storedAnswer(session: string, n: bigint): Promise<StoredAnswer | undefined>;
  account(id: AccountId): Promise<Account | undefined>;
  transfer(id: string): Promise<Transfer | undefined>;
  /** The wallet's position up to which payments are booked; 0 at first. */
  walletCursor(): Promise<bigint>;
  /** Sessions that were paid for and have not expired. Reads their rows. */
  openSessions(nowMs: UnixMs): Promise<number>;
  /** The balance sheet of what is durable. Reads every session row. */
  sheet(): Promise<Sheet>;
  /**
   * Derives every counter again and checks every invariant: a list of problems, empty when all is
   * well.
   */
  audit(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** How to open a host's store. */
export interface HostStoreOptions {
  /** The file, or ':memory:'. Its directory is made when it is missing. */
  readonly file: string;
  /** Write in a thread of its own; else each method blocks the caller's. */
  readonly thread: boolean;
  /** The most pages of 4 KiB that the file may take; `STORE_FULL` beyond it. */
  readonly maxPages?: number;
  /** What calls spend is written into a log first, not into the database. Default true. */
  readonly spendLog?: boolean;
  /** What a log takes on the disk: this one, and that of each worker. Default 16 MiB. */
  readonly spendLogBytes?: number;
}
