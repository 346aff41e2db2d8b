/**
 * The logs of worker processes: begun before a worker starts, folded while it runs, closed once it
 * has ended. What stands in one was written by the owner of the lanes; so whatever does not fit
 * means that the log and the database do not belong together.
 * @module
 */
import { existsSync, rmSync } from 'node:fs';
import { sameBytes } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { ZERO_MSAT, msat, type Msat } from '../../base/money/index.ts';
import { lockLog, lockPathOf } from './file-lock.ts';
import type { LaneLogFold, LaneLogPlace } from './host-store.ts';
import { SPEND_LOG_BYTES } from './limits.ts';
import { CAN_LOG, createLog, readLogHead } from './log-file.ts';
import { readLaneImages, readLaneLeaps, type LaneLeap } from './packed-lanes.ts';
import { bytes, int } from './sqlite-columns.ts';
import type { SqliteDatabase } from './sqlite-file.ts';
import { writeLaneAnswers } from './sqlite-host-lane-answers.ts';
import { LaneImages } from './sqlite-host-lane-images.ts';
import { damaged, neededBlocks, type LogState } from './sqlite-host-log-state.ts';
import type { Spending, SpendingOptions } from './sqlite-host-spending.ts';

/** A row of the table `worker_log`. */
interface WorkerLogRow extends LogState {
  readonly worker: number;
}

/** The logs of one host's workers. */
export class LaneLogs {
  readonly #db: SqliteDatabase;
  readonly #spending: Spending;
  readonly #file: string;
  readonly #logBytes: number;

  /** Brings the database up to what logs hold that were left. @throws Fault `STORE_OWNED` */
  constructor(db: SqliteDatabase, spending: Spending, options: SpendingOptions) {
    this.#db = db;
    this.#spending = spending;
    this.#file = options.file;
    this.#logBytes = options.spendLogBytes ?? SPEND_LOG_BYTES;
    for (const { worker } of this.#rows()) this.close(worker);
  }

  /** The row says what stands in the file before anything does. */
  open(worker: number): LaneLogPlace {
    if (this.#file === ':memory:') throw new Error('invariant: a store in memory has no logs');
    if (!CAN_LOG) throw new Fault('CONFIG_INVALID', { problem: 'workers need O_DSYNC' });
    if (this.#row(worker)?.open === true) throw new Error('invariant: a worker has one log');
    const file = this.#fileOf(worker);
    return this.#locked(file, () => {
      this.#dropLeft(worker);
      const sql = 'REPLACE INTO worker_log VALUES (?, randomblob(16), 0, 0)';
      this.#db.transaction(() => this.#db.run(sql, worker));
      const id = this.#row(worker)?.id;
      if (id === undefined) throw new Error('invariant: a row that was written is there');
      createLog({ file, id, base: 0, bytes: this.#logBytes });
      const opened = 'UPDATE worker_log SET is_open = 1 WHERE worker = ?';
      this.#db.transaction(() => this.#db.run(opened, worker));
      return { file, id };
    });
  }

  /** Brings lanes up to what a log says; gives what their calls cost. */
  fold(worker: number, { images, through, extra }: LaneLogFold): Msat {
    const leaps = readLaneLeaps(images);
    const lanes = leaps.map(({ image }) => image.lane);
    return this.#spending.transaction(() => {
      const cost = leaps.reduce((sum, leap) => sum + this.#leap(worker, leap), 0n);
      this.#spending.foldLanes(lanes);
      if (extra !== undefined) writeLaneAnswers(this.#db, lanes, extra.answers);
      const sql = `UPDATE worker_log SET folded = max(folded, ?) WHERE worker = ? AND is_open = 1`;
      const changed = this.#db.run(sql, through, worker);
      if (changed !== 1) throw new Fault('STORE_CORRUPT', { worker, reason: 'it has no log' });
      return msat(cost);
    });
  }

  /** Brings all that a log holds into the database, then removes it; gives what its calls cost. */
  close(worker: number): Msat {
    const row = this.#row(worker);
    const file = this.#fileOf(worker);
    if (row === undefined || (!row.open && !existsSync(file))) return ZERO_MSAT;
    return this.#locked(file, () => {
      const cost = row.open ? this.#replay(row) : ZERO_MSAT;
      this.#dropLeft(worker);
      rmSync(lockPathOf(file), { force: true });
      return cost;
    });
  }

  /** What is wrong with logs that are open. */
  problems(): string[] {
    return this.#rows().flatMap(({ worker, id, open }) => {
      const head = open ? readLogHead(this.#fileOf(worker)) : undefined;
      const fits = !open || (head !== undefined && sameBytes(head.id, id));
      return fits ? [] : [`the log of worker ${worker} is missing, or another one`];
    });
  }

  #leap(worker: number, { image, from }: LaneLeap): bigint {
    const { lanes } = this.#spending;
    const row = lanes.find(image.lane);
    // Brought here before, and the worker has not heard of it.
    if (row?.epoch === image.epoch && image.version < row.version) return 0n;
    const refusal = lanes.leap(image, from);
    if (refusal !== undefined || row === undefined) {
      throw new Fault('STORE_CORRUPT', { worker, lane: image.lane, refusal: refusal ?? '' });
    }
    return BigInt(image.spent - row.spent) * row.terms.unitMsat;
  }

  #replay(row: WorkerLogRow): Msat {
    const file = this.#fileOf(row.worker);
    const blocks = this.#db.guarded(() => neededBlocks(file, row)) ?? [];
    const lanes = new LaneImages(this.#db);
    let cost = 0n;
    this.#spending.transaction(() => {
      this.#spending.foldAll();
      for (const { sequence, images } of blocks) {
        for (const image of readLaneImages(images)) {
          if (lanes.isOld(image)) continue;
          const before = lanes.find(image.lane);
          const refusal = lanes.take(image);
          if (refusal !== undefined || before === undefined) {
            throw new Fault('STORE_CORRUPT', { file, block: sequence, refusal: refusal ?? '' });
          }
          cost += BigInt(image.spent - before.spent) * before.terms.unitMsat;
          lanes.rows.logged(image.lane);
        }
      }
      for (const lane of lanes.rows.takeAll()) lanes.fold(lane);
      const sql = 'UPDATE worker_log SET folded = ?, is_open = 0 WHERE worker = ?';
      this.#db.run(sql, blocks.at(-1)?.sequence ?? row.folded, row.worker);
    });
    this.#spending.forgetAll();
    return msat(cost);
  }

  /** Removes the file of a log that is in the database. */
  #dropLeft(worker: number): void {
    const file = this.#fileOf(worker);
    const head = readLogHead(file);
    const id = this.#row(worker)?.id;
    if (head !== undefined && (id === undefined || !sameBytes(head.id, id))) {
      throw damaged(file, 'the log belongs to another store: move it away with that one');
    }
    rmSync(file, { force: true });
  }

  #locked<T>(file: string, work: () => T): T {
    const lock = lockLog(file);
    try {
      return this.#db.guarded(work);
    } finally {
      lock.close();
    }
  }

  #fileOf(worker: number): string {
    return `${this.#file}-lanes-${worker}`;
  }

  #row(worker: number): WorkerLogRow | undefined {
    return this.#rows().find((row) => row.worker === worker);
  }

  #rows(): WorkerLogRow[] {
    return this.#db.guarded(() =>
      this.#db.rows('SELECT * FROM worker_log').map((row) => ({
        worker: Number(int(row['worker'])),
        id: bytes(row['log_id']),
        folded: Number(int(row['folded'])),
        open: row['is_open'] === 1n,
      })),
    );
  }
}
