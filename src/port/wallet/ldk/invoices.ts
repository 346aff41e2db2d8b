/**
 * Invoices and what arrives for them.
 *
 * A row goes open, (held or claiming,) paid; or open, (held,) cancelled. An open row whose time has
 * passed is expired: what arrives later is sent back.
 * @module
 */
import {
  HTLCDestination_FailedPayment,
  Option_u16Z,
  type Event_HTLCHandlingFailed,
  type Event_PaymentClaimable,
  type Event_PaymentClaimed,
  type TwoTuple_ThirtyTwoBytesThirtyTwoBytesZ,
} from 'lightningdevkit';
import { fromHex, toHex } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import { msat, ZERO_MSAT } from '../../../base/money/index.ts';
import { unixMs, type Clock } from '../../../base/time/index.ts';
import { encodeInvoice } from '../../../bitcoin/bolt/index.ts';
import { invoiceSigner } from '../signer.ts';
import type { Incoming, InvoiceRequest, Received } from '../wallet.ts';
import type { NodeMethods } from './api.ts';
import type { Lightning } from './lightning.ts';
import { type Row, integer, text } from '../rows.ts';
import type { State } from './state.ts';
import { okOf, optionalBytes, optionOf } from './wasm.ts';

/** BOLT 9: var_onion_optin and payment_secret required, basic_mpp known. */
const FEATURES = [8, 14, 17];
/** What LDK asks for at least (24), and three for blocks found meanwhile. */
const FINAL_BLOCKS = 27;
/** A payment that is held waits on a chain whose blocks go on. */
const HELD_FINAL_BLOCKS = 144;
/** How far the last block may lie behind, in seconds: 90 days without one. */
const BLOCK_LAG_SECONDS = 90 * 86_400;

/** The invoices of a node. */
export interface Invoices {
  /** @throws Fault `INVOICE_HASH_USED` */
  create(request: InvoiceRequest): ReturnType<NodeMethods['createInvoice']>;
  incoming(paymentHash: string): Incoming | undefined;
  receivedAfter(cursor: bigint, limit: number): readonly Received[];
  claimable(event: Event_PaymentClaimable): void;
  claimed(event: Event_PaymentClaimed): void;
  handlingFailed(event: Event_HTLCHandlingFailed): void;
}

/** Opens the invoices. `wake` tells that something was received. */
export function openInvoices(
  lightning: Lightning,
  state: State,
  { clock, wake }: { clock: Clock; wake: () => void },
): Invoices {
  return {
    create: (request) => create(lightning, state, request, clock),
    incoming: (paymentHash) => {
      const row = findRow(state, paymentHash);
      return row && incomingOf(row, clock.now());
    },
    receivedAfter: (cursor, limit) =>
      state
        .all('SELECT * FROM received WHERE cursor > ? ORDER BY cursor LIMIT ?', cursor, limit)
        .map(receivedOf),
    claimable: (event) => {
      const paymentHash = toHex(event.payment_hash);
      const verdict = judge(findRow(state, paymentHash), clock.now());
      setState(state, paymentHash, verdict, event.amount_msat);
      const preimage = optionalBytes(event.purpose.preimage());
      if (verdict === 'claiming' && preimage) lightning.manager.claim_funds(preimage);
      else if (verdict !== 'held') lightning.manager.fail_htlc_backwards(event.payment_hash);
    },
    claimed: (event) => {
      const paymentHash = toHex(event.payment_hash);
      const row = findRow(state, paymentHash);
      if (!row || text(row, 'state') === 'paid') return;
      markPaid(state, paymentHash, event.amount_msat, clock.now());
      wake();
    },
    handlingFailed: ({ failed_next_destination: destination }) => {
      if (!(destination instanceof HTLCDestination_FailedPayment)) return;
      // A held payment that LDK sent back, because its time on the chain was running out.
      const sql = `UPDATE invoice SET state = 'cancelled', received_msat = 0
        WHERE payment_hash = ? AND state = 'held'`;
      state.run(sql, toHex(destination.payment_hash));
    },
  };
}

