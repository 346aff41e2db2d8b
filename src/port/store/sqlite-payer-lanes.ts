/**
 * The lanes of a payer: which numbers were taken, and which process uses a lane now.
 * @module
 */
import { unixMs } from '../../base/time/index.ts';
import type { LaneLease, TakenLane } from './payer-store.ts';
import { ProcessLocks } from './process-lock.ts';
import { int, text } from './sqlite-columns.ts';
import type { SqliteDatabase } from './sqlite-file.ts';

/** Lanes of all sessions. */
export class LaneTakings {
  readonly #db: SqliteDatabase;
  readonly #locks: ProcessLocks;

  /** @param file which the database is in */
  constructor(db: SqliteDatabase, file: string) {
    this.#db = db;
    this.#locks = new ProcessLocks(file);
  }

  take({ lane, holder: id, nowMs, untilMs }: LaneLease & { readonly nowMs: number }): TakenLane {
    return this.#db.transaction((): TakenLane => {
      const holder = this.#holder(id);
      const row = this.#db.row('SELECT n, holder, until_ms FROM lane WHERE lane = ?', lane);
      if (row === undefined) {
        this.#db.run('INSERT INTO lane VALUES (?, 0, ?, ?)', lane, holder, untilMs);
        return { kind: 'ok', n: 0 };
      }
      const heldUntilMs = Number(int(row['until_ms']));
      const before = text(row['holder']);
      const free = before === holder || heldUntilMs <= nowMs || this.#isGone(before);
      if (!free) return { kind: 'held', untilMs: unixMs(heldUntilMs) };
      const sql = 'UPDATE lane SET holder = ?, until_ms = ? WHERE lane = ?';
      this.#db.run(sql, holder, untilMs, lane);
      return { kind: 'ok', n: Number(int(row['n'])) };
    });
  }

  extend({ lane, holder, untilMs }: LaneLease, n: number): 'ok' | 'lost' {
    const sql = `UPDATE lane SET n = max(n, ?), until_ms = ? WHERE lane = ? AND holder = ?`;
    return this.#db.transaction(() => {
      const changed = this.#db.run(sql, n, untilMs, lane, this.#holder(holder));
      return changed === 1 ? 'ok' : 'lost';
    });
  }

  close(): void {
    this.#locks.close();
  }

  /** Who holds a lane, and which process it is: `<holder>@<process>`; older ones are one word. */
  #holder(id: string): string {
    return `${id}@${this.#locks.own(id)}`;
  }

  #isGone(holder: string): boolean {
    const process = holder.split('@')[1];
    return process !== undefined && this.#locks.isGone(process);
  }
}
