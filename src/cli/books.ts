/**
 * `tollcall books`: where the money of a host is. Asks the running host, else reads its file.
 * @module
 */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { Fault } from '../base/fault/index.ts';
import { formatMsat } from '../base/money/index.ts';
import { formatTime } from '../base/time/index.ts';
import { connectAdmin, hostAdmin, type HostAdmin, type SessionFacts } from '../door/admin/index.ts';
import { isBalanced } from '../pay/ledger/index.ts';
import { openHostStore } from '../port/store/index.ts';
import { defaultHostDir, shownPath } from './places.ts';
import { allTransfers, printJournal, transferToJson } from './journal.ts';
import { printJson } from './report.ts';
import { printBalanced, printSheet, sheetToJson } from './sheet.ts';
import { booksFile } from '../package/host/index.ts';
import { openTerminal, type Terminal } from './terminal.ts';

interface BooksOptions {
  readonly dir?: string;
  readonly sessions?: boolean;
  readonly journal?: boolean;
  readonly check?: boolean;
  readonly json?: boolean;
}

/** Adds `tollcall books`. */
export function addBooks(program: Command): void {
  program
    .command('books')
    .summary('where the money of a host is')
    .description(
      'The balance sheet of a host. Asks the host if it runs on this machine, else reads its file.',
    )
    .option('--dir <directory>', 'the directory of the host (default: that of dev)')
    .option('--sessions', 'each session: who bought what, and what became of it')
    .option('--journal', 'each transfer of money, oldest first')
    .option('--check', 'derive every number again and check every rule; exit code 1 if one fails')
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  tollcall books
  tollcall books --sessions
  tollcall books --journal
  tollcall books --check --dir ./backup-of-monday   also a backup has books`,
    )
    .action((options: BooksOptions) => runBooks(options));
}

async function runBooks(options: BooksOptions): Promise<void> {
  const { sessions: withSessions = false, check = false, json = false } = options;
  const withJournal = options.journal ?? false;
  const terminal = openTerminal(process.stdout, json);
  const admin = await openAdmin(options.dir ?? defaultHostDir());
  try {
    const sheet = await admin.sheet();
    const sessions = withSessions ? await allSessions(admin) : undefined;
    const journal = withJournal ? await allTransfers(admin) : undefined;
    const problems = check ? await admin.audit() : undefined;
    const balanced = isBalanced(sheet);
    if (!balanced || (problems?.length ?? 0) > 0) process.exitCode = 1;
    if (json) {
      return printJson({
        ...sheetToJson(sheet),
        balanced,
        running: admin.running,
        ...(problems === undefined ? {} : { problems }),
        ...(sessions === undefined ? {} : { sessions: sessions.map(sessionToJson) }),
        ...(journal === undefined ? {} : { journal: journal.map(transferToJson) }),
      });
    }
    printSheet(terminal, sheet);
    terminal.line();
    if (sessions !== undefined) printSessions(terminal, sessions);
    if (journal !== undefined) printJournal(terminal, journal);
    printBalanced(terminal, sheet);
    if (problems !== undefined) printProblems(terminal, problems);
    terminal.line(
      terminal.dim(`    ${admin.running ? 'asked the running host' : 'read the file'}`),
    );
  } finally {
    await admin.close();
  }
}

/** The admin of a host, running or not. */
export interface OpenAdmin extends HostAdmin {
  /** A process has the store open, and answered. */
  readonly running: boolean;
  close(): Promise<void>;
}

/**
 * The admin of the host in a directory: over its socket if it runs, else over its file.
 * @throws Fault `CONFIG_INVALID` when there is no host, `STORE_OWNED`, `STORE_CORRUPT`
 */
export async function openAdmin(dir: string): Promise<OpenAdmin> {
  const running = await connectAdmin(dir);
  if (running) return { ...running, running: true, close: async () => running.close() };
  const file = booksFile(dir);
  if (!existsSync(file)) {
    const next = 'name the directory of a host with --dir; "tollcall dev" makes one';
    throw new Fault('CONFIG_INVALID', { dir: shownPath(dir), problem: 'no books here', next });
  }
  const store = await openHostStore({ file, thread: false });
  return { ...hostAdmin({ store }), running: false, close: () => store.close() };
}

async function allSessions(admin: HostAdmin): Promise<SessionFacts[]> {
  const all: SessionFacts[] = [];
  let cursor = 0n;
  for (;;) {
    const page = await admin.sessions(cursor);
    if (page.sessions.length === 0) return all;
    all.push(...page.sessions);
    cursor = page.cursor;
  }
}

function printSessions(terminal: Terminal, sessions: readonly SessionFacts[]): void {
  if (sessions.length === 0) {
    terminal.line('  no session yet');
  } else {
    terminal.table(
      [
        ['session', 'payer', 'service', 'calls', 'used', 'paid', 'served', 'credit', 'opened'],
        ...sessions.map((one) => [
          one.session.slice(0, 8),
          one.payer.slice(0, 8),
          one.service,
          `${one.calls}`,
          `${one.chargedCalls}`,
          one.paid ? formatMsat(one.paidMsat) : 'unpaid',
          formatMsat(one.chargedMsat),
          formatMsat(one.creditMsat),
          formatTime(one.openedAtMs).slice(0, 16).replace('T', ' '),
        ]),
      ],
      [3, 4, 5, 6, 7],
    );
  }
  terminal.line();
}

function printProblems(terminal: Terminal, problems: readonly string[]): void {
  if (problems.length === 0) {
    const text = 'every number derived again, every rule holds';
    return terminal.line(`  ${terminal.good('✔')} audit     ${text}`);
  }
  for (const problem of problems) terminal.line(`  ${terminal.bad('✘')} audit     ${problem}`);
}

function sessionToJson(one: SessionFacts): Record<string, unknown> {
  return {
    session: one.session,
    payer: one.payer,
    service: one.service,
    calls: one.calls,
    charged_calls: one.chargedCalls,
    calls_left: one.callsLeft,
    paid: one.paid,
    total_msat: one.totalMsat,
    paid_msat: one.paidMsat,
    charged_msat: one.chargedMsat,
    credit_msat: one.creditMsat,
    opened_at: formatTime(one.openedAtMs),
    expires_at: formatTime(one.expiresAtMs),
  };
}
