/**
 * Structured logs in which a secret cannot appear.
 *
 * A field is written only if its name stands in the table below and its value has the form given
 * there; any other field is dropped and named in `dropped`, any other value is replaced. Bytes are
 * never written, nor is a text with a run of characters that could be an encoded secret. An error
 * is written as its name, code and places in the code, without its message: that may quote input.
 *
 * One thing no form can tell: a secret that a caller passes as a public id of the same length, such
 * as a preimage under `paymentHash`.
 * @module
 */
import { isIP } from 'node:net';
import { pino } from 'pino';
import { isFault } from '../fault/index.ts';

/** What a field may hold. */
export type LogValue = string | number | bigint | boolean | undefined;

/** The forms of values. There is none for paths, queries or headers: those carry credentials. */
const FORMS = {
  number: (value: LogValue) => typeof value === 'number' || isU64(value),
  flag: (value: LogValue) => typeof value === 'boolean',
  name: matches(/^[a-z][a-z0-9.-]{0,63}$/),
  code: matches(/^[A-Z]{2,20}(_[A-Z]{1,20}){0,5}$/),
  hex16: matches(/^[0-9a-f]{32}$/),
  hex32: matches(/^[0-9a-f]{64}$/),
  nodeId: matches(/^0[23][0-9a-f]{64}$/),
  address: (value: LogValue) => typeof value === 'string' && isIP(value) !== 0,
  version: matches(/^\d{1,5}\.\d{1,5}\.\d{1,5}(-[a-z0-9.]{1,12})?$/),
  words: (value: LogValue) => typeof value === 'string' && value.length <= 200,
} as const;

/** The forms whose values are long by nature and public by their field's name. */
const PUBLIC_IDS: ReadonlySet<keyof typeof FORMS> = new Set(['hex16', 'hex32', 'nodeId'] as const);

/** The names that may be logged, each with the form of its values. */
const LOGGABLE = {
  service: 'name',
  session: 'hex16',
  paymentHash: 'hex32',
  n: 'number',
  code: 'code',
  status: 'number',
  method: 'name',
  address: 'address',
  port: 'number',
  pid: 'number',
  worker: 'number',
  amountMsat: 'number',
  feeMsat: 'number',
  count: 'number',
  bytes: 'number',
  durationMs: 'number',
  height: 'number',
  paid: 'flag',
  nodeId: 'nodeId',
  txid: 'hex32',
  reason: 'words',
  version: 'version',
  wallet: 'name',
  signal: 'code',
} as const satisfies Record<string, keyof typeof FORMS>;

/** A field that may be logged. */
export type LogField = keyof typeof LOGGABLE;
/** The fields of one line. */
export type LogFields = { readonly [name in LogField]?: LogValue };

/** Where events go. The event is a fixed phrase; what varies goes into the fields. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields, error?: unknown): void;
  error(event: string, fields?: LogFields, error?: unknown): void;
}

/** How much to write. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** A log that writes JSON lines to `write` (by default to standard error). */
export function openLog(level: LogLevel, write?: (line: string) => void): Log {
  const target = write ? { write } : pino.destination({ dest: 2, sync: true });
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, target);
  return {
    debug: (event, fields) => logger.debug(safeFields(fields), safeEvent(event)),
    info: (event, fields) => logger.info(safeFields(fields), safeEvent(event)),
    warn: (event, fields, error) => logger.warn(safeFields(fields, error), safeEvent(event)),
    error: (event, fields, error) => logger.error(safeFields(fields, error), safeEvent(event)),
  };
}

/** A log that writes nothing. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const WITHHELD = '[not logged]';

function safeEvent(event: string): string {
  return event.length <= 120 && !couldBeSecret(event) ? event : WITHHELD;
}

function safeFields(fields: LogFields = {}, error?: unknown): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  const dropped: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (!isLoggable(name)) dropped.push(/^[A-Za-z]{1,19}$/.test(name) ? name : '?');
    else if (value !== undefined) safe[name] = safeValue(value, LOGGABLE[name]);
  }
  if (dropped.length > 0) safe['dropped'] = dropped;
  if (error !== undefined) safe['error'] = safeError(error, 0);
  return safe;
}

function isLoggable(name: string): name is LogField {
  return Object.hasOwn(LOGGABLE, name);
}

function safeValue(value: LogValue, form: keyof typeof FORMS): unknown {
  if (!FORMS[form](value)) return WITHHELD;
  if (typeof value === 'bigint') return value.toString();
  const text = typeof value === 'string' && !PUBLIC_IDS.has(form) ? value : '';
  return couldBeSecret(text) ? WITHHELD : value;
}

/**
 * Codes of 15 bytes and more in hex, base64 or base64url show as one long run; plain words do not.
 */
function couldBeSecret(text: string): boolean {
  const runs = text.match(/[A-Za-z0-9+/_=-]{20,}/g) ?? [];
  return runs.some((run) => !/^[a-z]{1,16}(-[a-z]{1,16})*$/.test(run));
}

/** Errors may be the cause of one another, in a circle too. */
const MAX_CAUSES = 4;
const MAX_PLACES = 8;

function safeError(error: unknown, depth: number): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  const name = /^[A-Za-z]{1,19}$/.test(error.name) ? error.name : 'Error';
  const code = isFault(error) ? { code: error.code } : systemCode(error);
  const more = error.cause !== undefined && depth < MAX_CAUSES;
  const cause = more ? { cause: safeError(error.cause, depth + 1) } : {};
  return { name, ...code, at: places(error), ...cause };
}

/**
 * Where an error was made: `src/host/host.ts:12:3`. Only lines below the message are looked at,
 * for a message can look like a stack.
 */
function places(error: Error): string[] {
  const stack: unknown = error.stack;
  const message: unknown = error.message;
  if (typeof stack !== 'string' || typeof message !== 'string') return [];
  const start = stack.indexOf(message);
  if (start < 0 || stack.slice(0, start).includes('\n')) return [];
  return stack
    .slice(start + message.length)
    .split('\n')
    .filter((line) => line.startsWith('    at ') && line.length <= 1000)
    .map((line) => PLACE.exec(line)?.[1] ?? '')
    .filter((place) => place !== '' && !place.split('/').some(couldBeSecret))
    .slice(0, MAX_PLACES);
}

/** The end of a line of a stack; lower case only, as base64 never is. */
const PLACE =
  /((?:node:|\b(?:src|dist|test|bench|scripts|bin|node_modules)\/)[a-z0-9@._/-]+:\d+:\d+)\)?$/;

function systemCode(error: Error): Record<string, string> {
  return 'code' in error && typeof error.code === 'string' && FORMS.code(error.code)
    ? { code: error.code }
    : {};
}

function matches(form: RegExp): (value: LogValue) => boolean {
  return (value) => typeof value === 'string' && form.test(value);
}

function isU64(value: LogValue): boolean {
  return typeof value === 'bigint' && value >= 0n && value < 1n << 64n;
}
