/**
 * The command line of tollcall: assembles the commands, and says how they ended. What the exit
 * codes mean stands in `report.ts`.
 * @module
 */
import { Command, CommanderError } from 'commander';
import { asFault } from '../base/fault/index.ts';
import { addBackup, addRestore } from './backup.ts';
import { addBooks } from './books.ts';
import { addCall } from './call.ts';
import { addCompletion } from './completion.ts';
import { addConfig } from './config.ts';
import { addDemo } from './demo.ts';
import { addDev } from './dev.ts';
import { addKeys } from './keys.ts';
import { addQuote } from './quote.ts';
import { addSessions } from './holdings.ts';
import { addReceipts } from './receipts.ts';
import { addStream } from './stream.ts';
import { addRefund } from './refund.ts';
import { EXIT_CODES, reportFault, reportUsage, wantsJson } from './report.ts';
import { packageVersion } from './version.ts';
import { addServe } from './serve.ts';
import { addTypes } from './typed-services.ts';
import { addWallet } from './wallet.ts';

const EXAMPLES = `Examples:
  tollcall demo                                        a sale from nothing, in ten seconds
  tollcall dev                                         a host, a payer and a chain to try things on
  tollcall quote 127.0.0.1:8402 quotes 4               what would it cost?   (another terminal)
  tollcall call 127.0.0.1:8402 quotes 4 --symbol BTC   buy and call
  tollcall books                                       where is the money?

Each command has its own --help with examples, and --json for programs.`;

const program = new Command('tollcall')
  .description('The meter for paid RPC: sell and buy API calls over Lightning.')
  .version(packageVersion())
  .showHelpAfterError('(tollcall --help shows what there is)')
  .allowExcessArguments(false)
  .exitOverride()
  .configureOutput({ writeErr: (text) => void (wantsJson() || process.stderr.write(text)) })
  .addHelpText('after', `\n${EXAMPLES}\n\n${EXIT_CODES}`);

program.helpCommand('help [command]', 'more about a command').commandsGroup('Try:');
addDemo(program);
addDev(program);
program.commandsGroup('Buy:');
addQuote(program);
addCall(program);
addSessions(program);
addStream(program);
addReceipts(program);
addRefund(program);
addTypes(program);
addWallet(program);
program.commandsGroup('Sell:');
addServe(program);
addConfig(program);
addBooks(program);
addBackup(program);
addRestore(program);
addKeys(program);
program.commandsGroup('More:');
addCompletion(program);

await main();

async function main(): Promise<void> {
  // Whoever reads has seen enough, as in `tollcall books | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  try {
    await program.parseAsync();
  } catch (error) {
    const code = error instanceof CommanderError ? reportUsage(error) : reportFault(asFault(error));
    process.exitCode = code;
  }
}
