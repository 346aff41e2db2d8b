/**
 * Invoices and what arrives for them.
 *
 * A row with a preimage of ours goes open, claiming, paid. One for a hash from outside goes open,
 * held, and by `holds.ts` settling, paid or cancelled. An open row whose time has passed is
 * expired: what arrives later is sent back.
 * @module
 */
import {
  Option_u16Z,
  type Event_PaymentClaimable,
  type Event_PaymentClaimed,
  type TwoTuple_ThirtyTwoBytesThirtyTwoBytesZ,
} from 'lightningdevkit';
import { fromHex, toHex } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import { msat } from '../../../base/money/index.ts';
import type { Clock } from '../../../base/time/index.ts';
import { encodeInvoice } from '../../../bitcoin/bolt/index.ts';
import { invoiceSigner } from '../signer.ts';
import { pageSize } from '../check.ts';
import { HELD_FINAL_BLOCKS } from '../limits.ts';
import type { Incoming, InvoiceRequest, ListedIncoming, Received } from '../wallet.ts';
import type { NodeMethods } from './api.ts';
import type { Holds } from './holds.ts';
import { findInvoice, incomingOf, markPaid, paidAt } from './invoice-rows.ts';
import type { Lightning } from './lightning.ts';
import { type Row, integer, text } from '../rows.ts';
import type { State } from './state.ts';
import { okOf, optionalBytes, optionOf } from './wasm.ts';

/** BOLT 9: var_onion_optin and payment_secret required, basic_mpp known. */
const FEATURES = [8, 14, 17];
/** A payer may see fewer blocks than we do when it pays. */
const MISSED_BLOCKS = 3;
/** What LDK asks for at least. */
const FINAL_BLOCKS = 24;
/** How far the last block may lie behind, in seconds: 90 days without one. */
const BLOCK_LAG_SECONDS = 90 * 86_400;

/** The invoices of a node. */
export interface Invoices {
  /** @throws Fault `INVOICE_HASH_USED` */
  create(request: InvoiceRequest): ReturnType<NodeMethods['createInvoice']>;
  incoming(paymentHash: string): Incoming | undefined;
  receivedAfter(cursor: bigint, limit: number): readonly Received[];
  list(cursor: bigint, limit: number): readonly ListedIncoming[];
  claimable(event: Event_PaymentClaimable): void;
  claimed(event: Event_PaymentClaimed): void;
}

/** Opens the invoices. `wake` tells that something was received. */
export function openInvoices(
  lightning: Lightning,
  state: State,
  { holds, clock, wake }: { holds: Holds; clock: Clock; wake: () => void },
): Invoices {
  return {
    create: (request) => create(lightning, state, request, clock),
    incoming: (paymentHash) => {
      const row = findInvoice(state, paymentHash);
      return row && incomingOf(row, clock.now());
    },
    receivedAfter: (cursor, limit) =>
      state
        .all(
          'SELECT * FROM received WHERE cursor > ? ORDER BY cursor LIMIT ?',
          cursor,
          pageSize(limit),
        )
        .map(receivedOf),
    list: (cursor, limit) =>
      state
        .all(
          'SELECT * FROM invoice WHERE cursor > ? ORDER BY cursor LIMIT ?',
          cursor,
          pageSize(limit),
        )
        .map((row) => listedOf(row, clock.now())),
    claimable: (event) => {
      const paymentHash = toHex(event.payment_hash);
      const verdict = judge(findInvoice(state, paymentHash), clock.now());
      if (verdict === 'hold') return holds.hold(event);
      const preimage = optionalBytes(event.purpose.preimage());
      if (verdict === 'refuse' || !preimage) {
        return lightning.manager.fail_htlc_backwards(event.payment_hash);
      }
      const sql = `UPDATE invoice SET state = 'claiming', received_msat = ? WHERE payment_hash = ?`;
      state.run(sql, event.amount_msat, paymentHash);
      lightning.manager.claim_funds(preimage);
    },
    claimed: (event) => {
      const paymentHash = toHex(event.payment_hash);
      const row = findInvoice(state, paymentHash);
      if (!row || text(row, 'state') === 'paid') return;
      markPaid(state, paymentHash, { receivedMsat: event.amount_msat, nowMs: clock.now() });
      holds.finished(paymentHash);
      wake();
    },
  };
}

function create(
  lightning: Lightning,
  state: State,
  request: InvoiceRequest,
  clock: Clock,
): ReturnType<NodeMethods['createInvoice']> {
  if (request.paymentHash !== undefined && findInvoice(state, request.paymentHash)) {
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
    minFinalCltvExpiryBlocks:
      (request.paymentHash === undefined ? FINAL_BLOCKS : HELD_FINAL_BLOCKS) + MISSED_BLOCKS,
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
  if (paymentHash === undefined) {
    const none = Option_u16Z.constructor_none();
    const made = okOf<TwoTuple_ThirtyTwoBytesThirtyTwoBytesZ>(
      manager.create_inbound_payment(amount, expiry, none),
      'invoice',
    );
    return { paymentHash: toHex(made.get_a()), paymentSecret: toHex(made.get_b()) };
  }
  const hash = fromHex(paymentHash, 'paymentHash');
  const blocks = Option_u16Z.constructor_some(HELD_FINAL_BLOCKS);
  const result = manager.create_inbound_payment_for_hash(hash, amount, expiry, blocks);
  return { paymentHash, paymentSecret: toHex(okOf<Uint8Array>(result, 'invoice')) };
}

/** What to do with a payment that arrived: only the first one for an open invoice is kept. */
function judge(row: Row | undefined, nowMs: number): 'claim' | 'hold' | 'refuse' {
  if (!row || text(row, 'state') !== 'open') return 'refuse';
  if (nowMs >= integer(row, 'expires_at_ms')) return 'refuse';
  return integer(row, 'external') === 1n ? 'hold' : 'claim';
}

function listedOf(row: Row, nowMs: number): ListedIncoming {
  return {
    cursor: integer(row, 'cursor'),
    paymentHash: text(row, 'payment_hash'),
    incoming: incomingOf(row, nowMs),
  };
}

function receivedOf(row: Row): Received {
  return {
    cursor: integer(row, 'cursor'),
    paymentHash: text(row, 'payment_hash'),
    receivedMsat: msat(integer(row, 'received_msat')),
    paidAtMs: paidAt(row),
  };
}
