/**
 * The command line of tollcall.
 *
 * Exit codes: 0 done; 1 failed; 2 the command line or the configuration is wrong; 3 the outcome of
 * a payment is not known yet.
 * @module
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { Fault, asFault, toProblem } from '../base/fault/index.ts';
import { runDemo } from './demo.ts';
import { openTerminal } from './terminal.ts';

const manifest = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };

const program = new Command('tollcall')
  .description('The meter for paid RPC: sell and buy API calls over Lightning.')
  .version(manifest.version)
  .showHelpAfterError('(tollcall --help shows what there is)')
  .allowExcessArguments(false)
  .exitOverride();

program
  .command('demo')
  .description('A complete sale on a private chain: two Lightning nodes, one invoice, four calls.')
  .option('--json', 'print one JSON object at the end, and nothing else')
  .addHelpText('after', '\nTakes about ten seconds, asks nothing, leaves nothing behind.')
  .action(async ({ json = false }: { json?: boolean }) => {
    const summary = await runDemo(openTerminal(process.stdout, json));
    if (json) process.stdout.write(`${JSON.stringify(summary)}\n`);
    if (!summary.balanced) process.exitCode = 1;
  });

await main();

async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? usage(error) : report(asFault(error));
  }
}

/**
 * Help and version are no errors; the rest commander has explained already, unless JSON was asked
 * for.
 */
function usage(error: CommanderError): number {
  if (error.exitCode === 0) return 0;
  return process.argv.includes('--json') ? report(new Fault('USAGE_INVALID', {}, error)) : 2;
}

/** Says what went wrong, where the money is and what to do; as JSON when that was asked for. */
function report(fault: Fault): number {
  if (process.argv.includes('--json')) {
    process.stdout.write(`${JSON.stringify({ problem: toProblem(fault) })}\n`);
  } else {
    const { money, retry } = fault.row;
    process.stderr.write(`tollcall: ${fault.message}\n`);
    process.stderr.write(`  ${fault.code}; money: ${money}; ${NEXT_STEP[retry]}\n`);
    if (fault.code === 'HOST_BROKEN' && fault.cause instanceof Error) {
      process.stderr.write(`${fault.cause.stack ?? ''}\n`);
    }
  }
  if (fault.row.money === 'unknown') return 3;
  return fault.row.status === 400 ? 2 : 1;
}

const NEXT_STEP = {
  never: 'trying again will not help',
  same: 'the same command can be tried again',
  fresh: 'start again from the beginning',
} as const;
