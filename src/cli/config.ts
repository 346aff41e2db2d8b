/**
 * `tollcall config check`: everything that is wrong with a configuration, or what it would serve.
 * @module
 */
import type { Command } from 'commander';
import { formatMsat } from '../base/money/index.ts';
import { systemClock } from '../base/time/index.ts';
import { bundleTotalMsat } from '../pay/price/index.ts';
import { HOST_LIMITS, type Service } from '../host/index.ts';
import type { CheckedConfig } from '../package/host/index.ts';
import { loadConfig, type LoadedConfig } from './config-file.ts';
import { shownPath } from './places.ts';
import { printJson } from './report.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/** Numbers of calls whose price is shown. */
const QUANTITIES = [1, 10, 100] as const;

/** Adds `tollcall config`. */
export function addConfig(program: Command): void {
  program
    .command('config')
    .summary('what is wrong with a configuration, and what it would serve')
    .description('The configuration of a host: tollcall.config.ts.')
    .command('check')
    .description(
      'Loads a configuration, tells everything that is wrong with it, and shows what would be ' +
        'served. Opens no wallet, no books and no port.',
    )
    .argument('[file]', 'default: tollcall.config.ts, .js or .mjs in this directory')
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  tollcall config check
  tollcall config check ./shop/tollcall.config.ts --json

Exit code 2 when something is wrong.`,
    )
    .action(async (file: string | undefined, { json = false }: { json?: boolean }) => {
      const terminal = openTerminal(process.stdout, json);
      const loaded = await loadConfig(file, systemClock);
      if (json) return printJson(toJson(loaded));
      terminal.line(`  ${terminal.good('✔')} config    ${shownPath(loaded.file)}`);
      terminal.line();
      printServices(terminal, loaded.config);
      terminal.line();
      terminal.fields(facts(loaded.config));
      printNotes(terminal, loaded);
    });
}

/** What is sold, and what 1, 10 and 100 calls cost. */
export function printServices(
  terminal: Terminal,
  config: Pick<CheckedConfig, 'services' | 'limits'>,
): void {
  terminal.table(
    [
      ['service', ...QUANTITIES.map(callsHeading), 'effect', 'timeout'],
      ...config.services.map((one) => [
        one.name,
        ...QUANTITIES.map((calls) => priceText(one, calls)),
        one.effect,
        `${timeoutMs(one, config) / 1000} s`,
      ]),
    ],
    [1, 2, 3, 5],
  );
}

/** What is allowed and may still surprise. */
export function printNotes(terminal: Terminal, { notes }: Pick<LoadedConfig, 'notes'>): void {
  if (notes.length > 0) terminal.line();
  for (const { path, problem } of notes) terminal.line(`  note: ${path}: ${problem}`);
}

function callsHeading(calls: number): string {
  return calls === 1 ? '1 call' : `${calls} calls`;
}

function priceText(one: Service, calls: number): string {
  return calls > one.maxCalls ? '-' : formatMsat(bundleTotalMsat(one.price, calls));
}

function timeoutMs(one: Service, { limits }: Pick<CheckedConfig, 'limits'>): number {
  return one.timeoutMs ?? limits.host.callTimeoutMs ?? HOST_LIMITS.callTimeoutMs;
}

/** `https on 0.0.0.0, port 8443`. */
export function listenText({ listen, tls, behindProxy }: CheckedConfig): string {
  const scheme = tls === undefined ? 'http' : 'https';
  const port = listen.port === 0 ? 'any free port' : `port ${listen.port}`;
  return `${scheme} on ${listen.address}, ${port}${behindProxy ? ', behind a proxy' : ''}`;
}

function facts(config: CheckedConfig): (readonly [string, string])[] {
  const { network, wallet, dir, metrics, creditKeepDays, admin, workers } = config;
  return [
    ['network', network],
    ['wallet', 'kind' in wallet ? `${wallet.kind} in ${shownPath(wallet.dir)}` : 'from the file'],
    ['books', shownPath(dir)],
    ['listen', listenText(config)],
    ...(workers > 0 ? ([['workers', `${workers}`]] as const) : []),
    ['metrics', metrics ? `http on ${metrics.address}, port ${metrics.port}` : 'none'],
    ['admin', admin ? 'socket beside the books' : 'none'],
    ['credit', creditKeepDays === undefined ? 'kept for ever' : `kept ${creditKeepDays} days`],
  ];
}

function toJson({ file, config, notes }: LoadedConfig): Record<string, unknown> {
  const { network, wallet, dir, listen, tls, behindProxy, metrics, creditKeepDays } = config;
  return {
    file,
    network,
    wallet: 'kind' in wallet ? wallet : 'file',
    dir,
    listen,
    ...(tls && { tls }),
    behind_proxy: behindProxy,
    ...(metrics && { metrics }),
    ...(creditKeepDays !== undefined && { credit_keep_days: creditKeepDays }),
    admin: config.admin,
    workers: config.workers,
    services: config.services.map((one) => ({
      name: one.name,
      effect: one.effect,
      max_calls: one.maxCalls,
      timeout_ms: timeoutMs(one, config),
      total_msat: Object.fromEntries(
        QUANTITIES.filter((calls) => calls <= one.maxCalls).map((calls) => [
          calls,
          bundleTotalMsat(one.price, calls),
        ]),
      ),
    })),
    notes: notes.map(({ path, problem }) => `${path}: ${problem}`),
  };
}
