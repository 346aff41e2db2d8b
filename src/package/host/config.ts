/**
 * The configuration of a host, as it stands in `tollcall.config.ts`, and its one parser. The parser
 * is pure: it reads no file, and reports everything that is wrong at once.
 * @module
 */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { Msat } from '../../base/money/index.ts';
import type { Network } from '../../bitcoin/bolt/index.ts';
import { isLoopback } from '../../door/http/index.ts';
import { HOST_LIMITS, type HostLimits, type Service } from '../../host/index.ts';
import { BOOKS_LIMITS } from '../../books/index.ts';
import { bundleTotalMsat } from '../../pay/price/index.ts';
import type { Wallet } from '../../port/wallet/index.ts';
import { KEYS, SHAPES, type ConfigKey } from './config-shape.ts';
import type { ShopLimits } from './shop-options.ts';

/** Where the wallet of a host comes from. */
export type WalletSource =
  /** A private chain for trying things on, kept in `dir`; for `tollcall dev` and tests. */
  | { readonly kind: 'regtest'; readonly dir: string }
  /** Any object that is a wallet, or what opens one. It is closed when the host is. */
  | Wallet
  | (() => Wallet | Promise<Wallet>);

/** What a seller writes. Paths are relative to the file. */
export interface HostConfig {
  /** What the wallet must be on: no host is on mainnet by accident. */
  readonly network: Network;
  readonly services: readonly Service[];
  readonly wallet: WalletSource;
  /** Keeps the keys and the books. */
  readonly dir: string;
  /** Default: 127.0.0.1, port 8402. Port 0 takes any free one. */
  readonly listen?: { readonly address?: string; readonly port?: number };
  /** PEM files: the chain and its private key. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** A TLS proxy stands in front, writes `X-Forwarded-For`, and is alone in reaching the port. */
  readonly behindProxy?: boolean;
  /** Credit of a session that expired longer ago is no longer owed. Absent: owed for ever. */
  readonly creditKeepDays?: number;
  readonly caps?: Caps;
  /**
   * When answers of calls that are paid with ticks leave: `commit` (the default) after their charge
   * is durable; with bounds at once, as long as what is not durable is younger and worth less: a
   * crash forgets at most that.
   */
  readonly durability?: 'commit' | { readonly maxMs: number; readonly maxMsat: Msat };
  readonly limits?: ShopLimits;
  /** Answers `tollcall books` and `backup` at a socket in `dir`. Default: true. */
  readonly admin?: boolean;
  /**
   * So many more processes take the connections and serve the calls that are paid with ticks: about
   * one for each core. They load this file too. Absent or 0: one process does all.
   */
  readonly workers?: number;
  /** Serves `GET /metrics` at a loopback address of its own. Absent: nowhere. */
  readonly metrics?: { readonly address?: string; readonly port: number };
}

type Caps = NonNullable<ReturnType<(typeof SHAPES)['caps']['parse']>>;

/** A configuration that can be opened: paths are absolute, what has a default has a value. */
export interface CheckedConfig extends Omit<
  HostConfig,
  'listen' | 'metrics' | 'caps' | 'limits' | 'durability' | 'workers'
> {
  readonly listen: { readonly address: string; readonly port: number };
  readonly metrics?: { readonly address: string; readonly port: number };
  readonly behindProxy: boolean;
  readonly admin: boolean;
  /** 0: one process does all. */
  readonly workers: number;
  /** What was set; with the caps, and a grace that lets services with effect once end. */
  readonly limits: ShopLimits & { readonly host: Pick<HostLimits, 'stopGraceMs'> };
}

/** Something that is wrong, and where: `limits.host.runningCalls`. */
export interface ConfigProblem {
  readonly path: string;
  readonly problem: string;
}

