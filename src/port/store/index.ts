/** Store: the host's and the payer's, and their adapters. @module */
export {
  OPEN_REFUSALS,
  type CommitGroup,
  type GroupRefusal,
  type GroupResult,
  type HostStore,
  type HostStoreOptions,
  type LaneExtra,
  type LaneLogFold,
  type LaneLogPlace,
  type Lapse,
  type OpenRefusal,
  type RefundTotals,
  type SessionImage,
  type StoredAnswer,
  type StoredLaneAnswer,
  type TopUpRefusal,
  type UnpaidSession,
} from './host-store.ts';
export { syncPath, type HostStoreFile } from './backup.ts';
export { openWorkerLog, type WorkerLogFile } from './worker-log.ts';
export { openHostStore } from './open-host-store.ts';
export { openPayerStore } from './sqlite-payer.ts';
export type {
  NewCall,
  MovedSession,
  NewPurchase,
  PayerRefund,
  PayerRefundState,
  PayerStore,
  Pin,
  Purchase,
  PurchaseChange,
  PurchaseFilter,
  PurchaseState,
  PurchaseUpdate,
  RecordedCall,
  SpendCap,
  Unresolved,
  UnresolvedCall,
} from './payer-store.ts';
