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
import type { CallResult, Link, PayerSession, SessionStatus } from '../payer/index.ts';
import { openPerson, type Person } from './by-hand.ts';
import { hostOptions, parseQuantity, readText, trustOf, type HostOptions } from './host-options.ts';
import { SUMMARY_MS } from './limits.ts';
import { askWallet, openProfile, type Profile } from './profile.ts';
import { callsText, priceOf, soldService } from './quote.ts';
import { exitCodeOf, jsonText, printJson, reportFault } from './report.ts';
import { findSession } from './sessions.ts';
import { formatDuration, openTerminal, type Terminal } from './terminal.ts';

interface CallOptions extends HostOptions {
  readonly symbol?: string;
  readonly input?: string;
  readonly maxMsat?: string;
  readonly payByHand?: boolean;
}

/** Adds `tollcall call`. */
export function addCall(program: Command): void {
  const command = program
    .command('call')
    .summary('buy what is missing, then call')
    .description(
      'Calls a service QUANTITY times. Uses the calls that are left of an earlier purchase, and ' +
        'buys those that are missing with one invoice, as a top-up where there is such a ' +
        'purchase; the price is shown first.',
    )
    .argument('<host>', 'its address, such as 127.0.0.1:8402')
    .argument('<service>', 'one of its services')
    .argument('[quantity]', 'how many calls', parseQuantity, 1)
    .option('--symbol <symbol>', 'short for --input \'{"symbol": "..."}\'')
    .option('--input <json>', 'what each call is given; - reads it from standard input')
    .option('--max-msat <amount>', 'buy only if it costs no more than this, in millisatoshis')
    .option('--pay-by-hand', 'show the invoice, for a phone or another wallet, and wait');
  hostOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  tollcall call 127.0.0.1:8402 quotes 4 --symbol BTC
  tollcall call 127.0.0.1:8402 quotes --input '{"symbol": "AAPL"}' --json
  tollcall call 127.0.0.1:8402 quotes 100 --symbol SAP --max-msat 100000
  tollcall call 127.0.0.1:8402 quotes 4 --symbol BTC --pay-by-hand

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
  const profile = await openProfile(options.profile, options.payByHand);
  const terminal = openTerminal(process.stdout, options.json ?? false);
  try {
    const link = await profile.connect(host, trust);
    // An unknown service is refused before anything else happens.
    soldService(link, service);
    const byHand = (options.payByHand ?? false) || profile.byHand;
    const person = byHand ? openPerson(terminal, options.json ?? false) : undefined;
    const run = new CallRun({ profile, link, service, input, limitMsat, terminal, person });
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

/** What each call is given. @throws Fault `USAGE_INVALID` */
export function inputOf({ symbol, input }: Pick<CallOptions, 'symbol' | 'input'>): Json {
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

/** The amount of `--max-msat`. @throws Fault `USAGE_INVALID` */
export function limitOf(text: string | undefined): Msat | undefined {
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
  /** Who pays, if it is not the profile's wallet. */
  readonly person: Person | undefined;
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
  /** Absent when the host did not say. */
  readonly credit_msat?: Msat;
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
    const { profile, link, service, person } = this.#parts;
    const stop = (): void => {
      this.stopped = true;
      person?.stop();
      process.off('SIGINT', stop);
    };
    process.on('SIGINT', stop);
    try {
      const found = await findSession(profile, link, service, person);
      person?.done();
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
      return this.#withBill(asFault(error));
    } finally {
      person?.done();
      this.#parts.terminal.progressDone();
      process.off('SIGINT', stop);
    }
  }

  async summary(): Promise<CallSummary> {
    const { link, service } = this.#parts;
    const status = await this.#standing();
    return {
      host: link.url,
      service,
      answers: this.#answers,
      bought_calls: this.#boughtCalls,
      paid_msat: this.#paidMsat,
      charged_msat: this.#answers.reduce((sum, one) => addMsat(sum, one.charged_msat), ZERO_MSAT),
      session: this.#session?.session,
      calls_left: status?.callsLeft ?? this.#callsLeft,
      ...(status === undefined ? {} : { credit_msat: status.creditMsat }),
    };
  }

  /** What the host says at the end; one that has gone is not waited for. */
  async #standing(): Promise<SessionStatus | undefined> {
    const late = new AbortController();
    const cancel = systemClock.timer(SUMMARY_MS, () => late.abort());
    try {
      return await this.#session?.status({ signal: late.signal });
    } catch {
      return undefined;
    } finally {
      cancel();
    }
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
        terminal.line(`  ${terminal.good('✔')} fetched   ${jsonText(answer.result)}`);
      } catch (error) {
        // Not charged and resolved: it is not part of what was asked for now.
        if (!isFault(error) || error.row.money !== 'unspent') throw error;
      }
    }
  }

  async #buy(calls: number): Promise<void> {
    const { profile, link, service, terminal, person } = this.#parts;
    const totalMsat = this.#price(calls);
    const what = `${callsText(calls)} of ${service}`;
    terminal.line(`  ${terminal.good('✔')} price     ${what}: ${formatMsat(totalMsat)}`);
    const order = { service, calls, maxTotalMsat: totalMsat };
    const paid = `paid ${formatMsat(totalMsat)} with one invoice`;
    if (person) {
      this.#session = await profile.payer.buy(link, { ...order, byHand: person });
      person.done();
      terminal.line(`  ${terminal.good('✔')} payment   ${paid}`);
    } else {
      await askWallet(profile, () => profile.wallet.info());
      this.#session = await terminal.step(
        'payment',
        () => this.#pay(order),
        () => paid,
      );
    }
    this.#callsLeft = calls;
    this.#boughtCalls += calls;
    this.#paidMsat = addMsat(this.#paidMsat, totalMsat);
  }

  /** The session that is used goes on; without one a bundle is bought. */
  async #pay(order: { service: string; calls: number; maxTotalMsat: Msat }): Promise<PayerSession> {
    const { profile, link } = this.#parts;
    const session = this.#session;
    if (session === undefined) return profile.payer.buy(link, order);
    try {
      await session.topUp(order);
      return session;
    } catch (error) {
      if (!isFault(error) || error.code !== 'TOPUP_REFUNDED') throw error;
      return profile.payer.buy(link, order);
    }
  }

  /** A bill that waits is told with what is next. */
  #withBill(fault: Fault): Fault {
    if (fault.code !== 'PAYMENT_UNKNOWN' || this.#parts.person?.shown === undefined) return fault;
    const next = 'pay the invoice or not; the same command goes on with it until it expires';
    return new Fault(fault.code, { ...fault.facts, next }, fault);
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
    const result = jsonText(answer.result);
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
  const credit =
    summary.credit_msat === undefined ? '' : `, ${formatMsat(summary.credit_msat)} credit`;
  const rest = `${callsText(left)} left${credit}`;
  terminal.line();
  terminal.line(
    `  ${callsText(answers.length)} answered, ${formatMsat(chargedMsat)} charged; ${rest}`,
  );
}