/** What the parser says. */
export type ParsedConfig =
  | { readonly ok: true; readonly config: CheckedConfig; readonly notes: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Types the default export of `tollcall.config.ts`. */
export function defineConfig(config: HostConfig): HostConfig {
  return config;
}

/**
 * Reads a configuration.
 * @param base the directory that its paths are relative to, absolute
 */
export function parseConfig(value: unknown, base: string): ParsedConfig {
  if (typeof value !== 'object' || value === null) {
    return { ok: false, problems: [{ path: '', problem: 'the configuration must be an object' }] };
  }
  const problems: ConfigProblem[] = [];
  const good: Good = {};
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(SHAPES, name)) problems.push({ path: name, problem: 'is not known' });
  }
  for (const key of KEYS) {
    const parsed = SHAPES[key].safeParse((value as Record<string, unknown>)[key]);
    if (parsed.success) Object.assign(good, { [key]: parsed.data });
    else problems.push(...parsed.error.issues.flatMap((issue) => printIssue(value, key, issue)));
  }
  problems.push(...relations(good));
  if (problems.length > 0) return { ok: false, problems };
  const config = complete(good as Complete, base);
  return { ok: true, config, notes: notesOn(config) };
}

type Good = { [key in ConfigKey]?: ReturnType<(typeof SHAPES)[key]['parse']> };
type Complete = { [key in ConfigKey]: ReturnType<(typeof SHAPES)[key]['parse']> };

interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

function printIssue(value: object, key: string, issue: Issue): ConfigProblem[] {
  const path = [key, ...issue.path].map(String);
  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys ?? [];
    return unknown.map((name) => ({ path: [...path, name].join('.'), problem: 'is not known' }));
  }
  const missing = path.reduce<unknown>(memberOf, value) === undefined;
  const problem = missing ? 'is missing' : issue.message.replace(/^Invalid (input|option): /, '');
  return [{ path: path.join('.'), problem }];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** What must hold between values; of each only what is right by itself is looked at. */
function relations(good: Good): ConfigProblem[] {
  return [...doorRelations(good), ...limitRelations(good), ...serviceRelations(good)];
}

function doorRelations({ listen, tls, behindProxy, metrics, wallet, network }: Good) {
  const problems: ConfigProblem[] = [];
  const say = (path: string, problem: string): void => void problems.push({ path, problem });
  const { address = DEFAULT_ADDRESS, port = DEFAULT_PORT } = listen ?? {};
  if (tls !== undefined && behindProxy === true) {
    say('tls', 'excludes behindProxy: either this host or its proxy speaks TLS');
  }
  if (isIP(address) === 0) {
    say('listen.address', 'must be an IP address');
  } else if (!isLoopback(address) && tls === undefined && behindProxy !== true) {
    say('listen.address', 'plain HTTP is for loopback: set tls, or behindProxy');
  }
  if (metrics?.address !== undefined && !isLoopback(metrics.address)) {
    say('metrics.address', 'must be loopback: the figures tell what was earned');
  }
  if (metrics !== undefined && metrics.port === port && port !== 0) {
    say('metrics.port', 'is the port of the host: metrics have one of their own');
  }
  const kind = wallet !== undefined && 'kind' in wallet ? wallet.kind : undefined;
  if (kind === 'regtest' && network !== undefined && network !== 'regtest') {
    say('network', "must be 'regtest' for this wallet");
  }
  return problems;
}

function limitRelations({ caps, limits, durability, workers = 0 }: Good): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (durability?.kind === 'lazy' && durability.maxMsat < BigInt(workers)) {
    const problem = `is shared by ${workers} workers, and less than 1 msat for each`;
    problems.push({ path: 'durability.maxMsat', problem });
  }
  const atMost = (one: readonly [string, bigint | number], most: typeof one): void => {
    if (one[1] > most[1]) problems.push({ path: one[0], problem: `is above ${most[0]}` });
  };
  const books = { ...BOOKS_LIMITS, ...caps };
  const host = { ...HOST_LIMITS, ...limits?.host };
  const set = { ...limits?.door };
  atMost(
    ['caps.maxPrepaidMsat', books.maxPrepaidMsat],
    ['caps.maxLiabilityMsat', books.maxLiabilityMsat],
  );
  for (const name of ['unpaidPerAddress', 'unpaidPerPayer'] as const) {
    atMost(
      [`limits.host.${name}`, host[name]],
      ['limits.host.unpaidSessions', host.unpaidSessions],
    );
  }
  const { connections = Infinity, connectionsPerAddress = 0 } = set;
  atMost(
    ['limits.door.connectionsPerAddress', connectionsPerAddress],
    ['limits.door.connections', connections],
  );
  const { headersTimeoutMs = 0, requestTimeoutMs = Infinity, parkedBytes = Infinity } = set;
  atMost(
    ['limits.door.headersTimeoutMs', headersTimeoutMs],
    ['limits.door.requestTimeoutMs', requestTimeoutMs],
  );
  atMost(['limits.host.bodyBytes', host.bodyBytes], ['limits.door.parkedBytes', parkedBytes]);
  return problems;
}

