/**
 * Held payments: they arrived for a hash whose preimage we do not have, and wait for a decision.
 *
 * A decision is a row in the same transaction as what LDK does about it, and nothing leaves the
 * process before the commit: so after a crash either both happened or neither. LDK alone knows
 * which HTLCs there are; the row alone says what we want of them. What LDK reports about HTLCs it
 * failed is not believed here: anybody who knows a hash can make it fail one more HTLC for it.
 * @module
 */
import { Option_u32Z_Some, type Event_PaymentClaimable } from 'lightningdevkit';
import { fromHex, toHex } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import type { Clock } from '../../../base/time/index.ts';
import { hashOf, pageSize } from '../check.ts';
import { HELD_CANCEL_BLOCKS, SETTLE_WAIT_MS } from '../limits.ts';
import { heldOf, text, type Row } from '../rows.ts';
import type { Held, Incoming } from '../wallet.ts';
import { findInvoice, incomingOf } from './invoice-rows.ts';
import type { Lightning } from './lightning.ts';
import type { State } from './state.ts';

/** The held payments of a node. */
export interface Holds {
  /** Keeps a payment that arrived, unless its deadline is near already. */
  hold(event: Event_PaymentClaimable): void;
  /** Takes it. @throws Fault `INVOICE_UNKNOWN`, `INVOICE_NOT_HELD` */
  settle(preimage: string): Promise<Incoming>;
  /**
   * Sends it back, or closes an open invoice.
   * @throws Fault `INVOICE_UNKNOWN`, `INVOICE_SETTLED`
   */
  cancel(paymentHash: string): Incoming;
  heldAfter(cursor: bigint, limit: number): readonly Held[];
  /** The money of a payment is ours. */
  finished(paymentHash: string): void;
  /** Sends back what has been held up to its deadline. Called after each stretch of blocks. */
  cancelDue(): void;
  /** Repeats to LDK what was decided. Called once, when the node starts. */
  resume(): void;
}

/** Opens the held payments. `wake` tells that one more is held. */
export function openHolds(
  lightning: Lightning,
  state: State,
  { clock, wake }: { clock: Clock; wake: () => void },
): Holds {
  const { manager } = lightning;
  const waiting = new Map<string, Set<() => void>>();
  const height = (): number => manager.current_best_block().get_height();
  const invoice = (paymentHash: string): Row => {
    const row = findInvoice(state, paymentHash);
    if (!row) throw new Fault('INVOICE_UNKNOWN');
    return row;
  };
  const now = (paymentHash: string): Incoming => incomingOf(invoice(paymentHash), clock.now());
  const sendBack = (paymentHash: string): void => {
    close(state, paymentHash);
    manager.fail_htlc_backwards(fromHex(paymentHash, 'paymentHash'));
  };
  const cancelDue = (): void => {
    const due = 'SELECT payment_hash FROM hold WHERE cancel_height <= ?';
    for (const row of state.all(due, height())) sendBack(text(row, 'payment_hash'));
  };
  return {
    cancelDue,
    hold: (event) => {
      const deadline = event.claim_deadline;
      const blocks = deadline instanceof Option_u32Z_Some ? deadline.some : 0;
      const cancelHeight = blocks - HELD_CANCEL_BLOCKS;
      if (cancelHeight <= height()) return manager.fail_htlc_backwards(event.payment_hash);
      keep(state, event, { cancelHeight, nowMs: clock.now() });
      wake();
    },
    settle: async (preimage) => {
      const paymentHash = hashOf(preimage);
      // LDK may be ahead of the rows by the blocks it was just told.
      cancelDue();
      if (text(invoice(paymentHash), 'state') === 'held') {
        decide(state, paymentHash, preimage);
        manager.claim_funds(fromHex(preimage, 'preimage'));
      }
      if (isTaken(invoice(paymentHash))) {
        return await finish(waiting, paymentHash, { clock, outcome: now });
      }
      const known = now(paymentHash);
      if (known.state === 'paid') return known;
      throw new Fault('INVOICE_NOT_HELD', { state: known.state });
    },
    cancel: (paymentHash) => {
      const row = invoice(paymentHash);
      if (isTaken(row)) throw new Fault('INVOICE_SETTLED');
      const known = now(paymentHash);
      if (known.state === 'paid') throw new Fault('INVOICE_SETTLED');
      if (known.state === 'held') sendBack(paymentHash);
      if (known.state === 'open') close(state, paymentHash);
      return now(paymentHash);
    },
    heldAfter: (cursor, limit) => heldAfter(state, cursor, limit),
    finished: (paymentHash) => {
      for (const wakeUp of waiting.get(paymentHash) ?? []) wakeUp();
    },
    resume: () => {
      for (const row of state.all(`SELECT preimage FROM invoice WHERE state = 'settling'`)) {
        manager.claim_funds(fromHex(text(row, 'preimage'), 'preimage'));
      }
      cancelDue();
    },
  };
}

function heldAfter(state: State, cursor: bigint, limit: number): readonly Held[] {
  const sql = `SELECT hold.*, received_msat FROM hold JOIN invoice USING (payment_hash)
    WHERE hold.cursor > ? ORDER BY hold.cursor LIMIT ?`;
  return state.all(sql, cursor, pageSize(limit)).map(heldOf);
}

/** Its preimage is with LDK: the money comes, and nothing takes that back. */
function isTaken(row: Row): boolean {
  return ['settling', 'claiming'].includes(text(row, 'state'));
}

function keep(
  state: State,
  event: Event_PaymentClaimable,
  { cancelHeight, nowMs }: { cancelHeight: number; nowMs: number },
): void {
  const paymentHash = toHex(event.payment_hash);
  const update = `UPDATE invoice SET state = 'held', received_msat = ? WHERE payment_hash = ?`;
  state.run(update, event.amount_msat, paymentHash);
  const insert = 'INSERT INTO hold (payment_hash, held_at_ms, cancel_height) VALUES (?, ?, ?)';
  state.run(insert, paymentHash, BigInt(nowMs), BigInt(cancelHeight));
}

function decide(state: State, paymentHash: string, preimage: string): void {
  const sql = `UPDATE invoice SET state = 'settling', preimage = ? WHERE payment_hash = ?`;
  state.run(sql, preimage, paymentHash);
  state.run('DELETE FROM hold WHERE payment_hash = ?', paymentHash);
}

function close(state: State, paymentHash: string): void {
  const sql = `UPDATE invoice SET state = 'cancelled', received_msat = 0 WHERE payment_hash = ?`;
  state.run(sql, paymentHash);
  state.run('DELETE FROM hold WHERE payment_hash = ?', paymentHash);
}

/** Waits until LDK says that the money is ours, but not for ever. */
function finish(
  waiting: Map<string, Set<() => void>>,
  paymentHash: string,
  { clock, outcome }: { clock: Clock; outcome: (paymentHash: string) => Incoming },
): Promise<Incoming> {
  return new Promise((resolve) => {
    const waiters = waiting.get(paymentHash) ?? new Set();
    waiting.set(paymentHash, waiters);
    const done = (): void => {
      cancel();
      waiters.delete(done);
      if (waiters.size === 0) waiting.delete(paymentHash);
      resolve(outcome(paymentHash));
    };
    const cancel = clock.timer(SETTLE_WAIT_MS, done);
    waiters.add(done);
  });
}
