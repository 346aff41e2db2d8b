/**
 * Transfers: immutable, named by whoever makes them, posted at once or pending until they are
 * posted or voided. The shape and the order of the checks follow TigerBeetle's `create_transfers`.
 * @module
 */
import { MAX_MSAT, ZERO_MSAT, minMsat, subMsat, type Msat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
import { availableMsat, type Account, type AccountId } from './account.ts';
import { MAX_TRANSFER_ID } from './limits.ts';

/** Why money moves. Kept in the database: append only. */
export const TRANSFER_REASONS = [
  'receive',
  'serve',
  'refund',
  'refund_fee',
  'expire',
  'attribute',
] as const;
/** Why money moves. */
export type TransferReason = (typeof TRANSFER_REASONS)[number];

/** How money moves. Kept in the database: append only. */
export const TRANSFER_KINDS = ['posted', 'pending', 'post', 'void'] as const;
/** At once (`posted`), set aside (`pending`), or what becomes of a pending one (`post`, `void`). */
export type TransferKind = (typeof TRANSFER_KINDS)[number];

/** A transfer. Once written it never changes. */
export interface Transfer {
  /** Made by the caller, unique for ever: a repeat is recognised by it. */
  readonly id: string;
  readonly kind: TransferKind;
  /** For `post` and `void`: the pending transfer. Else absent. */
  readonly pendingId?: string;
  readonly debit: AccountId;
  readonly credit: AccountId;
  /** For `post`: at most the pending amount, the rest returns. For `void`: the pending amount. */
  readonly amountMsat: Msat;
  readonly reason: TransferReason;
  /** When it was made; for people, no rule depends on it. */
  readonly atMs: UnixMs;
}

/**
 * Why a transfer is refused, in order of precedence. `exists` is the answer to a faithful repeat;
 * the money has moved before.
 */
export const TRANSFER_REFUSALS = [
  'id_invalid',
  'exists_with_different_kind',
  'exists_with_different_pending_id',
  'exists_with_different_debit',
  'exists_with_different_credit',
  'exists_with_different_amount',
  'exists_with_different_reason',
  'exists',
  'amount_zero',
  'accounts_same',
  'pending_id_unexpected',
  'pending_id_missing',
  'pending_unknown',
  'pending_not_pending',
  'pending_has_different_accounts',
  'pending_already_posted',
  'pending_already_voided',
  'exceeds_pending_amount',
  'pending_has_different_amount',
  'debit_account_unknown',
  'credit_account_unknown',
  'overflow',
  'overdraft',
] as const;
/** Why a transfer is refused. */
export type TransferRefusal = (typeof TRANSFER_REFUSALS)[number];

/** What the evaluation of a transfer needs to see. */
export interface LedgerView {
  account(id: AccountId): Account | undefined;
  transfer(id: string): Transfer | undefined;
  /** The transfer that posted or voided a pending one. */
  resolver(pendingId: string): Transfer | undefined;
}

/** The two accounts after a transfer, or why it is refused. */
export type Evaluated =
  | { readonly ok: true; readonly debit: Account; readonly credit: Account }
  | { readonly ok: false; readonly code: TransferRefusal };

/** Evaluates one transfer; writes nothing. */
export function evaluateTransfer(view: LedgerView, transfer: Transfer): Evaluated {
  const early = checkId(view, transfer) ?? checkForm(transfer) ?? checkPending(view, transfer);
  if (early !== undefined) return { ok: false, code: early };
  const debit = view.account(transfer.debit);
  if (debit === undefined) return { ok: false, code: 'debit_account_unknown' };
  const credit = view.account(transfer.credit);
  if (credit === undefined) return { ok: false, code: 'credit_account_unknown' };
  switch (transfer.kind) {
    case 'posted':
    case 'pending':
      return move(transfer, debit, credit);
    case 'post':
    case 'void':
      return { ok: true, ...resolve(view, transfer, debit, credit) };
  }
}

function checkId(view: LedgerView, transfer: Transfer): TransferRefusal | undefined {
  if (!/^[\x21-\x7e]+$/.test(transfer.id) || transfer.id.length > MAX_TRANSFER_ID)
    return 'id_invalid';
  const existing = view.transfer(transfer.id);
  if (existing === undefined) return undefined;
  if (existing.kind !== transfer.kind) return 'exists_with_different_kind';
  if (existing.pendingId !== transfer.pendingId) return 'exists_with_different_pending_id';
  if (existing.debit !== transfer.debit) return 'exists_with_different_debit';
  if (existing.credit !== transfer.credit) return 'exists_with_different_credit';
  if (existing.amountMsat !== transfer.amountMsat) return 'exists_with_different_amount';
  if (existing.reason !== transfer.reason) return 'exists_with_different_reason';
  return 'exists';
}

function checkForm(transfer: Transfer): TransferRefusal | undefined {
  const resolves = transfer.kind === 'post' || transfer.kind === 'void';
  if (transfer.amountMsat === ZERO_MSAT && transfer.kind !== 'post') return 'amount_zero';
  if (transfer.debit === transfer.credit) return 'accounts_same';
  if (!resolves && transfer.pendingId !== undefined) return 'pending_id_unexpected';
  if (resolves && transfer.pendingId === undefined) return 'pending_id_missing';
  return undefined;
}

function checkPending(view: LedgerView, transfer: Transfer): TransferRefusal | undefined {
  if (transfer.pendingId === undefined) return undefined;
  const pending = view.transfer(transfer.pendingId);
  if (pending === undefined) return 'pending_unknown';
  if (pending.kind !== 'pending') return 'pending_not_pending';
  if (pending.debit !== transfer.debit || pending.credit !== transfer.credit) {
    return 'pending_has_different_accounts';
  }
  const resolver = view.resolver(pending.id);
  if (resolver?.kind === 'post') return 'pending_already_posted';
  if (resolver !== undefined) return 'pending_already_voided';
  if (transfer.amountMsat > pending.amountMsat) return 'exceeds_pending_amount';
  if (transfer.kind === 'void' && transfer.amountMsat !== pending.amountMsat) {
    return 'pending_has_different_amount';
  }
  return undefined;
}

function move(transfer: Transfer, debit: Account, credit: Account): Evaluated {
  const amount = transfer.amountMsat;
  const posted = transfer.kind === 'posted';
  const debitMoved = debit.debitsPendingMsat + debit.debitsPostedMsat + amount;
  const creditMoved = credit.creditsPendingMsat + credit.creditsPostedMsat + amount;
  if (debitMoved > MAX_MSAT || creditMoved > MAX_MSAT) return { ok: false, code: 'overflow' };
  if (transfer.debit !== 'received' && availableMsat(debit) < amount) {
    return { ok: false, code: 'overdraft' };
  }
  return posted
    ? {
        ok: true,
        debit: { ...debit, debitsPostedMsat: plus(debit.debitsPostedMsat, amount) },
        credit: { ...credit, creditsPostedMsat: plus(credit.creditsPostedMsat, amount) },
      }
    : {
        ok: true,
        debit: { ...debit, debitsPendingMsat: plus(debit.debitsPendingMsat, amount) },
        credit: { ...credit, creditsPendingMsat: plus(credit.creditsPendingMsat, amount) },
      };
}

function resolve(
  view: LedgerView,
  transfer: Transfer,
  debit: Account,
  credit: Account,
): { readonly debit: Account; readonly credit: Account } {
  const pending = view.transfer(transfer.pendingId ?? '');
  const setAside = pending?.amountMsat ?? ZERO_MSAT;
  const posted = transfer.kind === 'post' ? minMsat(transfer.amountMsat, setAside) : ZERO_MSAT;
  return {
    debit: {
      ...debit,
      debitsPendingMsat: subMsat(debit.debitsPendingMsat, setAside),
      debitsPostedMsat: plus(debit.debitsPostedMsat, posted),
    },
    credit: {
      ...credit,
      creditsPendingMsat: subMsat(credit.creditsPendingMsat, setAside),
      creditsPostedMsat: plus(credit.creditsPostedMsat, posted),
    },
  };
}

/** The sum was checked against the maximum before. */
function plus(a: Msat, b: Msat): Msat {
  return (a + b) as Msat;
}
