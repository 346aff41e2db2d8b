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
  process.stdout.write(`${jsonText(value)}\n`);
}

/**
 * JSON on one line. Values of a host can hold whatever moves a cursor or turns text around: that is
 * written as an escape, so it is the same value, and nothing happens to a terminal.
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'bigint' ? member.toString() : member,
  );
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => escaped(character.charCodeAt(i))).join(''),
  );
}

function escaped(unit: number): string {
  return String.raw`\u` + unit.toString(16).padStart(4, '0');
}

/** The exit code that a fault stands for. */
export function exitCodeOf(fault: Fault): number {
  if (fault.row.money === 'unknown' && UNCERTAIN.test(fault.code)) return 3;
  return fault.row.status === 400 ? 2 : 1;
}

/** Areas in which "unknown" is about a payment or a call, and not about a file. */
const UNCERTAIN = /^(CALL|PAYMENT|REFUND|HOST|WALLET)_/;

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
  const shown = Object.entries(facts).filter(([name]) => name !== 'next');
  const list = shown
    .filter(([, fact]) => typeof fact !== 'object')
    .map(([name, fact]) => `${name}: ${String(fact)}`);
  const problems = shown.flatMap(([, fact]) => (typeof fact === 'object' ? fact : []));
  return [
    row.title,
    ...(list.length === 0 ? [] : [`  ${list.join('; ')}`]),
    ...problems.map((problem) => `  - ${problem}`),
  ].join('\n');
}

function nextStep({ code, facts, row }: Fault): string {
  const { next } = facts;
  return typeof next === 'string' ? next : (ADVICE[code] ?? BY_RETRY[row.retry]);
}

const NEW_NUMBER = 'run the same command again: it makes a new call';

const ADVICE: { readonly [code in FaultCode]?: string } = {
  HOST_KEY_CHANGED:
    'ask the seller over another way; if they confirm a new key, pin it with ' +
    '"tollcall keys trust HOST --fingerprint HEX"',
  HOST_CERTIFICATE: 'ask the seller; the chain is host_cert.pem in the directory of the host',
  HOST_WORKERS: 'mend what the worker says above, then start the host again',
  HOST_FOREIGN: 'check the address and the port',
  SERVICE_UNKNOWN: '"tollcall quote HOST" lists what is on sale',
  SERVICE_QUANTITY: 'choose a quantity from 1 to the maximum',
  SERVICE_INPUT: 'see "tollcall quote HOST SERVICE" for the input, and give it with --input',
  PAYMENT_PRICE: 'raise --max-msat, or buy fewer calls',
  PAYMENT_UNKNOWN: 'run the same command again: it looks the payment up and never pays twice',
  PAYMENT_SPENT: 'raise spend_limits in profile.json, or wait until the window has moved on',
  PURCHASE_MOVED: 'use it where it was imported, or import it here again',
  PURCHASE_OPEN: 'run "tollcall call" or "tollcall refund" once more, which finds out; then export',
  REFUND_DUST: 'spend it with "tollcall call": it is too little to be sent',
  REFUND_EARLY: 'wait a minute, then run the same command again',
  REFUND_EXCEEDS: 'ask for less: part of the credit is set aside for the routing fee',
  REFUND_FAILED: 'run the command again: it takes a new invoice',
  REFUND_PENDING: 'run the same command again: it finds out, and refunds nothing twice',
  SERVICE_FAILED: NEW_NUMBER,
  SERVICE_TIMEOUT: NEW_NUMBER,
  CALL_FAILED: NEW_NUMBER,
  CALL_BUDGET: 'wait a minute: what fails on purpose is not free work',
  CALL_UNANSWERED: 'run the same command again: it fetches the answer and pays nothing twice',
  STORE_OWNED: 'stop the process that has it open',
  STORE_CORRUPT: 'restore a backup into a new directory with "tollcall restore"',
  KEY_EXPOSED:
    'make it private again with chmod 600; if others could have read it, ' +
    '"tollcall keys rotate DIR --revoke"',
  RECEIPT_INVALID: 'do not rely on it; ask the host for a new one with "tollcall receipts get"',
  CONFIG_INVALID: 'mend what is named above, then try again',
  USAGE_INVALID: 'see "tollcall --help"',
};

const BY_RETRY = {
  never: 'trying again will not help',
  same: 'the same command can be tried again',
  fresh: 'start again from the beginning',
} as const;
