/** Bundle: one invoice buys N calls; set-up, one-time codes, receipts. @module */
export {
  askCode,
  CallCodes,
  callCode,
  refundCode,
  requestDigest,
  requestHash,
  requestHashHex,
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
  quoteBox,
  orderBox,
  parseSetupReply,
  parseSetupRequest,
  receiptKeyStatement,
  replyStatement,
  sharedSecret,
  type SetupQuote,
  type SetupOrder,
  type SetupReply,
  type SetupRequest,
  type SetupSecrets,
} from './setup.ts';
