/**
 * Linked groups of transfers: all are written or none.
 * @module
 */
import type { Account, AccountId } from './account.ts';
import {
  evaluateTransfer,
  type LedgerView,
  type Transfer,
  type TransferRefusal,
} from './transfer.ts';

/** What a group writes, or which transfer of it is refused and why. */
export type GroupEvaluated =
  | {
      readonly ok: true;
      readonly transfers: readonly Transfer[];
      readonly accounts: ReadonlyMap<AccountId, Account>;
    }
  | { readonly ok: false; readonly index: number; readonly code: TransferRefusal };

/** Evaluates transfers one after the other, each on the result of those before it. */
export function evaluateGroup(view: LedgerView, transfers: readonly Transfer[]): GroupEvaluated {
  const accounts = new Map<AccountId, Account>();
  const written = new Map<string, Transfer>();
  const resolvers = new Map<string, Transfer>();
  const overlay: LedgerView = {
    account: (id) => accounts.get(id) ?? view.account(id),
    transfer: (id) => written.get(id) ?? view.transfer(id),
    resolver: (id) => resolvers.get(id) ?? view.resolver(id),
  };
  for (const [index, transfer] of transfers.entries()) {
    const result = evaluateTransfer(overlay, transfer);
    if (!result.ok) return { ok: false, index, code: result.code };
    accounts.set(transfer.debit, result.debit);
    accounts.set(transfer.credit, result.credit);
    written.set(transfer.id, transfer);
    if (transfer.pendingId !== undefined) resolvers.set(transfer.pendingId, transfer);
  }
  return { ok: true, transfers, accounts };
}
