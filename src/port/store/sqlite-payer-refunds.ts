/**
 * The refunds that a payer has asked for.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { unixMs } from '../../base/time/index.ts';
import type { PayerRefund, PayerRefundState } from './payer-store.ts';
import { amount, text } from './sqlite-columns.ts';
import type { SqlRow, SqliteDatabase } from './sqlite-file.ts';
import { assertHere } from './sqlite-payer-moved.ts';

/** Refunds of all sessions. */
export class RefundTable {
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  insert(refund: Omit<PayerRefund, 'state' | 'reason'>): PayerRefund {
    const { id, session, invoice, paymentHash, amountMsat, askedAtMs } = refund;
    return this.#db.transaction(() => {
      const known = this.#db.row('SELECT 1 FROM refund WHERE id = ?', id);
      if (known === undefined) assertHere(this.#db, session);
      this.#db.run(
        `INSERT INTO refund (id, session, invoice, payment_hash, amount_msat, asked_at_ms, state)
          VALUES (?, ?, ?, ?, ?, ?, 'asked') ON CONFLICT (id) DO NOTHING`,
        id,
        session,
        invoice,
        paymentHash,
        amountMsat,
        askedAtMs,
      );
      return this.#stored(id);
    });
  }

  end(id: string, state: PayerRefundState, reason?: string): PayerRefund {
    return this.#db.transaction(() => {
      const sql = `UPDATE refund SET state = ?, reason = ? WHERE id = ? AND state = 'asked'`;
      this.#db.run(sql, state, reason ?? null, id);
      return this.#stored(id);
    });
  }

  find(id: string): PayerRefund | undefined {
    return this.#db.guarded(() => this.#find(id));
  }

  list(session: string): PayerRefund[] {
    const sql = 'SELECT * FROM refund WHERE session = ? ORDER BY position';
    return this.#db.guarded(() => this.#db.rows(sql, session).map(refundOf));
  }

  #stored(id: string): PayerRefund {
    const stored = this.#find(id);
    if (stored === undefined) throw new Fault('STORE_CORRUPT', { name: 'refund' });
    return stored;
  }

  #find(id: string): PayerRefund | undefined {
    const row = this.#db.row('SELECT * FROM refund WHERE id = ?', id);
    return row && refundOf(row);
  }
}

function refundOf(row: SqlRow): PayerRefund {
  const { reason } = row;
  return {
    id: text(row['id']),
    session: text(row['session']),
    invoice: text(row['invoice']),
    paymentHash: text(row['payment_hash']),
    amountMsat: amount(row['amount_msat']),
    askedAtMs: unixMs(Number(row['asked_at_ms'])),
    // The table lets nothing else in.
    state: text(row['state']) as PayerRefundState,
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}
