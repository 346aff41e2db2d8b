/**
 * Outgoing payments: one row each, written in the same transaction as what LDK knows of them.
 * @module
 */
import {
  Bolt11Invoice,
  Option_PaymentFailureReasonZ_Some,
  PaymentFailureReason,
  RecentPaymentDetails_Abandoned,
  RecentPaymentDetails_Fulfilled,
  RecentPaymentDetails_Pending,
  Retry,
  RetryableSendFailure,
  RouteParameters,
  UtilMethods,
  type Event_PaymentFailed,
  type Event_PaymentSent,
  type RecipientOnionFields,
  type Result_NoneRetryableSendFailureZ_Err,
  type ThreeTuple_ThirtyTwoBytesRecipientOnionFieldsRouteParametersZ,
} from 'lightningdevkit';
import { fromHex, toHex } from '../../../base/bytes/index.ts';
import { msat } from '../../../base/money/index.ts';
import { pageSize } from '../check.ts';
import type { ListedOutgoing, Outgoing, PayFailure } from '../wallet.ts';
import type { PaymentOrder } from './api.ts';
import type { Lightning } from './lightning.ts';
import { type Row, integer, text } from '../rows.ts';
import type { State } from './state.ts';
import { okOf, optional, optionOf } from './wasm.ts';

/** How often LDK tries another route before it gives up. */
const ATTEMPTS = 10;

/** The outgoing payments of a node. */
export interface Payments {
  /** Starts the payment, or joins the one under way; resolves once the outcome is certain. */
  pay(order: PaymentOrder): Promise<Outgoing>;
  /** One `pay` is not waited for any longer; after the last one no new attempt is made. */
  giveUp(paymentHash: string): void;
  outgoing(paymentHash: string): Outgoing | undefined;
  list(cursor: bigint, limit: number): readonly ListedOutgoing[];
  sent(event: Event_PaymentSent): void;
  failed(event: Event_PaymentFailed): void;
  /** Settles rows that LDK has forgotten. Called once, after the events of the start. */
  reconcile(): void;
}

/** Why a payment failed, and what could have been sent when that was the reason. */
interface Failure {
  readonly reason: PayFailure;
  readonly sendableMsat?: bigint;
}

/** Opens the outgoing payments. */
export function openPayments(lightning: Lightning, state: State): Payments {
  const waiting = new Map<string, ((outcome: Outgoing) => void)[]>();
  const outgoing = (paymentHash: string): Outgoing | undefined => {
    const row = findRow(state, paymentHash);
    return row && outgoingOf(row);
  };
  const finish = (paymentHash: string): void => {
    const outcome = outgoing(paymentHash);
    if (!outcome || outcome.state === 'pending') return;
    const waiters = waiting.get(paymentHash) ?? [];
    waiting.delete(paymentHash);
    for (const resolve of waiters) resolve(outcome);
  };
  const fail = (paymentHash: string, { reason, sendableMsat }: Failure): void => {
    const sql = `UPDATE payment SET state = 'failed', reason = ?, sendable_msat = ?
      WHERE payment_hash = ? AND state = 'pending'`;
    state.run(sql, reason, sendableMsat ?? null, paymentHash);
    finish(paymentHash);
  };
  return {
    outgoing,
    list: (cursor, limit) =>
      state
        .all(
          'SELECT * FROM payment WHERE cursor > ? ORDER BY cursor LIMIT ?',
          cursor,
          pageSize(limit),
        )
        .map(listedOf),
    pay: async (order) => {
      const known = outgoing(order.paymentHash);
      if (known?.state === 'paid') return known;
      const done = new Promise<Outgoing>((resolve) => {
        waiting.set(order.paymentHash, [...(waiting.get(order.paymentHash) ?? []), resolve]);
      });
      if (known?.state !== 'pending') {
        insertRow(state, order);
        const refusal = send(lightning, order);
        if (refusal) fail(order.paymentHash, refusal);
      }
      return await done;
    },
    giveUp: (paymentHash) => {
      const waiters = (waiting.get(paymentHash) ?? []).slice(1);
      waiting.set(paymentHash, waiters);
      if (waiters.length > 0) return;
      waiting.delete(paymentHash);
      if (outgoing(paymentHash)?.state !== 'pending') return;
      lightning.manager.abandon_payment(fromHex(paymentHash, 'paymentHash'));
    },
    sent: (event) => {
      const feeMsat = optional(event.fee_paid_msat) ?? 0n;
      const sql = `UPDATE payment SET state = 'paid', fee_msat = ?, preimage = ?
        WHERE payment_hash = ?`;
      const paymentHash = toHex(event.payment_hash);
      state.run(sql, feeMsat, toHex(event.payment_preimage), paymentHash);
      finish(paymentHash);
    },
    failed: (event) => {
      const paymentHash = toHex(event.payment_id);
      const row = findRow(state, paymentHash);
      if (row) fail(paymentHash, failureOf(lightning, event, row));
    },
    reconcile: () => {
      for (const paymentHash of forgotten(lightning, state)) {
        fail(paymentHash, { reason: 'PAYMENT_FAILED' });
      }
    },
  };
}

