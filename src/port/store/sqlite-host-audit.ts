/**
 * The audit of a host's file: every counter is derived again from transfers and rows.
 * @module
 */
import { MAX_MSAT, ZERO_MSAT } from '../../base/money/index.ts';
import {
  HOST_ACCOUNTS,
  ZERO_COUNTERS,
  accountOfRow,
  availableMsat,
  linesHold,
  reservedOf,
  sessionAccount,
  type AccountId,
  type Counters,
  type LedgerRow,
  type Transfer,
} from '../../pay/ledger/index.ts';
import { MAX_AUDIT_PROBLEMS } from './limits.ts';
import type { SqliteDatabase } from './sqlite-file.ts';
import { int, text } from './sqlite-columns.ts';
import { auditRefunds } from './sqlite-host-refunds.ts';
import { isLanesTransfer } from './sqlite-host-lanes.ts';
import { auditLanes } from './sqlite-host-lanes-audit.ts';
import { auditTopUps } from './sqlite-host-topups.ts';
import { SELECT_LEDGER_ROW, countersOf, ledgerRow, transferOf } from './sqlite-host-schema.ts';

type Derived = { -readonly [name in keyof Counters]: bigint } & { servedMsat: bigint };

/** All problems that were found, each a sentence; empty when all is well. */
export function auditHost(db: SqliteDatabase): string[] {
  const problems: string[] = [];
  const check = db.value('PRAGMA quick_check(1)');
  if (check !== 'ok') return [`the file is damaged: ${String(check)}`];
  const derived = deriveAccounts(db, problems);
  auditAccounts(db, derived, problems);
  auditSessions(db, derived, problems);
  for (const [id] of derived) problems.push(`transfers name account ${id}, which does not exist`);
  auditAnswers(db, problems);
  auditRefunds(db, problems);
  auditTopUps(db, problems);
  auditLanes(db, problems);
  return problems.slice(0, MAX_AUDIT_PROBLEMS);
}

/** Plays all transfers again, in order. */
function deriveAccounts(db: SqliteDatabase, problems: string[]): Map<AccountId, Derived> {
  const accounts = new Map<AccountId, Derived>();
  const open = new Map<string, Transfer>();
  const of = (id: AccountId): Derived => {
    const found = accounts.get(id) ?? { ...ZERO_COUNTERS, servedMsat: 0n };
    accounts.set(id, found);
    return found;
  };
  for (const row of db.each('SELECT * FROM transfer ORDER BY position')) {
    const transfer = transferOf(row);
    const problem = replay(transfer, of(transfer.debit), of(transfer.credit), open);
    if (problem !== undefined) problems.push(`transfer ${transfer.id}: ${problem}`);
    if (problems.length >= MAX_AUDIT_PROBLEMS) break;
  }
  return accounts;
}

function replay(
  transfer: Transfer,
  debit: Derived,
  credit: Derived,
  open: Map<string, Transfer>,
): string | undefined {
  const { kind, id, amountMsat } = transfer;
  if (transfer.reason === 'serve' && !isLanesTransfer(id)) debit.servedMsat += amountMsat;
  switch (kind) {
    case 'posted':
      debit.debitsPostedMsat += amountMsat;
      credit.creditsPostedMsat += amountMsat;
      return undefined;
    case 'pending':
      debit.debitsPendingMsat += amountMsat;
      credit.creditsPendingMsat += amountMsat;
      open.set(transfer.id, transfer);
      return undefined;
    case 'post':
    case 'void': {
      const pending = open.get(transfer.pendingId ?? '');
      if (pending === undefined) return 'resolves what is not pending';
      open.delete(pending.id);
      debit.debitsPendingMsat -= pending.amountMsat;
      credit.creditsPendingMsat -= pending.amountMsat;
      if (kind === 'void') return undefined;
      debit.debitsPostedMsat += amountMsat;
      credit.creditsPostedMsat += amountMsat;
      return amountMsat > pending.amountMsat ? 'posts more than was pending' : undefined;
    }
  }
}

