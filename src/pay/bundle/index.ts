/** Bundle: one invoice buys N calls; set-up, one-time codes, receipts. @module */
export {
  askCode,
  callCode,
  requestDigest,
  requestHash,
  type CodeFields,
  type Question,
} from './codes.ts';
export { printReceipt, verifyReceipt, type ReceiptFacts, type ReceiptKey } from './receipt.ts';
export {
  BUNDLE_PROTOCOL,
  binaryMember,
  codeKey,
  ephemeralPublic,
  member,
  messageHash,
  offerBox,
  orderBox,
  parseSetupReply,
  parseSetupRequest,
  receiptKeyStatement,
  replyStatement,
  sharedSecret,
  type SetupOffer,
  type SetupOrder,
  type SetupReply,
  type SetupRequest,
  type SetupSecrets,
} from './setup.ts';
