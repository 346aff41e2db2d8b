/**
 * Where images go: into the spend log when there is one, and from there into the database, at the
 * latest when a half of the log is full. Whatever else reads or writes such a row folds it first,
 * in its own transaction. A version says which images a row has left behind, so that folding twice
 * changes nothing.
 * @module
 */
import { rmSync } from 'node:fs';
import { Fault, asFault } from '../../base/fault/index.ts';
import type { ImageRefusal } from '../../pay/ledger/index.ts';
import { LANE_REFUSALS } from '../../pay/tick/index.ts';
import type { LaneExtra } from './host-store.ts';
import { FOLD_SLICE, SPEND_LOG_BYTES } from './limits.ts';
import type { PackedResult } from './packed-images.ts';
import { readLaneImages, type LaneImageRead } from './packed-lanes.ts';
import { CAN_LOG, nextBlock, type BlockKind, type LogBlock } from './log-file.ts';
import { SpendLog } from './spend-log.ts';
import { neededBlocks, logState, setLogState } from './sqlite-host-log-state.ts';
import {
  NO_NUMBERS,
  SessionImages,
  readImages,
  type SessionImageRead,
} from './sqlite-host-images.ts';
import { LaneImages } from './sqlite-host-lane-images.ts';
import { writeLaneAnswers } from './sqlite-host-lane-answers.ts';
import { laneIds } from './sqlite-host-lanes.ts';
import type { SqliteDatabase } from './sqlite-file.ts';

/** How images are written. */
export interface SpendingOptions {
  /** The database; the log stands beside it. ':memory:' has none. */
  readonly file: string;
  readonly spendLog?: boolean;
  readonly spendLogBytes?: number;
}

/** What became of the images of sessions. */
type Written = Omit<PackedResult, 'groups'>;

/** The images of one host's file. */
export class Spending {
  readonly #db: SqliteDatabase;
  readonly #sessions: SessionImages;
  /** The lanes, as they were written last. */
  readonly lanes: LaneImages;
  readonly #logFile: string | undefined;
  readonly #logBytes: number;
  readonly #logs: boolean;
  #log: SpendLog | undefined;
  /** The database holds the blocks up to this one, or more. */
  #folded = 0;
  #broken: Fault | undefined;

