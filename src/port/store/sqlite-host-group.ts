/**
 * One group of a commit: checked as a whole against the rows as they are, then written.
 * @module
 */
import { fromHex } from '../../base/bytes/index.ts';
import { ZERO_MSAT, type Msat } from '../../base/money/index.ts';
import { unixMs } from '../../base/time/index.ts';
import {
  TRANSFER_KINDS,
  TRANSFER_REASONS,
  accountOfRow,
  checkImage,
  encodeEntries,
  evaluateGroup,
  foldOf,
  imageOf,
  newRow,
  reservedOf,
  sessionOfAccount,
  toppedUp,
  type Account,
  type AccountId,
  type LedgerRow,
  type LedgerView,
  type SessionNumbers,
  type SessionTerms,
  type Transfer,
} from '../../pay/ledger/index.ts';
import type { LaneTerms } from '../../pay/tick/index.ts';
import type {
  CommitGroup,
  GroupRefusal,
  GroupResult,
  OpenRefusal,
  TopUpRefusal,
} from './host-store.ts';
import type { SqliteDatabase } from './sqlite-file.ts';
import { printBought, printLines } from './sqlite-host-bought.ts';
import {
  closeLanes,
  insertLanes,
  lanesTransfer,
  unfoldedMsat,
  withLanes,
} from './sqlite-host-lanes.ts';
import { writeRefund } from './sqlite-host-refunds.ts';
import { checkTopUp, unpaidTopUp, writeTopUp } from './sqlite-host-topups.ts';
import { SELECT_LEDGER_ROW, countersOf, ledgerRow, transferOf } from './sqlite-host-schema.ts';

/**
 * Checks and writes one group; call it inside of a transaction.
 * @param fold brings the row of a session, and its lanes, up to date
 */
export function writeGroup(
  db: SqliteDatabase,
  group: CommitGroup,
  fold: (session: string) => void,
): GroupResult {
  const draft = new GroupDraft(db, fold);
  const code = draft.check(group);
  return code === undefined ? { code: 'ok', touched: draft.write(group) } : { code };
}

/** What one group would write. */
class GroupDraft {
  readonly #db: SqliteDatabase;
  /** Sessions that were looked at; undefined: there is none. */
  readonly #rows = new Map<string, LedgerRow | undefined>();
  readonly #touched = new Set<string>();
  #transfers: readonly Transfer[] = [];
  /** The session whose lanes are closed. */
  #closing: string | undefined;
  #accounts: ReadonlyMap<AccountId, Account> = new Map();

  readonly #foldRow: (session: string) => void;

  constructor(db: SqliteDatabase, fold: (session: string) => void) {
    this.#db = db;
    this.#foldRow = fold;
  }

