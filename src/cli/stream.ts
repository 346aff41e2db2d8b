/**
 * `tollcall stream`: many calls, each paid with a tick.
 * @module
 */
import { InvalidArgumentError, type Command } from 'commander';
import { Fault, asFault, isFault } from '../base/fault/index.ts';
import { canonicalJson, type Json } from '../base/json/index.ts';
import { ZERO_MSAT, addMsat, formatMsat, msat, type Msat } from '../base/money/index.ts';
import { systemClock } from '../base/time/index.ts';
import { mostUnitsOf } from '../pay/price/index.ts';
import { ticksFromJson, ticksText } from '../wire/toll/index.ts';
import type { Link, PayerStream } from '../payer/index.ts';
import { inputOf, limitOf } from './call.ts';
import { hostOptions, parseQuantity, trustOf, type HostOptions } from './host-options.ts';
import { openProfile, type Profile } from './profile.ts';
import { soldService } from './quote.ts';
import { exitCodeOf, printJson, reportFault } from './report.ts';
import { formatDuration, openTerminal, type Terminal } from './terminal.ts';

/** None was bought, all are used up, or other processes use them. */
const NOTHING_LEFT = new Set(['LANE_HELD', 'LANE_EXHAUSTED']);
const PROGRESS_MS = 200;
/** A service, or the host while it ran, has failed a call: it was not charged. */
const OF_CALL = new Set(['CALL_FAILED', 'CALL_OUTCOME_UNKNOWN']);
/** Failures in a row after which nothing more is tried: it is not the odd call that fails. */
const MAX_FAILURES = 100;

interface StreamOptions extends HostOptions {
  readonly calls: number;
  readonly concurrency: number;
  readonly lanes: number;
  readonly maxUnits?: number;
  readonly symbol?: string;
  readonly input?: string;
  readonly maxMsat?: string;
}