  /** Brings the database up to what a log beside it says. @throws Fault `STORE_CORRUPT` */
  constructor(db: SqliteDatabase, options: SpendingOptions) {
    const { file, spendLog = true, spendLogBytes = SPEND_LOG_BYTES } = options;
    this.#db = db;
    this.#sessions = new SessionImages(db);
    this.lanes = new LaneImages(db);
    this.#logFile = file === ':memory:' ? undefined : `${file}-spend`;
    this.#logBytes = spendLogBytes;
    this.#logs = spendLog && CAN_LOG && this.#logFile !== undefined;
    if (this.#logFile !== undefined) this.#replay(this.#logFile);
  }

  /** A transaction that may fold; when it throws, nothing is folded. */
  transaction<T>(work: () => T): T {
    if (this.#broken !== undefined) throw this.#broken;
    this.#sessions.rows.begin();
    this.lanes.rows.begin();
    try {
      const result = this.#db.transaction(work);
      this.#sessions.rows.settle();
      this.lanes.rows.settle();
      return result;
    } catch (error) {
      this.#sessions.rows.revert();
      this.lanes.rows.revert();
      throw error;
    }
  }

  /** Reads what a commit may have changed: all of it is in the database then. */
  read<T>(work: () => T): T {
    if (this.#sessions.rows.size + this.lanes.rows.size === 0) return this.#db.guarded(work);
    return this.transaction(() => {
      this.foldAll();
      return work();
    });
  }

  /** Reads a session, without its lanes. */
  readSession<T>(session: string, work: () => T): T {
    if (!this.#sessions.rows.ahead(session)) return this.#db.guarded(work);
    return this.transaction(() => {
      this.#sessions.fold(session);
      return work();
    });
  }

  /** Reads sessions: they and their lanes are in the database then. */
  readSessions<T>(sessions: readonly string[], work: () => T): T {
    if (this.#sessions.rows.size + this.lanes.rows.size === 0) return this.#db.guarded(work);
    return this.transaction(() => {
      for (const session of sessions) this.foldSession(session);
      return work();
    });
  }

  /** Folds everything; call it inside of a transaction. */
  foldAll(): void {
    for (const session of this.#sessions.rows.takeAll()) this.#sessions.fold(session);
    for (const lane of this.lanes.rows.takeAll()) this.lanes.fold(lane);
    if (this.#log !== undefined)
      setLogState(this.#db, { folded: this.#log.blocks.last, open: true });
  }

  /** Folds a session and its lanes; call it inside of a transaction. */
  foldSession(session: string): void {
    this.#sessions.fold(session);
    if (this.lanes.rows.size === 0) return;
    for (const lane of laneIds(this.#db, session)) this.lanes.fold(lane);
  }

  /** Folds lanes; call it inside of a transaction. */
  foldLanes(lanes: readonly string[]): void {
    for (const lane of lanes) this.lanes.fold(lane);
  }

  /** A session was written by something else than an image; it was folded before. */
  forgetSession(session: string): void {
    this.#sessions.rows.forget(session);
  }

  /** The same for lanes. */
  forgetLanes(lanes: readonly string[]): void {
    for (const lane of lanes) this.lanes.rows.forget(lane);
  }

  /** Any of them may be gone; all were folded before. */
  forgetAll(): void {
    this.#sessions.rows.forgetAll();
    this.lanes.rows.forgetAll();
  }

  /** Writes images of sessions, each on its own, and `work` with them: durable when it returns. */
  writeSessions<T>(packed: Uint8Array, work?: () => T): { written: Written; result?: T } {
    const images = readImages(packed);
    const refusals: (ImageRefusal | undefined)[] = [];
    const numbers: bigint[] = [];
    const take = (image: SessionImageRead): boolean => {
      const refusal = this.#sessions.take(image);
      refusals.push(refusal);
      const all = refusal === undefined ? this.#sessions.numbersOf(image.session) : NO_NUMBERS;
      numbers.push(...all);
      return refusal === undefined;
    };
    const written = (): Written => ({ refusals, numbers: BigInt64Array.from(numbers) });
    if (work === undefined && this.#logs && !images.some((image) => image.once)) {
      this.#append('sessions', images, (image) => {
        if (!take(image)) return false;
        this.#sessions.rows.logged(image.session);
        return true;
      });
      return { written: written() };
    }
    return this.transaction(() => {
      for (const image of images) {
        if (take(image)) this.#sessions.fold(image.session);
      }
      const result = work?.();
      return result === undefined ? { written: written() } : { written: written(), result };
    });
  }

  /**
   * Writes images of lanes, each on its own: durable when it returns. With `extra` nothing of it is
   * logged.
   */
  writeLanes(packed: Uint8Array, extra?: LaneExtra): Uint8Array {
    const images = readLaneImages(packed);
    const results = new Uint8Array(images.length);
    let i = 0;
    const take = (image: LaneImageRead): boolean => {
      const refusal = this.lanes.take(image);
      results[i++] = refusal === undefined ? 0 : 1 + LANE_REFUSALS.indexOf(refusal);
      return refusal === undefined;
    };
    if (this.#logs && extra === undefined) {
      this.#append('lanes', images, (image) => {
        if (!take(image)) return false;
        this.lanes.rows.logged(image.lane);
        return true;
      });
    } else {
      this.transaction(() => {
        const written = images.filter(take).map(({ lane }) => lane);
        this.foldLanes(written);
        if (extra !== undefined) writeLaneAnswers(this.#db, written, extra.answers);
      });
    }
    return results;
  }

  /** Folds everything, and the log is gone; when that fails, the log stays and is read again. */
  close(): void {
    if (this.#log === undefined || this.#logFile === undefined) return;
    const { last } = this.#log.blocks;
    this.#log.close();
    this.#log = undefined;
    if (this.#broken !== undefined) return;
    try {
      this.transaction(() => {
        this.foldAll();
        setLogState(this.#db, { folded: last, open: false });
      });
      rmSync(this.#logFile, { force: true });
    } catch {
      // What it holds is durable as it is: the next start folds it, or says why it cannot.
    }
  }

  /** Takes and logs images; what was taken and could not be logged breaks the store. */
  #append<T extends { readonly packed: Uint8Array }>(
    kind: BlockKind,
    images: readonly T[],
    take: (image: T) => boolean,
  ): void {
    if (this.#broken !== undefined) throw this.#broken;
    if (images.length === 0) return;
    const log = (this.#log ??= this.#db.guarded(() => this.#open()));
    for (let from = 0; from < images.length;) {
      const { block, bytes } = nextBlock(images, from, log.blocks.maxBytes);
      // First room, then what is taken: what the other half held must be in the database before.
      this.#makeRoom(log, bytes);
      try {
        const taken = block.filter(take).map(({ packed }) => packed);
        if (taken.length > 0) this.#db.guarded(() => log.append(kind, taken));
      } catch (error) {
        this.#broken = asFault(error, 'STORE_FAILED');
        throw this.#broken;
      }
      from += block.length;
    }
    this.#foldOlder(log, Math.max(FOLD_SLICE, 2 * images.length));
  }

  #makeRoom(log: SpendLog, bytes: number): void {
    if (log.blocks.hasRoom(bytes)) return;
    this.#foldOlder(log, Infinity);
    log.blocks.turn();
    this.#sessions.rows.turn();
    this.lanes.rows.turn();
  }

  /** Folds rows that have an image in the half of the log that is not in use. */
  #foldOlder(log: SpendLog, limit: number): void {
    const sessions = this.#sessions.rows.older(limit);
    const lanes = this.lanes.rows.older(limit);
    const over = sessions.length < limit && lanes.length < limit;
    // Also when nothing is left to fold: that half is needed no more, and is written over.
    if (this.#folded >= log.blocks.otherEnd && sessions.length + lanes.length === 0) return;
    this.transaction(() => {
      for (const session of sessions) this.#sessions.fold(session);
      this.foldLanes(lanes);
      if (over) setLogState(this.#db, { folded: log.blocks.otherEnd, open: true });
    });
    if (over) this.#folded = log.blocks.otherEnd;
    this.#sessions.rows.dropOlder(sessions);
    this.lanes.rows.dropOlder(lanes);
  }

  /** The database knows of the log before anything stands in it. */
  #open(): SpendLog {
    if (this.#logFile === undefined) throw new Error('invariant: there is a log to open');
    const { id, folded } = logState(this.#db);
    const options = { file: this.#logFile, id, base: folded, bytes: this.#logBytes };
    const log = new SpendLog(options);
    try {
      this.#db.transaction(() => setLogState(this.#db, { folded, open: true }));
    } catch (error) {
      log.close();
      throw error;
    }
    this.#folded = folded;
    return log;
  }

  #replay(file: string): void {
    const state = logState(this.#db);
    const blocks = this.#db.guarded(() => neededBlocks(file, state));
    if (blocks === undefined) return;
    this.transaction(() => {
      for (const block of blocks) this.#replayBlock(block);
      this.foldAll();
      const folded = blocks.at(-1)?.sequence ?? state.folded;
      setLogState(this.#db, { folded, open: false });
    });
    this.#db.guarded(() => rmSync(file, { force: true }));
  }

  #replayBlock({ kind, images, sequence }: LogBlock): void {
    const write = <T>(image: T, rows: Replayed<T>, key: string): void => {
      if (rows.isOld(image)) return;
      const refusal = rows.take(image);
      // It was let through once; so this database is not the one that it was written for.
      if (refusal !== undefined) throw new Fault('STORE_CORRUPT', { block: sequence, refusal });
      rows.rows.logged(key);
    };
    switch (kind) {
      case 'sessions':
        for (const image of readImages(images)) write(image, this.#sessions, image.session);
        return;
      case 'lanes':
        for (const image of readLaneImages(images)) write(image, this.lanes, image.lane);
        return;
    }
  }
}

/** What replay needs of sessions or lanes. */
interface Replayed<T> {
  readonly rows: { logged(key: string): void };
  isOld(image: T): boolean;
  take(image: T): string | undefined;
}
