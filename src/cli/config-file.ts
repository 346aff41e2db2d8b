/**
 * Loads a configuration from its file: the only place that reads what it names.
 * @module
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Fault, isFault } from '../base/fault/index.ts';
import { moduleBeside } from '../base/module/index.ts';
import { formatTime, unixMs, type Clock } from '../base/time/index.ts';
import type { Certificate } from '../door/http/index.ts';
import {
  parseConfig,
  type CheckedConfig,
  type ConfigProblem,
  type ParsedConfig,
} from '../package/host/index.ts';
import { shownPath } from './places.ts';

/** Looked for where no file is named. */
export const CONFIG_FILES = ['tollcall.config.ts', 'tollcall.config.js', 'tollcall.config.mjs'];

/** A configuration that can be opened. */
export interface LoadedConfig {
  /** Absolute. */
  readonly file: string;
  readonly config: CheckedConfig;
  readonly notes: readonly ConfigProblem[];
  readonly certificate?: Certificate;
}

/**
 * Loads a configuration.
 * @param name the file; absent: one of `CONFIG_FILES` in the working directory
 * @param override values that stand instead of those in the file
 * @throws Fault `CONFIG_INVALID` with all problems
 */
export async function loadConfig(
  name: string | undefined,
  clock: Clock,
  override: Readonly<Record<string, unknown>> = {},
): Promise<LoadedConfig> {
  const file = findConfig(name);
  const value = await importDefault(file);
  const whole = isObject(value) ? { ...value, ...override } : value;
  const parsed = parseConfig(whole, dirname(file));
  const tls = readTls(parsed, whole, dirname(file), clock);
  const problems = [...(parsed.ok ? [] : parsed.problems), ...tls.problems];
  if (!parsed.ok || problems.length > 0) throw invalid(file, problems);
  const { config } = parsed;
  const notes = [...parsed.notes, ...tls.notes];
  return { file, config, notes, ...(tls.certificate && { certificate: tls.certificate }) };
}

/** Reads a certificate again, as it is now. @throws Fault `CONFIG_INVALID` */
export function rereadCertificate(
  tls: NonNullable<CheckedConfig['tls']>,
  clock: Clock,
): Certificate {
  const { certificate, problems } = readCertificate(tls, clock);
  if (certificate !== undefined && problems.length === 0) return certificate;
  throw invalid(tls.certFile, problems);
}

function invalid(file: string, problems: readonly ConfigProblem[]): Fault {
  return new Fault('CONFIG_INVALID', {
    file: shownPath(file),
    problems: problems.map(({ path, problem }) => (path === '' ? problem : `${path}: ${problem}`)),
    next: 'mend the file, then see "tollcall config check"',
  });
}

function findConfig(name: string | undefined): string {
  const file = (name === undefined ? CONFIG_FILES : [name]).find((one) => existsSync(one));
  if (file !== undefined) return resolve(file);
  const next = 'write one, as docs/serve.md shows, or name it';
  const looked = name ?? CONFIG_FILES.join(', ');
  throw new Fault('CONFIG_INVALID', { file: looked, problem: 'there is no such file', next });
}

async function importDefault(file: string): Promise<unknown> {
  offerPackage();
  try {
    return ((await import(pathToFileURL(file).href)) as { default?: unknown }).default;
  } catch (error) {
    throw new Fault(
      'CONFIG_INVALID',
      { file: shownPath(file), problem: loadProblem(error), next: 'mend the file' },
      error,
    );
  }
}

/** What a seller's own file says while it loads is for the seller's own eyes. */
function loadProblem(error: unknown): string {
  if (isFault(error)) {
    const facts = Object.entries(error.facts).map(([name, fact]) => `${name} ${String(fact)}`);
    return facts.join(', ') || error.code;
  }
  if (!(error instanceof Error)) return 'it threw something while it loaded';
  const [first = ''] = error.message.split('\n');
  // A line in which it cannot be parsed stands before the error's own.
  const place = /^(file:\S+|\/\S+):(\d+)\n/.exec(error.stack ?? '');
  return `${first}${place?.[2] === undefined ? '' : ` (line ${place[2]})`}`;
}

let offered = false;

/**
 * `tollcall/host` in a configuration is this very program, wherever the file stands: with a second
 * copy of the package its faults would be strangers.
 */
export function offerPackage(): void {
  if (offered) return;
  offered = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      const own = /^tollcall\/(host|payer)$/.exec(specifier)?.[1];
      if (own === undefined) return next(specifier, context);
      const { href: url } = moduleBeside(import.meta.url, `../package/${own}/index`);
      return { url, shortCircuit: true };
    },
  });
}

interface ReadTls {
  readonly certificate?: Certificate;
  readonly problems: readonly ConfigProblem[];
  readonly notes: readonly ConfigProblem[];
}

/** The files of `tls`, also where something else is wrong: all problems are told at once. */
function readTls(parsed: ParsedConfig, value: unknown, base: string, clock: Clock): ReadTls {
  const tls: unknown = parsed.ok ? parsed.config.tls : isObject(value) && value['tls'];
  if (!isObject(tls)) return { problems: [], notes: [] };
  const { certFile, keyFile } = tls;
  if (typeof certFile !== 'string' || typeof keyFile !== 'string') {
    return { problems: [], notes: [] };
  }
  const files = { certFile: resolve(base, certFile), keyFile: resolve(base, keyFile) };
  return readCertificate(files, clock);
}

function readCertificate(
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  clock: Clock,
): ReadTls {
  const problems: ConfigProblem[] = [];
  const attempt = <T>(path: string, problem: string, run: () => T): T | undefined => {
    try {
      return run();
    } catch {
      problems.push({ path, problem });
      return undefined;
    }
  };
  const read = (path: string, file: string): string | undefined =>
    attempt(path, 'cannot be read', () => readFileSync(file, 'utf8'));
  const cert = read('tls.certFile', certFile);
  const key = read('tls.keyFile', keyFile);
  const parse = 'is no certificate in PEM';
  const x509 = cert && attempt('tls.certFile', parse, () => new X509Certificate(cert));
  const secret =
    key && attempt('tls.keyFile', 'is no private key in PEM', () => createPrivateKey(key));
  if (!cert || !key || !x509 || !secret) return { problems, notes: [] };
  if (!x509.checkPrivateKey(secret)) {
    problems.push({ path: 'tls.keyFile', problem: 'is not the key of tls.certFile' });
  }
  const endsAtMs = x509.validToDate.getTime();
  const endsAt = formatTime(unixMs(endsAtMs)).slice(0, 10);
  if (endsAtMs <= clock.now()) {
    problems.push({ path: 'tls.certFile', problem: `expired on ${endsAt}` });
  }
  const soon = endsAtMs - clock.now() < SOON_MS;
  const notes = soon ? [{ path: 'tls.certFile', problem: `expires on ${endsAt}` }] : [];
  return { certificate: { cert, key }, problems, notes };
}

const SOON_MS = 14 * 24 * 3600 * 1000;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
