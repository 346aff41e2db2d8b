/**
 * What every wallet refuses before it starts anything, the same for all adapters.
 * @module
 */
import { invoiceExpiresAtMs, type Invoice, type Network } from '../../bitcoin/bolt/index.ts';
import { bytes32, fromHex, toHex, utf8 } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { sha256 } from '../../base/hash/index.ts';
import type { Msat } from '../../base/money/index.ts';
import { MAX_DESCRIPTION_BYTES, MAX_PAGE } from './limits.ts';
import type { InvoiceRequest, Outgoing, PayRequest } from './wallet.ts';

/** Who is about to pay. */
export interface PayerFacts {
  /** 33 bytes, hex. */
  readonly nodeId: string;
  readonly network: Network;
  readonly nowMs: number;
  /** What the payer knows of this payment already: one that was started may outlive its invoice. */
  readonly known: Outgoing | undefined;
}

/**
 * Checks a payment against the wallet that is to make it; gives the amount to pay.
 * @throws Fault `INVOICE_NETWORK`, `INVOICE_EXPIRED`, `INVOICE_AMOUNT`, `INVOICE_OWN`
 */
export function checkPayment(invoice: Invoice, request: PayRequest, payer: PayerFacts): Msat {
  const started = payer.known !== undefined && payer.known.state !== 'failed';
  if (invoice.network !== payer.network) {
    throw new Fault('INVOICE_NETWORK', { network: invoice.network });
  }
  if (!started && payer.nowMs >= invoiceExpiresAtMs(invoice)) throw new Fault('INVOICE_EXPIRED');
  const amountMsat = invoice.amountMsat ?? request.amountMsat;
  if (amountMsat === undefined || amountMsat === 0n) throw new Fault('INVOICE_AMOUNT');
  if (request.amountMsat !== undefined && request.amountMsat !== amountMsat) {
    throw new Fault('INVOICE_AMOUNT', { asked: amountMsat.toString() });
  }
  if (invoice.payee === payer.nodeId) throw new Fault('INVOICE_OWN');
  return amountMsat;
}

/**
 * @throws Fault `INVOICE_AMOUNT` for nothing, `BYTES_LENGTH` for a description that is too long,
 * `BYTES_LENGTH`, `BYTES_MALFORMED` for a payment hash that is none
 */
export function checkInvoiceRequest(request: InvoiceRequest): void {
  const { amountMsat, description, paymentHash } = request;
  if (amountMsat === 0n) throw new Fault('INVOICE_AMOUNT');
  if (paymentHash !== undefined) bytes32(fromHex(paymentHash, 'paymentHash'), 'paymentHash');
  const length = utf8(description).length;
  if (length > MAX_DESCRIPTION_BYTES)
    throw new Fault('BYTES_LENGTH', { name: 'description', length });
}

/** The payment hash (hex) that a preimage (hex) answers. @throws Fault `BYTES_*` */
export function hashOf(preimage: string): string {
  return toHex(sha256(bytes32(fromHex(preimage, 'preimage'), 'preimage')));
}

/** The rows of a page that was asked for with this limit. */
export function pageSize(limit: number): number {
  return Math.max(1, Math.min(Math.trunc(limit), MAX_PAGE));
}
