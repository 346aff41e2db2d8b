/**
 * `tollcall wallet invoices` and `tollcall wallet payments`: what came in, and what went out.
 * @module
 */
import type { Command } from 'commander';
import { Fault } from '../base/fault/index.ts';
import { ZERO_MSAT, formatMsat } from '../base/money/index.ts';
import { formatTime } from '../base/time/index.ts';
import type { ListedIncoming, ListedOutgoing } from '../port/wallet/index.ts';
import { WALLET_PAGE } from './limits.ts';
import { askWallet, openProfile, type Profile } from './profile.ts';
import { printJson } from './report.ts';
import { openTerminal } from './terminal.ts';

interface ListOptions {
  readonly profile?: string;
  readonly json?: boolean;
  readonly after: string;
}

/** A row for programs, and its cells for people. */
interface Shown {
  readonly cursor: bigint;
  readonly json: Record<string, unknown>;
  readonly cells: readonly string[];
}

/** One of the two lists. */
interface List {
  readonly name: 'invoices' | 'payments';
  readonly summary: string;
  readonly heading: readonly string[];
  /** Columns of numbers. */
  readonly right: readonly number[];
  read(profile: Profile, after: bigint): Promise<readonly Shown[]>;
}

const LISTS: readonly List[] = [
  {
    name: 'invoices',
    summary: 'the invoices of the wallet',
    heading: ['payment hash', 'state', 'received', 'at'],
    right: [2],
    read: async ({ wallet }, after) => (await wallet.listIncoming(after, WALLET_PAGE)).map(invoice),
  },
  {
    name: 'payments',
    summary: 'the payments of the wallet',
    heading: ['payment hash', 'state', 'amount', 'fee'],
    right: [2, 3],
    read: async ({ wallet }, after) => (await wallet.listOutgoing(after, WALLET_PAGE)).map(payment),
  },
];

/** Adds both to `tollcall wallet`. */
export function addWalletLists(wallet: Command): void {
  for (const list of LISTS) {
    const { name, summary } = list;
    wallet
      .command(name)
      .summary(summary)
      .description(`Lists ${summary}, oldest first, ${WALLET_PAGE} at a time.`)
      .option('--after <cursor>', 'go on after this row', '0')
      .addHelpText(
        'after',
        `\nExamples:\n  tollcall wallet ${name}\n  tollcall wallet ${name} --after 100 --json`,
      )
      .action(async (_: ListOptions, command: Command) => {
        const options = command.optsWithGlobals<ListOptions>();
        const after = cursorOf(options.after);
        const profile = await openProfile(options.profile);
        try {
          show(list, await askWallet(profile, () => list.read(profile, after)), options);
        } finally {
          await profile.close();
        }
      });
  }
}

function show(list: List, rows: readonly Shown[], { json = false }: ListOptions): void {
  const last = rows.length < WALLET_PAGE ? undefined : rows.at(-1)?.cursor;
  const next = last === undefined ? {} : { next_after: last };
  if (json) return printJson({ [list.name]: rows.map((row) => row.json), ...next });
  const terminal = openTerminal(process.stdout);
  if (rows.length === 0) return terminal.line(`  no ${list.name}`);
  terminal.table([list.heading, ...rows.map(({ cells }) => cells)], list.right);
  if (last !== undefined) {
    terminal.line();
    terminal.line(`  more: tollcall wallet ${list.name} --after ${last}`);
  }
}

function invoice({ cursor, paymentHash, incoming }: ListedIncoming): Shown {
  const { state, receivedMsat, paidAtMs } = incoming;
  const at = paidAtMs === undefined ? undefined : formatTime(paidAtMs);
  const paid = at === undefined ? {} : { paid_at: at };
  return {
    cursor,
    json: { cursor, payment_hash: paymentHash, state, received_msat: receivedMsat, ...paid },
    cells: [shortOf(paymentHash), state, formatMsat(receivedMsat), at?.slice(0, 16) ?? ''],
  };
}

function payment({ cursor, paymentHash, outgoing }: ListedOutgoing): Shown {
  const { state, amountMsat } = outgoing;
  const feeMsat = state === 'paid' ? outgoing.feeMsat : ZERO_MSAT;
  const reason = state === 'failed' ? { reason: outgoing.reason } : {};
  return {
    cursor,
    json: {
      cursor,
      payment_hash: paymentHash,
      state,
      amount_msat: amountMsat,
      fee_msat: feeMsat,
      ...reason,
    },
    cells: [shortOf(paymentHash), state, formatMsat(amountMsat), formatMsat(feeMsat)],
  };
}

function shortOf(paymentHash: string): string {
  return `${paymentHash.slice(0, 16)}…`;
}

function cursorOf(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new Fault('USAGE_INVALID', { option: '--after', problem: 'not a whole number' });
}
