/** Store: the host's and the payer's, and their adapters. @module */
export {
  OPEN_REFUSALS,
  type CommitGroup,
  type GroupRefusal,
  type GroupResult,
  type HostStore,
  type HostStoreOptions,
  type OpenRefusal,
  type RefundTotals,
  type SessionImage,
  type StoredAnswer,
  type UnpaidSession,
} from './host-store.ts';
export { syncPath, type HostStoreFile } from './backup.ts';
export { openHostStore } from './open-host-store.ts';
export { openPayerStore } from './sqlite-payer.ts';
export type {
  NewCall,
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
  Unresolved,
  UnresolvedCall,
} from './payer-store.ts';