function serviceRelations({ services = [], caps, limits }: Good): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const names = new Set<string>();
  const maxMsat = caps?.maxPrepaidMsat ?? BOOKS_LIMITS.maxPrepaidMsat;
  const graceMs = limits?.host?.stopGraceMs;
  for (const [i, one] of services.entries()) {
    const path = `services.${i} (${one.name})`;
    if (names.has(one.name)) problems.push({ path, problem: 'another service has this name' });
    names.add(one.name);
    if (bundleTotalMsat(one.price, 1) > maxMsat) {
      problems.push({ path, problem: 'one call costs more than caps.maxPrepaidMsat' });
    }
    const timeoutMs = timeoutOf(one, limits?.host);
    if (one.effect === 'once' && graceMs !== undefined && timeoutMs > graceMs) {
      const may = `has effect once and may run ${timeoutMs} ms`;
      problems.push({ path, problem: `${may}, but limits.host.stopGraceMs is ${graceMs}` });
    }
  }
  return problems;
}

function timeoutOf(one: Service, limits: ShopLimits['host']): number {
  return one.timeoutMs ?? limits?.callTimeoutMs ?? HOST_LIMITS.callTimeoutMs;
}

const DEFAULT_ADDRESS = '127.0.0.1';
const DEFAULT_PORT = 8402;

function complete(good: Complete, base: string): CheckedConfig {
  const { listen, tls, metrics, caps, durability, limits, wallet, ...rest } = good;
  const { creditKeepDays, admin = true, behindProxy = false, workers = 0, ...required } = rest;
  const once = required.services.filter((one) => one.effect === 'once');
  const needed = once.map((one) => timeoutOf(one, limits?.host));
  const stopGraceMs = limits?.host?.stopGraceMs ?? Math.max(HOST_LIMITS.stopGraceMs, ...needed);
  const at = (path: string): string => resolve(base, path);
  return {
    ...required,
    wallet: 'kind' in wallet ? { kind: 'regtest', dir: at(wallet.dir) } : wallet,
    dir: at(required.dir),
    listen: { address: listen?.address ?? DEFAULT_ADDRESS, port: listen?.port ?? DEFAULT_PORT },
    ...(tls && { tls: { certFile: at(tls.certFile), keyFile: at(tls.keyFile) } }),
    ...(metrics && {
      metrics: { address: metrics.address ?? DEFAULT_ADDRESS, port: metrics.port },
    }),
    ...(creditKeepDays !== undefined && { creditKeepDays }),
    behindProxy,
    admin,
    workers,
    limits: {
      ...(limits?.door && { door: limits.door }),
      host: { ...limits?.host, stopGraceMs },
      books: { ...limits?.books, ...caps, ...(durability && { durability }) },
    },
  };
}

/** What is allowed and may still surprise. */
function notesOn({ services, limits }: CheckedConfig): ConfigProblem[] {
  const { stopGraceMs } = limits.host;
  return services
    .filter(({ timeoutMs = 0 }) => timeoutMs > stopGraceMs)
    .map(({ name }) => ({
      path: name,
      problem: `a stop cuts its calls after ${stopGraceMs} ms: see limits.host.stopGraceMs`,
    }));
}
