/**
 * `tollcall quote`: what a host sells, and what it would cost. Buys nothing.
 * @module
 */
import type { Command } from 'commander';
import { Fault } from '../base/fault/index.ts';
import { formatMsat, mulDivCeil, msat, type Msat } from '../base/money/index.ts';
import { bundleTotalMsat } from '../pay/price/index.ts';
import type { Link, Trust } from '../payer/index.ts';
import { priceFromJson, ticksText, type ServiceDescription } from '../wire/toll/index.ts';
import { openLooker } from './profile.ts';
import { hostOptions, parseQuantity, trustOf, type HostOptions } from './host-options.ts';
import { jsonText, printJson } from './report.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/** Adds `tollcall quote`. */
export function addQuote(program: Command): void {
  const command = program
    .command('quote')
    .summary('what a host sells, and what it would cost')
    .description('Shows what a host sells, and what a bundle would cost. Buys nothing.')
    .argument('<host>', 'its address, such as 127.0.0.1:8402')
    .argument('[service]', 'one of its services; without it, all are listed')
    .argument('[quantity]', 'how many calls', parseQuantity);
  hostOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  tollcall quote 127.0.0.1:8402              what is on sale
  tollcall quote 127.0.0.1:8402 quotes 100   the price of a hundred calls`,
    )
    .action(
      (host: string, service: string | undefined, calls: number | undefined, o: HostOptions) =>
        runQuote({ host, service, calls: calls ?? 1, trust: trustOf(o), options: o }),
    );
}

interface QuoteRequest {
  readonly host: string;
  readonly service: string | undefined;
  readonly calls: number;
  readonly trust: Trust;
  readonly options: HostOptions;
}

async function runQuote({ host, service, calls, trust, options }: QuoteRequest): Promise<void> {
  const profile = await openLooker(options.profile);
  const terminal = openTerminal(process.stdout, options.json ?? false);
  try {
    const link = await profile.connect(host, trust);
    if (service === undefined) return printList(terminal, link, options.json ?? false);
    const sold = soldService(link, service);
    const totalMsat = priceOf(sold, calls);
    if (options.json) {
      return printJson({
        ...hostFacts(link),
        service,
        quantity: calls,
        total_msat: totalMsat,
        max_calls: sold.max_calls,
        ...(sold.ticks === undefined ? {} : { ticks: sold.ticks }),
        ...(sold.input === undefined ? {} : { input: sold.input }),
      });
    }
    printQuote(terminal, link, { sold, calls, totalMsat });
  } finally {
    await profile.close();
  }
}

/** A service of a host. @throws Fault `SERVICE_UNKNOWN` naming those there are */
export function soldService(link: Link, name: string): ServiceDescription {
  const { services } = link.description;
  const sold = services.find((service) => service.name === name);
  if (sold) return sold;
  const names = services.slice(0, 20).map((service) => service.name);
  throw new Fault('SERVICE_UNKNOWN', { service: name, there_is: names.join(', ') || 'nothing' });
}

/** What a bundle costs. @throws Fault `SERVICE_QUANTITY` */
export function priceOf(sold: ServiceDescription, calls: number): Msat {
  if (calls > sold.max_calls) throw new Fault('SERVICE_QUANTITY', { min: 1, max: sold.max_calls });
  return bundleTotalMsat(priceFromJson(sold.price), calls);
}

/** `4 calls`, `1 call`. */
export function callsText(calls: number): string {
  return `${calls.toLocaleString('en-US')} ${calls === 1 ? 'call' : 'calls'}`;
}

function hostFacts(link: Link): Record<string, string> {
  const { network } = link.description;
  return { host: link.url, network, host_key_fingerprint: link.key.fingerprint };
}

function printList(terminal: Terminal, link: Link, json: boolean): void {
  const { services } = link.description;
  if (json) return printJson({ ...hostFacts(link), services });
  terminal.line(`  ${terminal.bold(link.url)} sells:`);
  terminal.line();
  terminal.table(
    [
      ['service', 'one call', 'effect', 'what it is'],
      ...services.map((sold) => [
        sold.name,
        formatMsat(priceOf(sold, 1)),
        sold.effect,
        sold.description.split('\n', 1)[0] ?? '',
      ]),
    ],
    [1],
  );
}

function printQuote(
  terminal: Terminal,
  link: Link,
  quote: { readonly sold: ServiceDescription; readonly calls: number; readonly totalMsat: Msat },
): void {
  const { sold, calls, totalMsat } = quote;
  const eachMsat = mulDivCeil(totalMsat, 1n, BigInt(calls));
  terminal.line(
    `  ${terminal.bold(`${callsText(calls)} of ${sold.name}: ${formatMsat(totalMsat)}`)}`,
  );
  terminal.line();
  terminal.fields([
    ['each', `${formatMsat(msat(eachMsat))}, charged only when it succeeds`],
    ['what', sold.description],
    ['at most', `${callsText(sold.max_calls)} in one bundle`],
    ...(sold.ticks === undefined ? [] : [['by ticks', ticksText(sold.ticks)] as const]),
    ['host', `${link.url} (${link.description.network})`],
    ['key', link.key.fingerprint],
    ...(sold.input === undefined ? [] : [['input', schemaText(sold.input)] as const]),
  ]);
}

/** A JSON Schema without the line that says that it is one. */
function schemaText(schema: unknown): string {
  const text = JSON.stringify(schema, (name, value: unknown) =>
    name === '$schema' ? undefined : value,
  );
  return jsonText(JSON.parse(text));
}