function findRow(state: State, paymentHash: string): Row | undefined {
  return state.get('SELECT * FROM payment WHERE payment_hash = ?', paymentHash);
}

/** A payment that failed for certain starts afresh, in its old place of the list. */
function insertRow(state: State, order: PaymentOrder): void {
  const sql = `INSERT INTO payment
    (payment_hash, state, invoice, amount_msat, max_fee_msat, amount_open)
    VALUES (?, 'pending', ?, ?, ?, ?) ON CONFLICT (payment_hash) DO UPDATE SET
    state = excluded.state, invoice = excluded.invoice, amount_msat = excluded.amount_msat,
    max_fee_msat = excluded.max_fee_msat, amount_open = excluded.amount_open,
    reason = NULL, sendable_msat = NULL`;
  const { paymentHash, invoice, amountMsat, maxFeeMsat, amountOpen } = order;
  state.run(sql, paymentHash, invoice, amountMsat, maxFeeMsat, amountOpen ? 1n : 0n);
}

function outgoingOf(row: Row): Outgoing {
  const amountMsat = msat(integer(row, 'amount_msat'));
  switch (text(row, 'state')) {
    case 'paid': {
      const feeMsat = msat(integer(row, 'fee_msat'));
      return { state: 'paid', amountMsat, feeMsat, preimage: text(row, 'preimage') };
    }
    case 'failed': {
      const failed = {
        state: 'failed',
        amountMsat,
        reason: text(row, 'reason') as PayFailure,
      } as const;
      if (row['sendable_msat'] === null) return failed;
      const sendableMsat = msat(integer(row, 'sendable_msat'));
      return { ...failed, liquidity: { neededMsat: amountMsat, sendableMsat } };
    }
    default:
      return { state: 'pending', amountMsat };
  }
}

function listedOf(row: Row): ListedOutgoing {
  return {
    cursor: integer(row, 'cursor'),
    paymentHash: text(row, 'payment_hash'),
    outgoing: outgoingOf(row),
  };
}

function orderOf(row: Row): PaymentOrder {
  return {
    invoice: text(row, 'invoice'),
    paymentHash: text(row, 'payment_hash'),
    amountMsat: msat(integer(row, 'amount_msat')),
    maxFeeMsat: msat(integer(row, 'max_fee_msat')),
    amountOpen: integer(row, 'amount_open') === 1n,
  };
}

/** Hands the payment to LDK; the reason when it cannot even start. */
function send(lightning: Lightning, order: PaymentOrder): Failure | undefined {
  const hash = fromHex(order.paymentHash, 'paymentHash');
  const { onion, route } = routeOf(order, order.maxFeeMsat);
  const retry = Retry.constructor_attempts(ATTEMPTS);
  const result = lightning.manager.send_payment(hash, onion, hash, route, retry);
  if (result.is_ok()) return undefined;
  switch ((result as Result_NoneRetryableSendFailureZ_Err).err) {
    case RetryableSendFailure.LDKRetryableSendFailure_PaymentExpired:
      return { reason: 'INVOICE_EXPIRED' };
    case RetryableSendFailure.LDKRetryableSendFailure_RouteNotFound:
      return whyNoRoute(lightning, order);
    case RetryableSendFailure.LDKRetryableSendFailure_OnionPacketSizeExceeded:
      return { reason: 'PAYMENT_FAILED' };
    // LDK already carries it: the row stays pending until its event comes.
    case RetryableSendFailure.LDKRetryableSendFailure_DuplicatePayment:
      return undefined;
  }
}

