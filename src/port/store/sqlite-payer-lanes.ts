/**
 * The lanes of a payer: which numbers were taken, and which process uses a lane now.
 * @module
 */
import { unixMs } from '../../base/time/index.ts';
import type { LaneLease, TakenLane } from './payer-store.ts';
import { int, text } from './sqlite-columns.ts';
import type { SqliteDatabase } from './sqlite-file.ts';

/** Lanes of all sessions. */
export class LaneTakings {
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  take({ lane, holder, nowMs, untilMs }: LaneLease & { readonly nowMs: number }): TakenLane {
    return this.#db.transaction((): TakenLane => {
      const row = this.#db.row('SELECT n, holder, until_ms FROM lane WHERE lane = ?', lane);
      if (row === undefined) {
        this.#db.run('INSERT INTO lane VALUES (?, 0, ?, ?)', lane, holder, untilMs);
        return { kind: 'ok', n: 0 };
      }
      const heldUntilMs = Number(int(row['until_ms']));
      const free = text(row['holder']) === holder || heldUntilMs <= nowMs;
      if (!free) return { kind: 'held', untilMs: unixMs(heldUntilMs) };
      const sql = 'UPDATE lane SET holder = ?, until_ms = ? WHERE lane = ?';
      this.#db.run(sql, holder, untilMs, lane);
      return { kind: 'ok', n: Number(int(row['n'])) };
    });
  }

  extend({ lane, holder, untilMs }: LaneLease, n: number): 'ok' | 'lost' {
    const sql = `UPDATE lane SET n = max(n, ?), until_ms = ? WHERE lane = ? AND holder = ?`;
    const changed = this.#db.guarded(() => this.#db.run(sql, n, untilMs, lane, holder));
    return changed === 1 ? 'ok' : 'lost';
  }
}