function create(
  lightning: Lightning,
  state: State,
  request: InvoiceRequest,
  clock: Clock,
): ReturnType<NodeMethods['createInvoice']> {
  if (request.paymentHash !== undefined && findRow(state, request.paymentHash)) {
    throw new Fault('INVOICE_HASH_USED');
  }
  const nowMs = clock.now();
  const expiresAtMs = nowMs + request.expirySeconds * 1000;
  const { paymentHash, paymentSecret } = registered(lightning, request);
  const draft = {
    network: 'regtest' as const,
    ...(request.amountMsat === undefined ? {} : { amountMsat: request.amountMsat }),
    timestampSeconds: Math.floor(nowMs / 1000),
    expirySeconds: request.expirySeconds,
    paymentHash,
    paymentSecret,
    description: request.description,
    minFinalCltvExpiryBlocks: request.paymentHash === undefined ? FINAL_BLOCKS : HELD_FINAL_BLOCKS,
    features: FEATURES,
  };
  const invoice = encodeInvoice(draft, invoiceSigner(lightning.keys.get_node_secret_key()));
  const sql = `INSERT INTO invoice (payment_hash, state, external, expires_at_ms)
    VALUES (?, 'open', ?, ?)`;
  state.run(sql, paymentHash, request.paymentHash === undefined ? 0n : 1n, BigInt(expiresAtMs));
  return { invoice, paymentHash, expiresAtMs };
}

/** Tells LDK what it shall accept: with a preimage of its own, or for a hash from outside. */
function registered(
  { manager }: Lightning,
  { amountMsat, expirySeconds, paymentHash }: InvoiceRequest,
): { paymentHash: string; paymentSecret: string } {
  const amount = optionOf(amountMsat);
  // LDK's time is that of the last block: it must not expire before we do.
  const expiry = expirySeconds + BLOCK_LAG_SECONDS;
  const none = Option_u16Z.constructor_none();
  if (paymentHash === undefined) {
    const made = okOf<TwoTuple_ThirtyTwoBytesThirtyTwoBytesZ>(
      manager.create_inbound_payment(amount, expiry, none),
      'invoice',
    );
    return { paymentHash: toHex(made.get_a()), paymentSecret: toHex(made.get_b()) };
  }
  const hash = fromHex(paymentHash, 'paymentHash');
  const result = manager.create_inbound_payment_for_hash(hash, amount, expiry, none);
  return { paymentHash, paymentSecret: toHex(okOf<Uint8Array>(result, 'invoice')) };
}

function findRow(state: State, paymentHash: string): Row | undefined {
  return state.get('SELECT * FROM invoice WHERE payment_hash = ?', paymentHash);
}

/** What to do with a payment that arrived: only the first one for an open invoice is kept. */
function judge(row: Row | undefined, nowMs: number): 'claiming' | 'held' | 'refuse' {
  if (!row || text(row, 'state') !== 'open') return 'refuse';
  if (nowMs >= integer(row, 'expires_at_ms')) return 'refuse';
  return integer(row, 'external') === 1n ? 'held' : 'claiming';
}

/** The record of what is held stands in the same transaction as LDK's "this event is handled". */
function setState(
  state: State,
  paymentHash: string,
  verdict: 'claiming' | 'held' | 'refuse',
  receivedMsat: bigint,
): void {
  if (verdict === 'refuse') return;
  const sql = 'UPDATE invoice SET state = ?, received_msat = ? WHERE payment_hash = ?';
  state.run(sql, verdict, receivedMsat, paymentHash);
}

function markPaid(state: State, paymentHash: string, receivedMsat: bigint, nowMs: number): void {
  const paidAtMs = BigInt(nowMs);
  const update = `UPDATE invoice SET state = 'paid', received_msat = ?, paid_at_ms = ?
    WHERE payment_hash = ?`;
  state.run(update, receivedMsat, paidAtMs, paymentHash);
  const insert = 'INSERT INTO received (payment_hash, received_msat, paid_at_ms) VALUES (?, ?, ?)';
  state.run(insert, paymentHash, receivedMsat, paidAtMs);
}

function incomingOf(row: Row, nowMs: number): Incoming {
  const receivedMsat = msat(integer(row, 'received_msat'));
  switch (text(row, 'state')) {
    case 'paid':
      return { state: 'paid', receivedMsat, paidAtMs: paidAt(row) };
    case 'held':
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

function receivedOf(row: Row): Received {
  return {
    cursor: integer(row, 'cursor'),
    paymentHash: text(row, 'payment_hash'),
    receivedMsat: msat(integer(row, 'received_msat')),
    paidAtMs: paidAt(row),
  };
}

function paidAt(row: Row): ReturnType<typeof unixMs> {
  return unixMs(Number(integer(row, 'paid_at_ms')));
}
