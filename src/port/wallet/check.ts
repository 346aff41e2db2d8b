/**
 * What every wallet refuses before it starts anything, the same for all adapters.
 * @module
 */
import { invoiceExpiresAtMs, type Invoice, type Network } from '../../bitcoin/bolt/index.ts';
import { utf8 } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import type { Msat } from '../../base/money/index.ts';
import type { InvoiceRequest, Outgoing, PayRequest } from './wallet.ts';

const MAX_DESCRIPTION_BYTES = 639;

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

/** @throws Fault `INVOICE_AMOUNT` for nothing, `BYTES_LENGTH` for a description that is too long */
export function checkInvoiceRequest({ amountMsat, description }: InvoiceRequest): void {
  if (amountMsat === 0n) throw new Fault('INVOICE_AMOUNT');
  const length = utf8(description).length;
  if (length > MAX_DESCRIPTION_BYTES)
    throw new Fault('BYTES_LENGTH', { name: 'description', length });
}
