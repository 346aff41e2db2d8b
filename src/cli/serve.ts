/**
 * `tollcall serve`: a host as its configuration says, until it is asked to stop.
 * @module
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { Fault, isFault } from '../base/fault/index.ts';
import { openLog, type Log } from '../base/log/index.ts';
import { moduleBeside } from '../base/module/index.ts';
import { formatMsat } from '../base/money/index.ts';
import { systemClock } from '../base/time/index.ts';
import {
  isWallet,
  openShop,
  openShopStore,
  type CheckedConfig,
  type Shop,
  type ShopWorkersOptions,
} from '../package/host/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { loadConfig, rereadCertificate, type LoadedConfig } from './config-file.ts';
import { printNotes, printServices } from './config.ts';
import { shellPath, shownPath } from './places.ts';
import { openRegtestWallet, type RegtestWallet } from './regtest-wallet.ts';
import { printJson, reportFault } from './report.ts';
import { keepServing, stopSignal } from './stop-signal.ts';
import { openTerminal, type Terminal } from './terminal.ts';

interface ServeOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** Adds `tollcall serve`. */
export function addServe(program: Command): void {
  program
    .command('serve')
    .summary('sell the services of a configuration')
    .description('Opens the host of a configuration and serves until it is stopped.')
    .argument('[file]', 'default: tollcall.config.ts, .js or .mjs in this directory')
    .option('--verbose', 'log everything to standard error, not only warnings and errors')
    .option('--json', 'print one JSON object when it is ready, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  tollcall config check ./tollcall.config.ts
  tollcall serve ./tollcall.config.ts

SIGTERM or Ctrl-C: takes no more calls, lets those under way end within the grace of the
configuration, cuts the others uncharged, closes. A second one ends at once; what was
answered is safe either way. SIGHUP: reads the certificate files again; without TLS it
stops the host.`,
    )
    .action((file: string | undefined, options: ServeOptions) => runServe(file, options));
}

async function runServe(file: string | undefined, options: ServeOptions): Promise<void> {
  const terminal = openTerminal(process.stdout, options.json ?? false);
  const { verbose = false } = options;
  const log = openLog(verbose ? 'info' : 'warn');
  const stop = stopSignal(terminal, ['SIGINT', 'SIGTERM']);
  keepServing(log);
  const loaded = await terminal.step(
    'config',
    () => loadConfig(file, systemClock),
    ({ file: found }) => shownPath(found),
  );
  const open = await openServe(loaded, { log, verbose, terminal });
  const forget = renewOnHangup(loaded.config, open.shop, log);
  await announce(loaded, open, terminal, options.json ?? false);
  await stop.asked;
  await open.close();
  forget();
  stop.forget();
  terminal.line('  stopped: nothing is under way, the books are closed');
  // Whatever the seller's own code has open must not hold the process.
  process.exit(0);
}

interface Serving {
  readonly shop: Shop;
  readonly wallet: Wallet;
  readonly regtest?: RegtestWallet;
  close(): Promise<void>;
}

async function openServe(
  { file, config, certificate }: LoadedConfig,
  { log, verbose, terminal }: { log: Log; verbose: boolean; terminal: Terminal },
): Promise<Serving> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    // First of all: whoever has this file open is the one process of this host.
    const store = await openShopStore(config.dir, log);
    let release = (): Promise<void> => store.close();
    closers.push(() => release());
    const { wallet, regtest } = await openWallet(config, log, terminal);
    closers.push(() => (regtest ?? wallet).close());
    await assertNetwork(file, config, wallet);
    // From here on the shop closes it.
    release = async () => undefined;
    const { dir, services, listen, metrics, creditKeepDays, behindProxy, admin, limits } = config;
    const workers = workersOf(file, config, verbose);
    const shop = await terminal.step(
      'host',
      () =>
        openShop({
          dir,
          wallet,
          services,
          store,
          behindProxy,
          admin,
          limits,
          onBroken,
          log,
          ...listen,
          ...(workers && { workers }),
          ...(metrics && { metrics }),
          ...(creditKeepDays !== undefined && { creditKeepDays }),
          ...(certificate && { tls: certificate }),
        }),
      ({ url }) => url,
    );
    closers.push(() => shop.close());
    return { shop, wallet, ...(regtest && { regtest }), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Each worker loads the configuration as this process has. */
function workersOf(
  file: string,
  { workers: count }: CheckedConfig,
  verbose: boolean,
): ShopWorkersOptions | undefined {
  if (count === 0) return undefined;
  const preload = [moduleBeside(import.meta.url, './worker-preload')];
  const logLevel = verbose ? 'info' : 'warn';
  return { count, services: pathToFileURL(file), preload, logLevel };
}

async function openWallet(
  { wallet: source }: CheckedConfig,
  log: Log,
  terminal: Terminal,
): Promise<{ wallet: Wallet; regtest?: RegtestWallet }> {
  if (typeof source === 'object' && 'kind' in source) {
    const places = { network: join(source.dir, 'network'), payer: join(source.dir, 'payer') };
    const regtest = await openRegtestWallet(places, log, terminal);
    return { wallet: regtest.wallet, regtest };
  }
  return { wallet: typeof source === 'function' ? await callWallet(source) : source };
}

/** @throws Fault its own, or `CONFIG_INVALID` with what the seller's function says */
async function callWallet(open: () => Wallet | Promise<Wallet>): Promise<Wallet> {
  let problem = 'the function gives no wallet';
  try {
    const wallet = await open();
    if (isWallet(wallet)) return wallet;
  } catch (error) {
    if (isFault(error)) throw error;
    problem = error instanceof Error ? error.message : 'the function throws';
  }
  throw new Fault('CONFIG_INVALID', { problems: [`wallet: ${problem}`] });
}

async function assertNetwork(file: string, config: CheckedConfig, wallet: Wallet): Promise<void> {
  const { network } = await wallet.info();
  if (network === config.network) return;
  const problems = [`network: is ${config.network}, but the wallet is on ${network}`];
  throw new Fault('CONFIG_INVALID', { file: shownPath(file), problems });
}

/** New connections get the certificate that is in the files then. */
function renewOnHangup({ tls }: CheckedConfig, { door }: Shop, log: Log): () => void {
  const renew = (): void => {
    // Without TLS it means what it means elsewhere: whoever started this has gone.
    if (tls === undefined) return void process.kill(process.pid, 'SIGTERM');
    try {
      door.renew(rereadCertificate(tls, systemClock));
      log.warn('the certificate was read again');
    } catch (error) {
      log.error('the certificate could not be read again; the old one stays', {}, error);
    }
  };
  process.on('SIGHUP', renew);
  return () => process.off('SIGHUP', renew);
}

async function announce(
  loaded: LoadedConfig,
  { shop, wallet, regtest }: Serving,
  terminal: Terminal,
  json: boolean,
): Promise<void> {
  const { config } = loaded;
  const { host_key_fingerprint: fingerprint } = shop.host.description;
  const { receivableMsat } = await wallet.balance();
  await regtest?.offerPayer();
  const payer = 'kind' in config.wallet ? join(config.wallet.dir, 'payer') : undefined;
  if (json) {
    printJson({
      url: shop.url,
      host_key_fingerprint: fingerprint,
      network: config.network,
      services: config.services.map(({ name }) => name),
      host_dir: config.dir,
      ...(payer !== undefined && { profile_dir: payer }),
      ...(shop.metrics && { metrics_url: `${shop.metrics.url}/metrics` }),
      receivable_msat: receivableMsat,
      pid: process.pid,
      ...(config.workers > 0 && { worker_pids: shop.workerPids() }),
    });
    return;
  }
  terminal.line();
  printServices(terminal, config);
  terminal.line();
  terminal.fields([
    ['at', shop.url],
    ['fingerprint', fingerprint],
    ['network', `${config.network}, can receive ${formatMsat(receivableMsat)}`],
    ['books', `${shownPath(config.dir)}; tollcall books --dir ${shellPath(config.dir)}`],
    ...(config.workers > 0 ? ([['workers', `${config.workers}`]] as const) : []),
    ...(shop.metrics ? ([['metrics', `${shop.metrics.url}/metrics`]] as const) : []),
    ...(payer === undefined ? [] : ([['payer', `--profile ${shellPath(payer)}`]] as const)),
  ]);
  printNotes(terminal, loaded);
  terminal.line();
  terminal.line(terminal.dim('  Ctrl-C or SIGTERM stops it'));
}

/** Answers are withheld from now on: what is not durable was told to nobody. */
function onBroken(fault: Fault): void {
  process.exit(reportFault(fault));
}
