/**
 * Sessions that leave a profile or come to it. One profile holds a session; who has given it away
 * records nothing of it any more, in the same transactions that would.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
import type { MovedSession } from './payer-store.ts';
import { int, text } from './sqlite-columns.ts';
import type { SqliteDatabase } from './sqlite-file.ts';
import { purchaseOf } from './sqlite-payer-schema.ts';

/** Call it inside of a transaction. @throws Fault `PURCHASE_MOVED` when the session has left */
export function assertHere(db: SqliteDatabase, session: string): void {
  if (db.row('SELECT 1 FROM moved WHERE session = ?', session) !== undefined) {
    throw new Fault('PURCHASE_MOVED', { session });
  }
}

/** What has no outcome yet. A refund under way comes to the old profile all the same. */
const OPEN = `SELECT 'a call' AS what FROM call WHERE session = ?1 AND answer IS NULL
  UNION ALL SELECT 'a top-up' FROM purchase WHERE session = ?1 AND state = 'paying'`;

/** The sessions that have left. */
export class MovedTable {
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  give(session: string, atMs: UnixMs): MovedSession | undefined {
    return this.#db.transaction(() => {
      const row = this.#db.row(
        `SELECT * FROM purchase WHERE session = ? AND state = 'paid' ORDER BY position LIMIT 1`,
        session,
      );
      if (row === undefined) return undefined;
      const open = this.#db.row(OPEN, session);
      if (open !== undefined) throw new Fault('PURCHASE_OPEN', { what: text(open['what']) });
      this.#db.run('INSERT OR IGNORE INTO moved VALUES (?, ?)', session, atMs);
      return { purchase: purchaseOf(row), next: this.#next(session) };
    });
  }

  take({ purchase, next }: MovedSession): 'ok' | 'here' {
    const { id, host, service, session = '', paymentHash = null } = purchase;
    return this.#db.transaction(() => {
      const left = this.#db.run('DELETE FROM moved WHERE session = ?', session) === 1;
      const known = this.#db.row('SELECT 1 FROM purchase WHERE session = ? OR id = ?', session, id);
      if (known !== undefined && !left) return 'here';
      if (known === undefined) {
        // Not paid from here: before all time, so that no cap on what is spent counts it.
        this.#db.run(
          `INSERT INTO purchase (id, host, service, state, session, payment_hash, amount_msat,
            made_at_ms, record, version, paying_at_ms)
            VALUES (?, ?, ?, 'paid', ?, ?, ?, ?, ?, 1, -1)`,
          id,
          host,
          service,
          session,
          paymentHash,
          purchase.amountMsat,
          purchase.madeAtMs,
          purchase.record,
        );
      }
      const from = next > this.#next(session) ? next : this.#next(session);
      this.#db.run('REPLACE INTO numbering VALUES (?, ?, ?)', session, from, from);
      return 'ok';
    });
  }

  list(): ReadonlySet<string> {
    const rows = this.#db.guarded(() => this.#db.rows('SELECT session FROM moved'));
    return new Set(rows.map((row) => text(row['session'])));
  }

  #next(session: string): bigint {
    const next = this.#db.row('SELECT next FROM numbering WHERE session = ?', session)?.['next'];
    return next === undefined ? 0n : int(next);
  }
}