/** Adds `tollcall stream`. */
export function addStream(program: Command): void {
  const command = program
    .command('stream')
    .summary('many calls, each paid with one hash')
    .description(
      'Makes many calls, many at once, each paid with a tick: a secret that the host checks ' +
        'with one hash. One invoice buys units; those that are left are used the next time.',
    )
    .argument('<host>', 'its address, such as 127.0.0.1:8402')
    .argument('<service>', 'one of its services')
    .option('--calls <number>', 'how many', parseQuantity, 1000)
    .option('--concurrency <number>', 'how many are under way at once', parseConcurrency, 64)
    .option(
      '--lanes <number>',
      'chains of ticks that are bought; each has 64 calls under way',
      parseQuantity,
      4,
    )
    .option(
      '--max-units <number>',
      'what one call may cost, where only the host can say it',
      parseQuantity,
    )
    .option('--symbol <symbol>', 'short for --input \'{"symbol": "..."}\'')
    .option('--input <json>', 'what each call is given; - reads it from standard input')
    .option('--max-msat <amount>', 'buy only if it costs no more than this, in millisatoshis');
  hostOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  tollcall stream 127.0.0.1:8402 quotes --symbol BTC
  tollcall stream 127.0.0.1:8402 quotes --symbol BTC --calls 100000 --concurrency 256
  tollcall stream 127.0.0.1:8402 quotes --symbol BTC --calls 5000 --json

A call that fails is not charged: its tick pays the next one. Ctrl-C ends what is under way, and
what is left stays bought.`,
    )
    .action((host: string, service: string, options: StreamOptions) =>
      runStream(host, service, options),
    );
}

function parseConcurrency(text: string): number {
  const calls = parseQuantity(text);
  if (calls > 10_000) throw new InvalidArgumentError('At most 10000 at once.');
  return calls;
}

async function runStream(host: string, service: string, options: StreamOptions): Promise<void> {
  const input = inputOf(options);
  const limitMsat = limitOf(options.maxMsat);
  const trust = trustOf(options);
  const profile = await openProfile(options.profile);
  const terminal = openTerminal(process.stdout, options.json ?? false);
  try {
    const link = await profile.connect(host, trust);
    const unitMsat = unitOf(link, service);
    const run = new StreamRun({
      profile,
      link,
      service,
      input,
      options,
      unitMsat,
      limitMsat,
      terminal,
    });
    const fault = await run.make();
    const summary = run.summary();
    if (options.json) printJson(fault === undefined ? summary : { ...summary, code: fault.code });
    else printSummary(terminal, summary);
    if (fault === undefined) process.exitCode = run.stopped ? 130 : 0;
    else process.exitCode = options.json ? exitCodeOf(fault) : reportFault(fault);
  } finally {
    await profile.close();
  }
}

/** @throws Fault `SERVICE_UNKNOWN`, `TICK_UNSOLD` */
function unitOf(link: Link, service: string): Msat {
  const { ticks } = soldService(link, service);
  if (ticks === undefined) throw new Fault('TICK_UNSOLD', { service });
  return msat(BigInt(ticks.unit_msat));
}

interface RunParts {
  readonly profile: Profile;
  readonly link: Link;
  readonly service: string;
  readonly input: Json;
  readonly options: StreamOptions;
  readonly unitMsat: Msat;
  readonly limitMsat: Msat | undefined;
  readonly terminal: Terminal;
}

interface StreamSummary {
  readonly host: string;
  readonly service: string;
  readonly calls: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly bought_units: number;
  readonly paid_msat: Msat;
  readonly charged_msat: Msat;
  readonly units_left: number;
  readonly seconds: number;
  readonly calls_per_second: number;
}

/** One run of the command. */
class StreamRun {
  readonly #parts: RunParts;
  readonly #failed = new Map<string, number>();
  #stream: PayerStream | undefined;
  #begun = 0;
  #answered = 0;
  #failures = 0;
  #chargedMsat = ZERO_MSAT;
  #boughtUnits = 0;
  #unitsLeft = 0;
  #startMs = 0;
  #endMs = 0;
  #fault: Fault | undefined;
  stopped = false;

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  /** Makes the calls; gives the fault that ended them early. */
  async make(): Promise<Fault | undefined> {
    const { options, terminal } = this.#parts;
    const stop = (): void => {
      this.stopped = true;
      process.off('SIGINT', stop);
    };
    process.on('SIGINT', stop);
    try {
      this.#stream = await this.#open();
      this.#startMs = systemClock.monotonicMs();
      const stopShowing = this.#show();
      await Promise.all(Array.from({ length: options.concurrency }, () => this.#work()));
      this.#endMs = systemClock.monotonicMs();
      stopShowing();
      return this.#fault;
    } catch (error) {
      if (!isFault(error)) throw error;
      return asFault(error);
    } finally {
      terminal.progressDone();
      process.off('SIGINT', stop);
      this.#unitsLeft = this.#stream?.unitsLeft ?? 0;
      await this.#stream?.close();
    }
  }

  summary(): StreamSummary {
    const { link, service, unitMsat } = this.#parts;
    const seconds = Math.max(0, this.#endMs - this.#startMs) / 1000;
    return {
      host: link.url,
      service,
      calls: this.#answered,
      failed: Object.fromEntries(this.#failed),
      bought_units: this.#boughtUnits,
      paid_msat: msat(unitMsat * BigInt(this.#boughtUnits)),
      charged_msat: this.#chargedMsat,
      units_left: this.#unitsLeft,
      seconds,
      calls_per_second: seconds > 0 ? Math.round(this.#answered / seconds) : 0,
    };
  }

  /** The lanes that are left from before, and those that are missing. */
  async #open(): Promise<PayerStream> {
    const { profile, link, service, terminal } = this.#parts;
    const before = await this.#resumed();
    const left = before?.unitsLeft ?? 0;
    if (before) terminal.line(`  ${terminal.good('✔')} lanes     ${units(left)} left from before`);
    const unitsPerCall = this.#unitsPerCall();
    const callsLeft = before?.callsLeft(unitsPerCall) ?? 0;
    const missing = (this.#parts.options.calls - callsLeft) * unitsPerCall;
    if (before && missing <= 0) return before;
    this.#showPrice();
    const maxTotalMsat = this.#price(missing);
    const request = {
      units: missing,
      maxTotalMsat,
      unitsPerCall,
      lanes: this.#parts.options.lanes,
      progress: (done: number, of: number) =>
        terminal.progress(`making ticks: ${Math.floor((100 * done) / of)} %`),
    };
    const cost = `${units(missing)} for ${formatMsat(maxTotalMsat)}, with one invoice`;
    const stream = await terminal.step(
      'payment',
      async () => {
        if (before === undefined) return profile.payer.stream(link, { service, ...request });
        await before.topUp(request);
        return before;
      },
      () => cost,
    );
    this.#boughtUnits = missing;
    return stream;
  }

  async #resumed(): Promise<PayerStream | undefined> {
    const { profile, link, service } = this.#parts;
    try {
      return await profile.payer.resumeStream(link, { service });
    } catch (error) {
      // None was bought, all are used up, or another process uses them.
      if (isFault(error) && NOTHING_LEFT.has(error.code)) return undefined;
      throw error;
    }
  }

  /** In words, unless each call simply costs a unit. */
  #showPrice(): void {
    const { link, service, terminal } = this.#parts;
    const { ticks } = soldService(link, service);
    const text = ticks === undefined ? '' : ticksText(ticks);
    if (text.startsWith('1 unit a call;')) return;
    terminal.line(`  ${terminal.good('✔')} price     ${text}`);
  }

  /** The most that a call costs: each is given the same. */
  #unitsPerCall(): number {
    const { options, link, service, input } = this.#parts;
    const { ticks } = soldService(link, service);
    const price = ticks && ticksFromJson(ticks);
    if (price === undefined) return options.maxUnits ?? 1;
    return Math.max(1, mostUnitsOf(price, canonicalJson(input).length));
  }

  /** @throws Fault `PAYMENT_PRICE` above the limit of this run */
  #price(missing: number): Msat {
    const { unitMsat, limitMsat } = this.#parts;
    const totalMsat = msat(unitMsat * BigInt(missing));
    if (limitMsat !== undefined && totalMsat > limitMsat) {
      throw new Fault('PAYMENT_PRICE', { asked_msat: `${totalMsat}`, limit_msat: `${limitMsat}` });
    }
    return totalMsat;
  }

  async #work(): Promise<void> {
    const { options, input } = this.#parts;
    const { maxUnits } = options;
    while (this.#begun < options.calls && !this.stopped && this.#fault === undefined) {
      this.#begun++;
      try {
        const answer = await this.#stream?.call(input, maxUnits === undefined ? {} : { maxUnits });
        this.#answered++;
        this.#failures = 0;
        this.#chargedMsat = addMsat(this.#chargedMsat, answer?.costMsat ?? ZERO_MSAT);
      } catch (error) {
        this.#count(asFault(error));
      }
    }
  }

  #count(fault: Fault): void {
    this.#failed.set(fault.code, (this.#failed.get(fault.code) ?? 0) + 1);
    const isOfCall = OF_CALL.has(fault.code) || isOfService(fault.code);
    if (!isOfCall || ++this.#failures >= MAX_FAILURES) this.#fault ??= fault;
  }

  #show(): () => void {
    let stop = (): void => undefined;
    const again = (): void => {
      const { terminal, options } = this.#parts;
      const seconds = (systemClock.monotonicMs() - this.#startMs) / 1000;
      const rate = Math.round(this.#answered / Math.max(0.001, seconds));
      const left = this.#stream?.unitsLeft ?? 0;
      terminal.progress(
        `${count(this.#answered)} of ${count(options.calls)}  ${count(rate)}/s  ` +
          `spent ${formatMsat(this.#chargedMsat)}  ${units(left)} left`,
      );
      stop = systemClock.timer(PROGRESS_MS, again);
    };
    again();
    return () => stop();
  }
}

function isOfService(code: string): boolean {
  return code.startsWith('SERVICE_') && code !== 'SERVICE_INPUT';
}

function printSummary(terminal: Terminal, summary: StreamSummary): void {
  if (summary.calls === 0 && Object.keys(summary.failed).length === 0) return;
  const { calls, charged_msat: chargedMsat, calls_per_second: rate } = summary;
  const took = formatDuration(summary.seconds * 1000);
  terminal.line(
    `  ${terminal.good('✔')} calls     ${count(calls)} in ${took}, ${count(rate)} a second`,
  );
  for (const [code, times] of Object.entries(summary.failed)) {
    terminal.line(`  ${terminal.bad('✘')} failed    ${count(times)} with ${code}, not charged`);
  }
  terminal.line();
  terminal.line(`  ${formatMsat(chargedMsat)} charged; ${units(summary.units_left)} left`);
}

function units(number: number): string {
  return `${count(number)} ${number === 1 ? 'unit' : 'units'}`;
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
