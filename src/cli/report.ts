/**
 * How a command ends: exit codes, and what a person is told when it fails.
 * @module
 */
import type { CommanderError } from 'commander';
import { Fault, toProblem, type FaultCode } from '../base/fault/index.ts';

/** What the exit codes mean: part of `tollcall --help`. */
export const EXIT_CODES = `Exit codes:
  0    done
  1    failed; nothing is uncertain
  2    the command line or the configuration is wrong
  3    the outcome of a payment or call is not known yet: the same command finds out
  130  stopped by Ctrl-C`;

/** True when the command line asks for JSON: also for a command that could not be understood. */
export function wantsJson(): boolean {
  return process.argv.includes('--json');
}

/** Prints an object as one line of JSON; amounts are decimal texts. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'bigint' ? member.toString() : member,
  );
  process.stdout.write(`${text}\n`);
}

/** The exit code that a fault stands for. */
export function exitCodeOf(fault: Fault): number {
  if (fault.row.money === 'unknown' && UNCERTAIN.test(fault.code)) return 3;
  return fault.row.status === 400 ? 2 : 1;
}

/** Areas in which "unknown" is about a payment or a call, and not about a file. */
const UNCERTAIN = /^(CALL|PAYMENT|HOST|WALLET)_/;

/**
 * Help and version are no errors; the rest commander has explained already, unless JSON was asked
 * for.
 */
export function reportUsage(error: CommanderError): number {
  if (error.exitCode === 0) return 0;
  if (!wantsJson()) return 2;
  const problem = error.message.replace(/^error: /, '');
  return reportFault(new Fault('USAGE_INVALID', { problem }, error));
}

/** Says what went wrong, where the money is and what to do; gives the exit code. */
export function reportFault(fault: Fault): number {
  if (wantsJson()) {
    printJson({ problem: toProblem(fault) });
    return exitCodeOf(fault);
  }
  process.stderr.write(`tollcall: ${sentence(fault)}\n`);
  process.stderr.write(`  ${fault.code}; money: ${fault.row.money}\n`);
  process.stderr.write(`  next: ${nextStep(fault)}\n`);
  if (fault.code === 'HOST_BROKEN' && fault.cause instanceof Error) {
    process.stderr.write(`${fault.cause.stack ?? ''}\n`);
  }
  return exitCodeOf(fault);
}

/** The title with the facts, except the next step, which has its own line. */
function sentence({ row, facts }: Fault): string {
  const list = Object.entries(facts)
    .filter(([name]) => name !== 'next')
    .map(([name, fact]) => `${name}: ${String(fact)}`);
  return list.length === 0 ? row.title : `${row.title}\n  ${list.join('; ')}`;
}

function nextStep({ code, facts, row }: Fault): string {
  const { next } = facts;
  return typeof next === 'string' ? next : (ADVICE[code] ?? BY_RETRY[row.retry]);
}

const ADVICE: { readonly [code in FaultCode]?: string } = {
  HOST_KEY_CHANGED:
    'ask the seller; buy only if they confirm the new key, with --fingerprint or --host-key',
  HOST_FOREIGN: 'check the address and the port',
  SERVICE_UNKNOWN: '"tollcall quote HOST" lists what is on sale',
  SERVICE_QUANTITY: 'choose a quantity from 1 to the maximum',
  SERVICE_INPUT: 'see "tollcall quote HOST SERVICE" for the input, and give it with --input',
  PAYMENT_PRICE: 'raise --max-msat, or buy fewer calls',
  PAYMENT_UNKNOWN: 'run the same command again: it looks the payment up and never pays twice',
  CALL_BUDGET: 'wait a minute: what fails on purpose is not free work',
  CALL_UNANSWERED: 'run the same command again: it fetches the answer and pays nothing twice',
  STORE_OWNED: 'stop the process that has it open',
  STORE_CORRUPT: 'restore a backup into a new directory with "tollcall restore"',
  KEY_EXPOSED: 'make it private again with chmod 600; if others could have read it, make a new one',
  RECEIPT_INVALID: 'do not rely on it; ask the host for a new one with "tollcall receipts get"',
  USAGE_INVALID: 'see "tollcall --help"',
};

const BY_RETRY = {
  never: 'trying again will not help',
  same: 'the same command can be tried again',
  fresh: 'start again from the beginning',
} as const;
