/**
 * `tollcall dev`: a chain, a host and a funded payer in one process, kept in a directory.
 * @module
 */
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import type { Fault } from '../base/fault/index.ts';
import { openLog, silentLog } from '../base/log/index.ts';
import { formatMsat, type Msat } from '../base/money/index.ts';
import { systemClock } from '../base/time/index.ts';
import { defaultDevDir, devPlaces, shellPath, shownPath, type DevPlaces } from './places.ts';
import { writeProfile } from './profile.ts';
import { keepRegtest, type RegtestNetwork } from './regtest.ts';
import { printJson, reportFault } from './report.ts';
import { openShop, openShopStore, SAMPLE_PRICE_MSAT, type Shop } from './shop.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { offerWallet } from './wallet-socket.ts';

const DEFAULT_PORT = 8402;

interface DevOptions {
  readonly dir: string;
  readonly port: number;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** Adds `tollcall dev`. */
export function addDev(program: Command): void {
  program
    .command('dev')
    .summary('a chain, a host and a funded payer, to try things on')
    .description(
      'Runs a private chain, a host that sells the sample quotes, and a payer with coins,\n' +
        'until Ctrl-C. Everything is kept: started again, it goes on where it was.',
    )
    .option('--dir <directory>', 'where everything is kept', defaultDevDir())
    .option('--port <number>', 'port of the host; 0 takes any free one', parsePort, DEFAULT_PORT)
    .option('--verbose', 'write the log to standard error, as JSON lines')
    .option('--json', 'print one JSON object when it is ready, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  tollcall dev
  tollcall dev --dir ./shop --port 9000
then, in another terminal:
  tollcall call 127.0.0.1:8402 quotes 4 --symbol BTC
  tollcall wallet
  tollcall books --sessions

To start from nothing again, stop it and remove its directory. The coins are worth nothing.`,
    )
    .action((options: DevOptions) => runDev(options));
}

async function runDev(options: DevOptions): Promise<void> {
  const terminal = openTerminal(process.stdout, options.json ?? false);
  const places = devPlaces(options.dir);
  const stop = stopSignal(terminal);
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
  readonly network: RegtestNetwork;
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
    // First of all: whoever has this file open is the one process of the whole directory.
    const store = await openShopStore(places.host);
    closers.push(() => store.close());
    const network = await keepRegtest(places.network, { clock: systemClock, log, terminal });
    closers.splice(0, 1, () => network.close());
    const wallet = network.seller;
    const { port } = options;
    const shop = await terminal.step(
      'host',
      () => openShop({ dir: places.host, wallet, port, store, admin: true, onBroken, log }),
      ({ door }) => `${door.url} sells quotes at ${formatMsat(SAMPLE_PRICE_MSAT)} a call`,
    );
    closers.push(() => shop.close());
    const { sendableMsat } = await terminal.step(
      'payer',
      async () => {
        const path = 'wallet.sock';
        writeProfile(places.payer, { version: 1, wallet: { kind: 'socket', path } });
        const socket = await offerWallet(join(places.payer, path), network.buyer, log);
        closers.push(() => socket.close());
        return network.buyer.balance();
      },
      (balance) => `can spend ${formatMsat(balance.sendableMsat)}`,
    );
    return { shop, network, sendableMsat, close };
  } catch (error) {
    await close();
    throw error;
  }
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
  terminal.line(`    ${terminal.bold(`tollcall call ${at} quotes 4 --symbol BTC${profile}`)}`);
  terminal.line(`    tollcall wallet${profile}`);
  terminal.line(`    tollcall books --sessions${dir}`);
  terminal.line();
  terminal.line(terminal.dim(`  kept in ${shownPath(places.dir)}; Ctrl-C stops it`));
}

/** Resolves when a person or the system wants an end; the second time it is the end. */
function stopSignal(terminal: Terminal): { asked: Promise<void>; forget: () => void } {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let again = false;
  let stop = (): void => undefined;
  const asked = new Promise<void>((resolve) => {
    stop = () => {
      if (again) process.exit(130);
      again = true;
      terminal.line();
      resolve();
    };
  });
  for (const signal of signals) process.on(signal, stop);
  return {
    asked,
    forget: () => {
      for (const signal of signals) process.off(signal, stop);
    },
  };
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
