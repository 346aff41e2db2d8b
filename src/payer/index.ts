/** Payer: the buying role. @module */
export { normalizeUrl, type Link, type Trust } from './link.ts';
export { Payer, type BuyRequest, type PayerParts } from './payer.ts';
export type { RefundOptions, RefundResult } from './refund.ts';
export {
  PayerSession,
  type CallOptions,
  type CallResult,
  type CheckedReceipt,
  type SessionStatus,
} from './session.ts';
