/**
 * `tollcall call`: buys what is missing, then calls.
 * @module
 */
import type { Command } from 'commander';
import { Fault, asFault, isFault, toProblem } from '../base/fault/index.ts';
import { fromUtf8 } from '../base/bytes/index.ts';
import { parseJson, type Json } from '../base/json/index.ts';
import { ZERO_MSAT, addMsat, formatMsat, msat, type Msat } from '../base/money/index.ts';
import { systemClock } from '../base/time/index.ts';
import type { CallResult, Link, PayerSession } from '../payer/index.ts';
import { hostOptions, parseQuantity, readText, trustOf, type HostOptions } from './host-options.ts';
import { openProfile, type Profile } from './profile.ts';
import { callsText, priceOf, soldService } from './quote.ts';
import { exitCodeOf, printJson, reportFault } from './report.ts';
import { findSession } from './sessions.ts';
import { formatDuration, openTerminal, type Terminal } from './terminal.ts';
import { askWallet } from './wallet.ts';

interface CallOptions extends HostOptions {
  readonly symbol?: string;
  readonly input?: string;
  readonly maxMsat?: string;
}

/** Adds `tollcall call`. */
export function addCall(program: Command): void {
  const command = program
    .command('call')
    .summary('buy what is missing, then call')
    .description(
      'Calls a service QUANTITY times. Uses the calls that are left of an earlier purchase, and\n' +
        'buys those that are missing with one invoice; the price is shown first.',
    )
    .argument('<host>', 'its address, such as 127.0.0.1:8402')
    .argument('<service>', 'one of its services')
    .argument('[quantity]', 'how many calls', parseQuantity, 1)
    .option('--symbol <symbol>', 'short for --input \'{"symbol": "..."}\'')
    .option('--input <json>', 'what each call is given; - reads it from standard input')
    .option('--max-msat <amount>', 'buy only if it costs no more than this, in millisatoshis');
  hostOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  tollcall call 127.0.0.1:8402 quotes 4 --symbol BTC
  tollcall call 127.0.0.1:8402 quotes --input '{"symbol": "AAPL"}' --json
  tollcall call 127.0.0.1:8402 quotes 100 --symbol SAP --max-msat 100000

A call that fails is not charged. Stopped in the middle, the same command goes on: nothing is paid
twice, and an answer that was paid for is fetched.`,
    )
    .action((host: string, service: string, quantity: number, options: CallOptions) =>
      runCall({ host, service, quantity, options }),
    );
}

interface CallRequest {
  readonly host: string;
  readonly service: string;
  readonly quantity: number;
  readonly options: CallOptions;
}

async function runCall({ host, service, quantity, options }: CallRequest): Promise<void> {
  const input = inputOf(options);
  const limitMsat = limitOf(options.maxMsat);
  const trust = trustOf(options);
  const profile = await openProfile(options.profile);
  const terminal = openTerminal(process.stdout, options.json ?? false);
  try {
    const link = await profile.connect(host, trust);
    // An unknown service is refused before anything else happens.
    soldService(link, service);
    const run = new CallRun({ profile, link, service, input, limitMsat, terminal });
    const fault = await run.make(quantity);
    const summary = await run.summary();
    if (options.json) {
      printJson(fault === undefined ? summary : { ...summary, problem: toProblem(fault) });
      if (fault !== undefined) process.exitCode = exitCodeOf(fault);
    } else {
      printSummary(terminal, summary);
      if (fault !== undefined) process.exitCode = reportFault(fault);
    }
    if (run.stopped && fault === undefined) process.exitCode = 130;
  } finally {
    await profile.close();
  }
}

function inputOf({ symbol, input }: CallOptions): Json {
  if (symbol !== undefined && input !== undefined) {
    throw new Fault('USAGE_INVALID', { problem: 'give --symbol or --input, not both' });
  }
  if (symbol !== undefined) return { symbol };
  if (input === undefined) return {};
  try {
    return parseJson(input === '-' ? readText('-', '--input') : input);
  } catch (error) {
    throw new Fault('USAGE_INVALID', { option: '--input', problem: 'not JSON' }, error);
  }
}

function limitOf(text: string | undefined): Msat | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,18}$/.test(text)) return msat(BigInt(text));
  throw new Fault('USAGE_INVALID', { option: '--max-msat', problem: 'not a whole number' });
}

interface RunParts {
  readonly profile: Profile;
  readonly link: Link;
  readonly service: string;
  readonly input: Json;
  readonly limitMsat: Msat | undefined;
  readonly terminal: Terminal;
}

interface AnswerJson {
  readonly result: Json;
  readonly charged_msat: Msat;
  /** It belongs to a run that was stopped: it was paid for then. */
  readonly fetched?: true;
}

interface CallSummary {
  readonly host: string;
  readonly service: string;
  readonly answers: readonly AnswerJson[];
  readonly bought_calls: number;
  readonly paid_msat: Msat;
  readonly charged_msat: Msat;
  readonly session: string | undefined;
  readonly calls_left: number;
  readonly credit_msat: Msat;
}

/** One run of the command. */
class CallRun {
  readonly #parts: RunParts;
  readonly #answers: AnswerJson[] = [];
  #session: PayerSession | undefined;
  #callsLeft = 0;
  #boughtCalls = 0;
  #paidMsat = ZERO_MSAT;
  stopped = false;

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  /** Makes the calls; gives the fault that ended them early. */
  async make(quantity: number): Promise<Fault | undefined> {
    const { profile, link, service } = this.#parts;
    const stop = (): void => {
      this.stopped = true;
      process.off('SIGINT', stop);
    };
    process.on('SIGINT', stop);
    try {
      const found = await findSession(profile, link, service);
      if (found) await this.#use(found.session, found.callsLeft);
      // Before the first call: nobody wants half of it.
      if (quantity > this.#callsLeft) this.#price(quantity - this.#callsLeft);
      for (let made = 0; made < quantity && !this.stopped; made++) {
        if (this.#callsLeft === 0) await this.#buy(quantity - made);
        await this.#call(made + 1, quantity);
      }
      return undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      return asFault(error);
    } finally {
      this.#parts.terminal.progressDone();
      process.off('SIGINT', stop);
    }
  }

  async summary(): Promise<CallSummary> {
    const { link, service } = this.#parts;
    const status = await this.#session?.status().catch(() => undefined);
    return {
      host: link.url,
      service,
      answers: this.#answers,
      bought_calls: this.#boughtCalls,
      paid_msat: this.#paidMsat,
      charged_msat: this.#answers.reduce((sum, one) => addMsat(sum, one.charged_msat), ZERO_MSAT),
      session: this.#session?.session,
      calls_left: status?.callsLeft ?? this.#callsLeft,
      credit_msat: status?.creditMsat ?? ZERO_MSAT,
    };
  }

  async #use(session: PayerSession, callsLeft: number): Promise<void> {
    const { profile, terminal } = this.#parts;
    this.#session = session;
    this.#callsLeft = callsLeft;
    terminal.line(`  ${terminal.good('✔')} session   ${callsText(callsLeft)} left from before`);
    // A run that was stopped in the middle of a call has paid for it: its answer comes first.
    const { calls } = await profile.store.unresolvedCalls(session.session);
    for (const { callId, request } of calls) {
      const input = parseJson(fromUtf8(request, 'request'));
      try {
        const answer = await session.call(input, { callId });
        this.#callsLeft = answer.balance?.callsLeft ?? this.#callsLeft;
        this.#keep(answer, { fetched: true });
        terminal.line(`  ${terminal.good('✔')} fetched   ${JSON.stringify(answer.result)}`);
      } catch (error) {
        // Not charged and resolved: it is not part of what was asked for now.
        if (!isFault(error) || error.row.money !== 'unspent') throw error;
      }
    }
  }

  async #buy(calls: number): Promise<void> {
    const { profile, link, service, terminal } = this.#parts;
    const totalMsat = this.#price(calls);
    const order = `${callsText(calls)} of ${service}`;
    terminal.line(`  ${terminal.good('✔')} price     ${order}: ${formatMsat(totalMsat)}`);
    await askWallet(profile, () => profile.wallet.info());
    this.#session = await terminal.step(
      'payment',
      () => profile.payer.buy(link, { service, calls, maxTotalMsat: totalMsat }),
      () => `paid ${formatMsat(totalMsat)} with one invoice`,
    );
    this.#callsLeft = calls;
    this.#boughtCalls += calls;
    this.#paidMsat = addMsat(this.#paidMsat, totalMsat);
  }

  /** What so many more calls cost. @throws Fault `PAYMENT_PRICE` above the limit of this run */
  #price(calls: number): Msat {
    const { link, service, limitMsat } = this.#parts;
    const totalMsat = priceOf(soldService(link, service), calls);
    const asked = addMsat(this.#paidMsat, totalMsat);
    if (limitMsat !== undefined && asked > limitMsat) {
      throw new Fault('PAYMENT_PRICE', { asked_msat: `${asked}`, limit_msat: `${limitMsat}` });
    }
    return totalMsat;
  }

  async #call(number: number, of: number): Promise<void> {
    const { input, terminal } = this.#parts;
    const session = this.#session;
    if (session === undefined) throw new Error('invariant: a session was found or bought');
    terminal.progress(`call ${number} of ${of}`);
    const startMs = systemClock.monotonicMs();
    const answer = await session.call(input);
    const took = formatDuration(systemClock.monotonicMs() - startMs);
    this.#callsLeft = answer.balance?.callsLeft ?? this.#callsLeft - 1;
    const cost = formatMsat(this.#keep(answer, {}));
    const width = `${of}`.length;
    terminal.progressDone();
    const count = `${`${number}`.padStart(width)}/${of}`;
    const result = JSON.stringify(answer.result);
    terminal.line(`  ${terminal.dim(count)}  ${result}  ${terminal.dim(`${cost}, ${took}`)}`);
  }

  #keep({ result, balance }: CallResult, mark: { fetched?: true }): Msat {
    const charged = balance?.chargedMsat ?? ZERO_MSAT;
    this.#answers.push({ result, charged_msat: charged, ...mark });
    return charged;
  }
}

function printSummary(terminal: Terminal, summary: CallSummary): void {
  const { answers, charged_msat: chargedMsat, calls_left: left, session } = summary;
  if (session === undefined) return;
  const rest = `${callsText(left)} left, ${formatMsat(summary.credit_msat)} credit`;
  terminal.line();
  terminal.line(
    `  ${callsText(answers.length)} answered, ${formatMsat(chargedMsat)} charged; ${rest}`,
  );
}
