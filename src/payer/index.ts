/** Payer: the buying role. @module */
export { normalizeUrl, type Link } from './link.ts';
export type { Bill, ByHand } from './bill.ts';
export {
  Payer,
  type BuyRequest,
  type BuySeveralRequest,
  type PayerBalance,
  type PayerParts,
  type ResumeOptions,
  type ResumeStreamRequest,
  type StreamRequest,
} from './payer.ts';
export { feeLimitMsat, type SpendLimit } from './payment.ts';
export type { TopUpRequest } from './topup.ts';
export type { AnyServices, ServiceMap, ServiceTypes, TypedLink } from './service-types.ts';
export type { RefundOptions, RefundResult } from './refund.ts';
export {
  PayerSession,
  type CallOptions,
  type CallResult,
  type AskOptions,
  type CheckedReceipt,
  type Encrypt,
  type LineStatus,
  type SessionTopUp,
  type SessionStatus,
} from './session.ts';
export {
  PayerStream,
  type StreamCallOptions,
  type StreamResult,
  type StreamTopUp,
} from './stream.ts';
export type { Trust } from './trust.ts';
