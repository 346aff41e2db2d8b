/**
 * `tollcall dev`: a chain, a host and a funded payer in one process, kept in a directory.
 * @module
 */
import { InvalidArgumentError, type Command } from 'commander';
import type { Fault } from '../base/fault/index.ts';
import { openLog, silentLog } from '../base/log/index.ts';
import { formatMsat, type Msat } from '../base/money/index.ts';
import { systemClock } from '../base/time/index.ts';
import type { Service } from '../host/index.ts';
import { openShop, openShopStore, type Shop, type ShopOptions } from '../package/host/index.ts';
import { loadConfig } from './config-file.ts';
import { printNotes } from './config.ts';
import { defaultDevDir, devPlaces, shellPath, shownPath, type DevPlaces } from './places.ts';
import { openRegtestWallet } from './regtest-wallet.ts';
import { loadRegtest } from './regtest.ts';
import { printJson, reportFault } from './report.ts';
import { SAMPLE_NAME, sampleService } from './shop.ts';
import { keepServing, stopSignal } from './stop-signal.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const DEFAULT_PORT = 8402;

interface DevOptions {
  readonly dir?: string;
  readonly port: number;
  readonly config?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** Adds `tollcall dev`. */
export function addDev(program: Command): void {
  program
    .command('dev')
    .summary('a chain, a host and a funded payer, to try things on')
    .description(
      'Runs a private chain, a host that sells the sample quotes, and a payer with coins, ' +
        'until Ctrl-C. Everything is kept: started again, it goes on where it was.',
    )
    .option(
      '--dir <directory>',
      `where everything is kept (default: ${shownPath(defaultDevDir())})`,
    )
    .option('--port <number>', 'port of the host; 0 takes any free one', parsePort, DEFAULT_PORT)
    .option('--config <file>', 'sell the services of this configuration, not the sample quotes')
    .option('--verbose', 'write the log to standard error, as JSON lines')
    .option('--json', 'print one JSON object when it is ready, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  tollcall dev
  tollcall dev --dir ./shop --port 9000
  tollcall dev --config ./tollcall.config.ts     its services; only "services" is needed in it
then, in another terminal:
  tollcall call 127.0.0.1:8402 quotes 4 --symbol BTC
  tollcall wallet
  tollcall books --sessions

To start from nothing again, stop it and remove its directory. The coins are worth nothing.`,
    )
    .action((options: DevOptions) => runDev(options));
}

async function runDev(options: DevOptions): Promise<void> {
  // Before anything is made.
  await loadRegtest();
  const terminal = openTerminal(process.stdout, options.json ?? false);
  const places = devPlaces(options.dir ?? defaultDevDir());
  const stop = stopSignal(terminal);
  keepServing(openLog('error'));
  const dev = await openDev(places, options, terminal);
  try {
    announce(places, dev, options, terminal);
    await stop.asked;
  } finally {
    await dev.close();
    stop.forget();
  }
  terminal.line(`  stopped; ${shellPath(places.dir)} keeps everything`);
}

interface Dev {
  readonly shop: Shop;
  /** What the payer can spend. */
  readonly sendableMsat: Msat;
  close(): Promise<void>;
}

async function openDev(places: DevPlaces, options: DevOptions, terminal: Terminal): Promise<Dev> {
  const log = options.verbose ? openLog('info') : silentLog;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    const offer = await loadOffer(places, options, terminal);
    // First of all: whoever has this file open is the one process of the whole directory.
    const store = await openShopStore(places.host);
    let release = (): Promise<void> => store.close();
    closers.push(() => release());
    const regtest = await openRegtestWallet(places, log, terminal);
    closers.push(() => regtest.close());
    // From here on the shop closes it.
    release = async () => undefined;
    const { port } = options;
    const shop = await terminal.step(
      'host',
      () =>
        openShop({
          ...offer,
          dir: places.host,
          wallet: regtest.wallet,
          port,
          store,
          onBroken,
          log,
        }),
      ({ door }) => `${door.url} sells ${offerText(offer.services)}`,
    );
    closers.push(() => shop.close());
    return { shop, sendableMsat: await regtest.offerPayer(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Offer = Pick<ShopOptions, 'services' | 'creditKeepDays' | 'limits'>;

/**
 * What is sold: the services of a configuration with its terms, or the sample. Where it is sold is
 * said by the command line alone.
 */
async function loadOffer(
  places: DevPlaces,
  { config: file, port }: DevOptions,
  terminal: Terminal,
): Promise<Offer> {
  if (file === undefined) return { services: [sampleService()] };
  const { config, notes } = await terminal.step(
    'config',
    () =>
      loadConfig(file, systemClock, {
        network: 'regtest',
        wallet: { kind: 'regtest', dir: places.dir },
        dir: places.host,
        listen: { port },
        tls: undefined,
        behindProxy: undefined,
        metrics: undefined,
        workers: undefined,
      }),
    ({ file: found }) => shownPath(found),
  );
  printNotes(terminal, { notes });
  const { services, creditKeepDays, limits } = config;
  return { services, limits, ...(creditKeepDays !== undefined && { creditKeepDays }) };
}

/** `quotes at 1 sat a call, echo`. */
function offerText(services: readonly Service[]): string {
  const texts = services.map(({ name, price }) =>
    price.kind === 'each' ? `${name} at ${formatMsat(price.priceMsat)} a call` : name,
  );
  return texts.join(', ');
}

function announce(places: DevPlaces, dev: Dev, options: DevOptions, terminal: Terminal): void {
  const { door, host } = dev.shop;
  if (options.json) {
    printJson({
      url: door.url,
      host_key_fingerprint: host.description.host_key_fingerprint,
      host_dir: places.host,
      profile_dir: places.payer,
      sendable_msat: dev.sendableMsat,
      pid: process.pid,
    });
    return;
  }
  const elsewhere = places.dir !== devPlaces(defaultDevDir()).dir;
  const profile = elsewhere ? ` --profile ${shellPath(places.payer)}` : '';
  const dir = elsewhere ? ` --dir ${shellPath(places.host)}` : '';
  const at = `127.0.0.1:${door.port}`;
  terminal.line();
  terminal.line('  In another terminal:');
  terminal.line();
  terminal.line(`    ${terminal.bold(`tollcall call ${at} ${exampleCall(dev)}${profile}`)}`);
  terminal.line(`    tollcall wallet${profile}`);
  terminal.line(`    tollcall books --sessions${dir}`);
  terminal.line();
  terminal.line(terminal.dim(`  kept in ${shownPath(places.dir)}; Ctrl-C stops it`));
}

function exampleCall({ shop }: Dev): string {
  const name = shop.host.description.services[0]?.name ?? 'SERVICE';
  return name === SAMPLE_NAME ? `${name} 4 --symbol BTC` : `${name} 1 --input '{...}'`;
}

/** Answers are withheld from now on: what is not durable was told to nobody. */
function onBroken(fault: Fault): void {
  process.exit(reportFault(fault));
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new InvalidArgumentError('A port is 0 to 65535.');
  }
  return port;
}
