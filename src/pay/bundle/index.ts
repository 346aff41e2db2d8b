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
  decryptAnswer,
  decryptRequest,
  encryptAnswer,
  encryptRequest,
  encryptedHash,
  type AnswerHead,
  type EncryptedCall,
} from './encryption.ts';
export {
  BUNDLE_PROTOCOL,
  binaryMember,
  codeKey,
  ephemeralPublic,
  member,
  messageHash,
  quoteBox,
  orderBox,
  parseOrderLines,
  parseSetupReply,
  parseSetupRequest,
  printOrderLines,
  receiptKeyStatement,
  replyStatement,
  sharedSecret,
  type OrderLine,
  type QuoteLine,
  type SetupQuote,
  type SetupOrder,
  type SetupReply,
  type SetupRequest,
  type SetupSecrets,
} from './setup.ts';
export {
  openTopUpQuote,
  printTopUpQuote,
  topUpCode,
  type TopUpOrder,
  type TopUpQuote,
} from './topup.ts';
