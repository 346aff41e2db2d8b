/** Ledger: accounts, transfers, session rows and the call machine. Pure. @module */
export type { CallRequest, Effect, SessionState, SessionTerms } from './session.ts';
export { isBalanced, sheetOf, withReserved, type SessionTotals, type Sheet } from './sheet.ts';
export {
  HOST_ACCOUNTS,
  ZERO_COUNTERS,
  availableMsat,
  sessionAccount,
  sessionOfAccount,
  type Account,
  type AccountId,
  type Counters,
  type HostAccount,
} from './account.ts';
export {
  TRANSFER_KINDS,
  TRANSFER_REASONS,
  TRANSFER_REFUSALS,
  evaluateTransfer,
  type Evaluated,
  type LedgerView,
  type Transfer,
  type TransferKind,
  type TransferReason,
  type TransferRefusal,
} from './transfer.ts';
export {
  REFUND_STATES,
  refundEndTransfers,
  refundFeeLimit,
  refundTransfers,
  refundableMsat,
  setAsideMsat,
  type Refund,
  type RefundEnd,
  type RefundState,
} from './refund.ts';
export { evaluateGroup, type GroupEvaluated } from './group.ts';
export {
  NO_CALLS,
  decodeEntries,
  encodeEntries,
  entriesNumbers,
  imageOf,
  reservedOf,
  type CallEntry,
  type CallsImage,
  type EntryKind,
} from './entry.ts';
export {
  IMAGE_REFUSALS,
  accountOfRow,
  checkImage,
  checkImageNumbers,
  creditOf,
  foldOf,
  heldMsat,
  newRow,
  stateOf,
  type ImageNumbers,
  type ImageRefusal,
  type LedgerRow,
  type NumbersRow,
  type SessionNumbers,
  type SessionRow,
} from './row.ts';
export {
  CALL_REFUSALS,
  chargeCall,
  entryOf,
  judgeCall,
  recoverCalls,
  releaseCall,
  rerunAnswered,
  resumeCall,
  type AnswerPlace,
  type CallInput,
  type CallRefusal,
  type Judgement,
} from './calls.ts';
export {
  CALL_WINDOW_SIZE,
  MAX_ENTRIES,
  MAX_RERUNS,
  MAX_RUNNING_CALLS,
  MAX_TRANSFER_ID,
} from './limits.ts';
