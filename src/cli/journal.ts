/**
 * The journal of a host's books: every transfer, as `tollcall books --journal` shows it.
 * @module
 */
import { formatMsat } from '../base/money/index.ts';
import { formatTime } from '../base/time/index.ts';
import type { HostAdmin } from '../door/admin/index.ts';
import type { Transfer } from '../pay/ledger/index.ts';
import type { Terminal } from './terminal.ts';

/** All transfers, oldest first. */
export async function allTransfers(admin: HostAdmin): Promise<Transfer[]> {
  const all: Transfer[] = [];
  let cursor = 0n;
  for (;;) {
    const page = await admin.journal(cursor);
    if (page.transfers.length === 0) return all;
    all.push(...page.transfers);
    cursor = page.cursor;
  }
}

/** Shows them. */
export function printJournal(terminal: Terminal, transfers: readonly Transfer[]): void {
  terminal.table(
    [
      ['at', 'what', 'kind', 'from', 'to', 'amount'],
      ...transfers.map(({ atMs, reason, kind, debit, credit, amountMsat }) => [
        formatTime(atMs).slice(0, 19).replace('T', ' '),
        reason,
        kind,
        shortOf(debit),
        shortOf(credit),
        formatMsat(amountMsat),
      ]),
    ],
    [5],
  );
  terminal.line();
}

/** One for a program. */
export function transferToJson(transfer: Transfer): Record<string, unknown> {
  const { id, kind, pendingId, debit, credit, amountMsat, reason, atMs } = transfer;
  const pending = pendingId === undefined ? {} : { pending_id: pendingId };
  const moved = { debit, credit, amount_msat: amountMsat, reason, at: formatTime(atMs) };
  return { id, kind, ...pending, ...moved };
}

/** `session:` and the first digits of its id, or the host's own account. */
function shortOf(account: string): string {
  return account.replace(/[0-9a-f]{32}/, (id) => id.slice(0, 8));
}
