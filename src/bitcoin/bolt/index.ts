/** What the Lightning specifications say: invoices. @module */
export { decodeInvoice } from './decode.ts';
export { encodeInvoice, type InvoiceSigner } from './encode.ts';
export {
  invoiceExpiresAtMs,
  type Fallback,
  type Invoice,
  type InvoiceDraft,
  type Network,
  type RouteHop,
} from './invoice.ts';
export type { RecoverableSignature } from './signature.ts';
