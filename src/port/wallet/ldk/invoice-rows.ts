/**
 * The rows of invoices, as `invoices.ts` and `holds.ts` share them.
 * @module
 */
import { msat, ZERO_MSAT } from '../../../base/money/index.ts';
import { unixMs, type UnixMs } from '../../../base/time/index.ts';
import { integer, text, type Row } from '../rows.ts';
import type { Incoming } from '../wallet.ts';
import type { State } from './state.ts';

/** The row of an invoice. */
export function findInvoice(state: State, paymentHash: string): Row | undefined {
  return state.get('SELECT * FROM invoice WHERE payment_hash = ?', paymentHash);
}

/** What a row says to the outside. */
export function incomingOf(row: Row, nowMs: number): Incoming {
  const receivedMsat = msat(integer(row, 'received_msat'));
  switch (text(row, 'state')) {
    case 'paid':
      return { state: 'paid', receivedMsat, paidAtMs: paidAt(row) };
    case 'held':
    case 'settling':
      return { state: 'held', receivedMsat };
    case 'cancelled':
      return { state: 'cancelled', receivedMsat: ZERO_MSAT };
    case 'claiming':
      return { state: 'open', receivedMsat: ZERO_MSAT };
    default: {
      const expired = nowMs >= integer(row, 'expires_at_ms');
      return { state: expired ? 'expired' : 'open', receivedMsat: ZERO_MSAT };
    }
  }
}

/** The money is ours: says so, and gives it its place in the order of what was received. */
export function markPaid(
  state: State,
  paymentHash: string,
  { receivedMsat, nowMs }: { receivedMsat: bigint; nowMs: number },
): void {
  const paidAtMs = BigInt(nowMs);
  const update = `UPDATE invoice SET state = 'paid', received_msat = ?, paid_at_ms = ?
    WHERE payment_hash = ?`;
  state.run(update, receivedMsat, paidAtMs, paymentHash);
  const insert = 'INSERT INTO received (payment_hash, received_msat, paid_at_ms) VALUES (?, ?, ?)';
  state.run(insert, paymentHash, receivedMsat, paidAtMs);
}

/** When it was paid. */
export function paidAt(row: Row): UnixMs {
  return unixMs(Number(integer(row, 'paid_at_ms')));
}