function auditAccounts(
  db: SqliteDatabase,
  derived: Map<AccountId, Derived>,
  problems: string[],
): void {
  const names: readonly string[] = HOST_ACCOUNTS;
  const found = new Map(
    db.rows('SELECT * FROM account').map((row) => [text(row['id']), countersOf(row)]),
  );
  for (const name of HOST_ACCOUNTS) {
    const counters = found.get(name);
    if (counters === undefined) problems.push(`account ${name} is missing`);
    else problems.push(...differences(name, counters, derived.get(name)));
    derived.delete(name);
  }
  for (const name of found.keys()) {
    if (!names.includes(name)) problems.push(`account ${name} is not one of ours`);
  }
}

function auditSessions(
  db: SqliteDatabase,
  derived: Map<AccountId, Derived>,
  problems: string[],
): void {
  const sql = `SELECT r.*, n.started_msat, n.started_calls FROM (${SELECT_LEDGER_ROW}) r
    JOIN session_numbers n USING (position)`;
  for (const found of db.each(sql)) {
    const row = ledgerRow(found);
    const id = sessionAccount(row.terms.session);
    const account = derived.get(id);
    derived.delete(id);
    const started = reservedOf(row.calls.entries);
    const same =
      started.msat === int(found['started_msat']) &&
      BigInt(started.calls) === int(found['started_calls']);
    if (!same) problems.push(`${id}: started calls are summed up wrongly`);
    problems.push(...differences(id, row.counters, account));
    problems.push(...auditRow(id, row, account?.servedMsat ?? 0n));
    if (problems.length >= MAX_AUDIT_PROBLEMS) return;
  }
  const lost = db.value(`SELECT count(*) FROM session s LEFT JOIN session_numbers n USING (position)
    WHERE n.position IS NULL`);
  if (lost !== 0n) problems.push(`${String(lost)} sessions have no numbers`);
}

function auditRow(id: string, row: LedgerRow, servedMsat: bigint): string[] {
  const { calls } = row;
  const bought = row.bought ?? row.terms;
  const started = reservedOf(calls.entries);
  const known = calls.entries.filter((entry) => entry.kind === 'charged');
  const knownMsat = known.reduce((total, entry) => total + entry.amountMsat, 0n);
  const rules: readonly [boolean, string][] = [
    [row.foldedMsat === servedMsat, 'folded charges differ from serve transfers'],
    [calls.chargedMsat >= row.foldedMsat, 'less is charged than was folded'],
    [calls.chargedMsat + started.msat <= bought.totalMsat, 'more is charged than was agreed'],
    [calls.chargedCalls + started.calls <= bought.calls, 'more calls are charged than were bought'],
    [linesHold(bought.lines, calls.lines ?? []), 'a line is charged beyond what was bought of it'],
    [known.length <= calls.chargedCalls, 'more calls are remembered than were charged'],
    [knownMsat <= calls.chargedMsat, 'more is remembered than was charged'],
    [allCharged(row), 'all calls are used, but they do not cost the total'],
    [availableMsat(accountOfRow(row)) >= ZERO_MSAT, 'the credit is negative'],
    [row.counters.creditsPostedMsat <= MAX_MSAT, 'more came in than there is'],
    [
      calls.entries.every((entry) => entry.kind === 'started' || entry.n >= calls.done),
      'a resolved call is kept',
    ],
  ];
  return rules.filter(([holds]) => !holds).map(([, problem]) => `${id}: ${problem}`);
}

function allCharged({ calls, terms, ...row }: LedgerRow): boolean {
  const bought = row.bought ?? terms;
  return calls.chargedCalls < bought.calls || calls.chargedMsat === bought.totalMsat;
}

function auditAnswers(db: SqliteDatabase, problems: string[]): void {
  const orphans = db.value(`SELECT count(*) FROM answer a LEFT JOIN session s USING (position)
    WHERE s.position IS NULL`);
  if (orphans !== 0n) problems.push(`${String(orphans)} stored answers belong to no session`);
}

function differences(
  id: string,
  stored: Counters,
  derived: Counters | Derived | undefined,
): string[] {
  const names = Object.keys(ZERO_COUNTERS) as (keyof Counters)[];
  return names
    .filter((name) => stored[name] !== (derived?.[name] ?? 0n))
    .map((name) => `${id}: ${name} is ${stored[name]}, transfers say ${derived?.[name] ?? 0n}`);
}
