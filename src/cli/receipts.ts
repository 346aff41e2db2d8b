/**
 * `tollcall receipts`: signed statements of what was served, fetched and checked.
 * @module
 */
import type { Command } from 'commander';
import { Fault } from '../base/fault/index.ts';
import { formatMsat } from '../base/money/index.ts';
import { verifyReceipt, type ReceiptFacts } from '../pay/bundle/index.ts';
import type { CheckedReceipt } from '../payer/index.ts';
import { peerKey } from '../port/keys/index.ts';
import { hostOptions, readText, trustOf, type HostOptions } from './host-options.ts';
import { openProfile } from './profile.ts';
import { callsText } from './quote.ts';
import { printJson } from './report.ts';
import { chooseSession } from './sessions.ts';
import { openTerminal, type Terminal } from './terminal.ts';

interface VerifyOptions {
  readonly hostKey: string;
  readonly json?: boolean;
}

interface GetOptions extends HostOptions {
  readonly session?: string;
}

/** Adds `tollcall receipts`. */
export function addReceipts(program: Command): void {
  const receipts = program
    .command('receipts')
    .summary('signed statements of what was served')
    .description('Receipts: what a host has served, signed by it; anyone can check them offline.')
    .addHelpText(
      'after',
      `
Examples:
  tollcall receipts get 127.0.0.1:8402 > receipt.txt
  tollcall receipts verify receipt.txt --host-key ~/.tollcall/dev/host/host_pub.pem`,
    );
  receipts
    .command('verify')
    .description('Checks a receipt offline, with the public key of the host that you trust.')
    .argument('<file>', 'the receipt; - reads it from standard input')
    .requiredOption('--host-key <file>', 'the public key of the host, in PEM')
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText(
      'after',
      '\nExample:\n  tollcall receipts verify receipt.txt --host-key host_pub.pem',
    )
    .action((file: string, options: VerifyOptions) => runVerify(file, options));
  const get = receipts
    .command('get')
    .description(
      'Fetches the receipt of the latest session with a host, checks it and prints its text.',
    )
    .argument('<host>', 'its address, such as 127.0.0.1:8402')
    .option('--session <id>', 'another session, by the first digits of its id')
    .addHelpText(
      'after',
      `
Examples:
  tollcall receipts get 127.0.0.1:8402 > receipt.txt
  tollcall receipts get 127.0.0.1:8402 --session 3fa4 --json`,
    );
  hostOptions(get).action((host: string, options: GetOptions) => runGet(host, options));
}

function runVerify(file: string, { hostKey, json = false }: VerifyOptions): void {
  const key = peerKey(readText(hostKey, '--host-key'));
  const text = readText(file, 'file');
  const facts = verifyReceipt(text, (statement, signature) => key.verify(statement, signature));
  if (facts.host !== key.fingerprint) throw new Fault('RECEIPT_INVALID', { where: 'host' });
  if (json) return printJson({ valid: true, ...factsToJson(facts) });
  const terminal = openTerminal(process.stdout);
  terminal.line(`  ${terminal.good('✔')} receipt   signed by the host, verified`);
  terminal.line();
  printFacts(terminal, facts);
}

async function runGet(host: string, options: GetOptions): Promise<void> {
  const trust = trustOf(options);
  const profile = await openProfile(options.profile);
  try {
    const link = await profile.connect(host, trust);
    const session = chooseSession(
      await profile.payer.sessions(link, { ticks: true }),
      link.url,
      options.session,
    );
    const receipt = await session.receipt();
    if (options.json) printJson({ ...factsToJson(receipt.facts), receipt: receipt.text });
    else printReceipt(receipt);
  } finally {
    await profile.close();
  }
}

/** Exactly the text, so that it can be sent to a file; on a terminal, what it says comes after. */
function printReceipt({ text, facts }: CheckedReceipt): void {
  process.stdout.write(text);
  if (!process.stdout.isTTY) return;
  const terminal = openTerminal(process.stdout);
  terminal.line();
  printFacts(terminal, facts);
}

function printFacts(terminal: Terminal, facts: ReceiptFacts): void {
  terminal.fields([
    ['host', facts.host],
    ['session', facts.session],
    ['service', facts.service],
    ['paid', formatMsat(facts.paidMsat)],
    ['served', `${callsText(facts.servedCalls)}, ${formatMsat(facts.servedMsat)}`],
    ['refunded', formatMsat(facts.refundedMsat)],
    ['credit', formatMsat(facts.creditMsat)],
    ['as of', facts.at],
  ]);
}

function factsToJson(facts: ReceiptFacts): Record<string, unknown> {
  return {
    host: facts.host,
    session: facts.session,
    service: facts.service,
    payment_hash: facts.paymentHash,
    paid_msat: facts.paidMsat,
    served_msat: facts.servedMsat,
    refunded_msat: facts.refundedMsat,
    credit_msat: facts.creditMsat,
    served_calls: facts.servedCalls,
    at: facts.at,
  };
}