function routeOf(
  { invoice, amountMsat, amountOpen }: PaymentOrder,
  maxFeeMsat: bigint | undefined,
): { onion: RecipientOnionFields; route: RouteParameters } {
  const parsed = Bolt11Invoice.constructor_from_str(invoice);
  const decoded = okOf<Bolt11Invoice>(parsed, 'invoice does not decode');
  const parts = okOf<ThreeTuple_ThirtyTwoBytesRecipientOnionFieldsRouteParametersZ>(
    amountOpen
      ? UtilMethods.constructor_payment_parameters_from_variable_amount_invoice(decoded, amountMsat)
      : UtilMethods.constructor_payment_parameters_from_invoice(decoded),
    'invoice cannot be paid',
  );
  const route = parts.get_c();
  route.set_max_total_routing_fee_msat(optionOf(maxFeeMsat));
  return { onion: parts.get_b(), route };
}

function failureOf(lightning: Lightning, event: Event_PaymentFailed, row: Row): Failure {
  const reason = event.reason;
  if (!(reason instanceof Option_PaymentFailureReasonZ_Some)) return { reason: 'PAYMENT_FAILED' };
  switch (reason.some) {
    case PaymentFailureReason.LDKPaymentFailureReason_RecipientRejected:
      return { reason: 'PAYMENT_REFUSED' };
    case PaymentFailureReason.LDKPaymentFailureReason_PaymentExpired:
      return { reason: 'INVOICE_EXPIRED' };
    case PaymentFailureReason.LDKPaymentFailureReason_RouteNotFound:
      return whyNoRoute(lightning, orderOf(row));
    case PaymentFailureReason.LDKPaymentFailureReason_RetriesExhausted:
      return { reason: 'PAYMENT_NO_ROUTE' };
    default:
      return { reason: 'PAYMENT_FAILED' };
  }
}

/** Tells apart the three reasons for which LDK finds no route. */
function whyNoRoute(lightning: Lightning, order: PaymentOrder): Failure {
  const channels = lightning.manager.list_usable_channels();
  const limits = channels.map((channel) => channel.get_next_outbound_htlc_limit_msat());
  const sendableMsat = limits.reduce((sum, limit) => sum + limit, 0n);
  if (channels.length > 0 && order.amountMsat > sendableMsat) {
    return { reason: 'PAYMENT_LIQUIDITY', sendableMsat };
  }
  const within = hasRoute(lightning, order, order.maxFeeMsat);
  const beyond = !within && hasRoute(lightning, order, undefined);
  return { reason: beyond ? 'PAYMENT_FEE' : 'PAYMENT_NO_ROUTE' };
}

function hasRoute(
  { manager, router }: Lightning,
  order: PaymentOrder,
  maxFeeMsat: bigint | undefined,
): boolean {
  const channels = manager.list_usable_channels();
  if (channels.length === 0) return false;
  const { route } = routeOf(order, maxFeeMsat);
  const inflight = manager.compute_inflight_htlcs();
  return router.find_route(manager.get_our_node_id(), route, channels, inflight).is_ok();
}

/**
 * Pending payments of which LDK knows nothing. Row and manager are written in one transaction, and
 * a manager that is read takes up what its monitors still hold: such a payment is in no channel.
 */
function forgotten(lightning: Lightning, state: State): string[] {
  const underway = new Set(recentHashes(lightning));
  return state
    .all(`SELECT payment_hash FROM payment WHERE state = 'pending'`)
    .map((row) => text(row, 'payment_hash'))
    .filter((paymentHash) => !underway.has(paymentHash));
}

/** Every payment LDK still knows: nothing is said about them here, their events will say it. */
function recentHashes({ manager }: Lightning): string[] {
  return manager.list_recent_payments().flatMap((payment) => {
    const known =
      payment instanceof RecentPaymentDetails_Pending ||
      payment instanceof RecentPaymentDetails_Fulfilled ||
      payment instanceof RecentPaymentDetails_Abandoned;
    return known ? [toHex(payment.payment_id)] : [];
  });
}