  /** Why the group is refused; undefined when it may be written. */
  check(group: CommitGroup): GroupRefusal | undefined {
    if (group.open !== undefined) {
      const code = checkOpen(this.#db, group.open);
      if (code !== undefined) return code;
      this.#set(group.open.session, newRow(group.open));
    }
    for (const image of group.images ?? []) {
      const row = this.#row(image.session);
      const code = checkImage(row, image);
      if (code !== undefined || row === undefined) return code ?? 'session_unknown';
      this.#set(image.session, { ...row, version: row.version + 1n, calls: imageOf(image.calls) });
    }
    return (
      checkTopUp(this.#db, group) ?? this.#checkTransfers(group) ?? this.#growBy(group.topUpPaid)
    );
  }

  /** Writes what `check` let through. */
  write(group: CommitGroup): { readonly session: string; readonly numbers: SessionNumbers }[] {
    if (group.open !== undefined) insertSession(this.#db, group.open);
    insertLanes(this.#db, lanesToOpen(group));
    if (group.closeLanes !== undefined) closeLanes(this.#db, group.closeLanes.session);
    writeTopUp(this.#db, group);
    const touched = [...this.#touched].map((session) => {
      const row = this.#row(session);
      if (row === undefined) throw new Error('invariant: a touched session exists');
      writeNumbers(this.#db, row);
      const { version, counters, foldedMsat, calls, bought } = row;
      const numbers = { version, counters, foldedMsat, calls };
      return { session, numbers: bought === undefined ? numbers : { ...numbers, bought } };
    });
    for (const [id, account] of this.#accounts) {
      if (sessionOfAccount(id) === undefined) writeAccount(this.#db, id, account);
    }
    for (const transfer of this.#transfers) insertTransfer(this.#db, transfer);
    writeRefund(this.#db, group);
    writeAnswers(this.#db, group);
    if (group.cursor !== undefined) {
      this.#db.run('UPDATE wallet_cursor SET cursor = max(cursor, ?)', group.cursor);
    }
    return touched;
  }

  /** A session has bought more; the transfer that pays for it stands in the same group. */
  #growBy(paymentHash: string | undefined): TopUpRefusal | undefined {
    if (paymentHash === undefined) return undefined;
    const topUp = unpaidTopUp(this.#db, paymentHash);
    const row = topUp && this.#row(topUp.session);
    if (topUp === undefined || row === undefined) return 'topup_unknown';
    this.#set(row.terms.session, toppedUp(row, topUp));
    return undefined;
  }

  #checkTransfers(group: CommitGroup): GroupRefusal | undefined {
    const { closeLanes: close, transfers: own = [] } = group;
    const transfers = [...own];
    if (close !== undefined) {
      const row = this.#row(close.session);
      if (row === undefined) return 'session_unknown';
      this.#set(close.session, row);
      this.#closing = close.session;
      const spent = lanesTransfer(this.#db, close.session, close.atMs);
      if (spent !== undefined) transfers.unshift(spent);
    }
    if (transfers.length === 0) return undefined;
    const folds = this.#fold(transfers);
    const view: LedgerView = {
      account: (id) => this.#account(id),
      transfer: (id) => findTransfer(this.#db, id),
      resolver: (id) => findResolver(this.#db, id),
    };
    const result = evaluateGroup(view, [...folds, ...transfers]);
    if (!result.ok) return result.code;
    this.#transfers = result.transfers;
    this.#accounts = result.accounts;
    for (const [id, { heldMsat: _, ...counters }] of result.accounts) {
      const session = sessionOfAccount(id);
      const row = session === undefined ? undefined : this.#row(session);
      if (row === undefined) continue;
      this.#set(row.terms.session, { ...row, version: row.version + 1n, counters });
    }
    return undefined;
  }

  /** Completes the accounts of all sessions that the transfers touch. */
  #fold(transfers: readonly Transfer[]): Transfer[] {
    const folds: Transfer[] = [];
    const atMs = transfers[0]?.atMs ?? unixMs(0);
    const sessions = new Set(transfers.flatMap(({ debit, credit }) => [debit, credit]));
    for (const account of sessions) {
      const session = sessionOfAccount(account);
      const row = session === undefined ? undefined : this.#row(session);
      const fold = row && foldOf(row, atMs);
      if (row === undefined || fold === undefined) continue;
      folds.push(fold);
      this.#set(row.terms.session, { ...row, foldedMsat: row.calls.chargedMsat });
    }
    return folds;
  }

  #account(id: AccountId): Account | undefined {
    const session = sessionOfAccount(id);
    if (session === undefined) return findAccount(this.#db, id);
    const row = this.#row(session);
    return row && withLanes(accountOfRow(row), this.#lanesMsat(session));
  }

  /** What lanes have spent is gone, unless a transfer of this group says so. */
  #lanesMsat(session: string): Msat {
    return session === this.#closing ? ZERO_MSAT : unfoldedMsat(this.#db, session);
  }

  #row(session: string): LedgerRow | undefined {
    if (!this.#rows.has(session)) {
      this.#foldRow(session);
      this.#rows.set(session, findLedgerRow(this.#db, session));
    }
    return this.#rows.get(session);
  }

  #set(session: string, row: LedgerRow): void {
    this.#rows.set(session, row);
    this.#touched.add(session);
  }
}

/** @throws for lanes of another session: they are sold with it, or not at all */
function lanesToOpen({ open, lanes = [] }: CommitGroup): readonly LaneTerms[] {
  if (lanes.some((lane) => lane.session !== open?.session)) {
    throw new Error('invariant: lanes are opened with their session');
  }
  return lanes;
}

function checkOpen(db: SqliteDatabase, terms: SessionTerms): OpenRefusal | undefined {
  const has = (column: 'session' | 'setup' | 'payment_hash', hex: string): boolean =>
    db.row(`SELECT 1 FROM session WHERE ${column} = ?`, fromHex(hex, column)) !== undefined;
  if (has('session', terms.session)) return 'session_exists';
  if (has('setup', terms.setup)) return 'setup_exists';
  if (has('payment_hash', terms.paymentHash)) return 'payment_hash_exists';
  return undefined;
}

function findLedgerRow(db: SqliteDatabase, session: string): LedgerRow | undefined {
  const row = db.row(`${SELECT_LEDGER_ROW} WHERE s.session = ?`, fromHex(session, 'session'));
  return row && ledgerRow(row);
}

/** An account of the host; undefined when there is none of that name. */
export function findAccount(db: SqliteDatabase, id: AccountId): Account | undefined {
  const row = db.row('SELECT * FROM account WHERE id = ?', id);
  return row && { ...countersOf(row), heldMsat: ZERO_MSAT };
}

/** A transfer by its id. */
export function findTransfer(db: SqliteDatabase, id: string): Transfer | undefined {
  const row = db.row('SELECT * FROM transfer WHERE id = ?', id);
  return row && transferOf(row);
}

function findResolver(db: SqliteDatabase, pendingId: string): Transfer | undefined {
  const row = db.row('SELECT * FROM transfer WHERE pending_id = ?', pendingId);
  return row && transferOf(row);
}

function insertSession(db: SqliteDatabase, terms: SessionTerms): void {
  db.run(
    `INSERT INTO session (session, service, calls, total_msat, payment_hash, opened_at_ms,
      pay_by_ms, expires_at_ms, setup, payer, code_key, reply, lines, lanes)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    fromHex(terms.session, 'session'),
    terms.service,
    terms.calls,
    terms.totalMsat,
    fromHex(terms.paymentHash, 'paymentHash'),
    terms.openedAtMs,
    terms.payByMs,
    terms.expiresAtMs,
    fromHex(terms.setup, 'setup'),
    fromHex(terms.payer, 'payer'),
    terms.codeKey,
    terms.reply,
    printLines(terms.lines),
    terms.lanes ?? null,
  );
}

function writeNumbers(db: SqliteDatabase, row: LedgerRow): void {
  const { version, counters, foldedMsat, calls } = row;
  const started = reservedOf(calls.entries);
  db.run(
    `REPLACE INTO session_numbers (position, version, debits_pending, debits_posted,
      credits_pending, credits_posted, folded_msat, charged_msat, charged_calls, started_msat,
      started_calls, entries, bought)
      SELECT position, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM session WHERE session = ?`,
    version,
    counters.debitsPendingMsat,
    counters.debitsPostedMsat,
    counters.creditsPendingMsat,
    counters.creditsPostedMsat,
    foldedMsat,
    calls.chargedMsat,
    calls.chargedCalls,
    started.msat,
    started.calls,
    encodeEntries(calls),
    printBought(row.bought),
    fromHex(row.terms.session, 'session'),
  );
}

function writeAccount(db: SqliteDatabase, id: AccountId, account: Account): void {
  db.run(
    `UPDATE account SET debits_pending = ?, debits_posted = ?, credits_pending = ?,
      credits_posted = ? WHERE id = ?`,
    account.debitsPendingMsat,
    account.debitsPostedMsat,
    account.creditsPendingMsat,
    account.creditsPostedMsat,
    id,
  );
}

function insertTransfer(db: SqliteDatabase, transfer: Transfer): void {
  db.run(
    `INSERT INTO transfer (id, kind, pending_id, debit, credit, amount_msat, reason, at_ms)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    transfer.id,
    TRANSFER_KINDS.indexOf(transfer.kind),
    transfer.pendingId ?? null,
    transfer.debit,
    transfer.credit,
    transfer.amountMsat,
    TRANSFER_REASONS.indexOf(transfer.reason),
    transfer.atMs,
  );
}

function writeAnswers(db: SqliteDatabase, group: CommitGroup): void {
  for (const { session, n, body, chargedMsat } of group.answers ?? []) {
    db.run(
      `REPLACE INTO answer (position, n, charged_msat, body)
        SELECT position, ?, ?, ? FROM session WHERE session = ?`,
      BigInt.asIntN(64, n),
      chargedMsat,
      body,
      fromHex(session, 'session'),
    );
  }
  for (const { session, n } of group.forget ?? []) {
    db.run(
      `DELETE FROM answer WHERE n = ?
        AND position = (SELECT position FROM session WHERE session = ?)`,
      BigInt.asIntN(64, n),
      fromHex(session, 'session'),
    );
  }
}
