/**
 * The one error class that crosses a module boundary, and its form on the wire.
 * @module
 */
import type { FaultRow, MoneyState, Retry } from './row.ts';
import { FAULTS, type FaultCode } from './table.ts';

/** Facts that go with a fault: names and plain values only, never a secret. */
export type FaultDetail = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** A problem document (RFC 9457) with the members that tollcall adds. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly retry: Retry;
  readonly money: MoneyState;
  readonly detail?: string;
  readonly facts?: FaultDetail;
}

/** A refusal or failure with a stable code. Read `code`, never the message. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  readonly facts: FaultDetail;

  /**
   * @param code the stable code
   * @param facts plain values that help the caller, without secrets
   * @param cause the error that led here; it is never sent to a peer
   */
  constructor(code: FaultCode, facts: FaultDetail = {}, cause?: unknown) {
    super(sentence(code, facts), cause === undefined ? undefined : { cause });
    this.code = code;
    this.facts = facts;
  }

  /** The row of the table: status, retry, money, title. */
  get row(): FaultRow {
    return FAULTS[this.code];
  }
}

/** True for a Fault of this copy of the package or of another one. */
export function isFault(error: unknown): error is Fault {
  if (error instanceof Fault) return true;
  return (
    error instanceof Error && error.name === 'Fault' && 'code' in error && isFaultCode(error.code)
  );
}

/** True when the value is a code of the table. */
export function isFaultCode(value: unknown): value is FaultCode {
  return typeof value === 'string' && Object.hasOwn(FAULTS, value);
}

/** The fault itself, or `fallback` with the error as its cause: for the outermost edge only. */
export function asFault(error: unknown, fallback: FaultCode = 'HOST_BROKEN'): Fault {
  return isFault(error) ? error : new Fault(fallback, {}, error);
}

/** What the areas of a host's faults are called; the other areas are somebody's own affairs. */
const HOST_AREAS = new Set(
  'MONEY BYTES JSON REQUEST SERVICE SETUP TOPUP CODE SESSION LANE TICK CALL REFUND'.split(' '),
);
const HOST_CODES: ReadonlySet<string> = new Set(['HOST_STOPPING', 'HOST_BROKEN', 'HOST_WALLET']);

/**
 * True for a code that a host may say to a payer. Its wallet's or store's faults would read as the
 * payer's own, and only the payer can know that it got no answer.
 */
export function isHostCode(code: FaultCode): boolean {
  const area = code.slice(0, code.indexOf('_'));
  return HOST_CODES.has(code) || (HOST_AREAS.has(area) && code !== 'CALL_UNANSWERED');
}

/** The fault as a problem document (RFC 9457). */
export function toProblem(fault: Fault): Problem {
  const { status, title, retry, money } = fault.row;
  const type = `urn:tollcall:problem:${fault.code}`;
  const facts = Object.keys(fault.facts).length === 0 ? {} : { facts: fault.facts };
  return { type, title, status, code: fault.code, retry, money, detail: fault.message, ...facts };
}

/**
 * The fault a host reported. What a host may not say becomes `HOST_MALFORMED`: nobody is believed
 * blindly.
 */
export function fromProblem(value: unknown): Fault {
  if (typeof value !== 'object' || value === null || !('code' in value)) {
    return new Fault('HOST_MALFORMED');
  }
  if (!isFaultCode(value.code) || !isHostCode(value.code)) {
    const code = typeof value.code === 'string' ? printable(value.code) : typeof value.code;
    return new Fault('HOST_MALFORMED', { code });
  }
  return new Fault(value.code, 'facts' in value ? plainFacts(value.facts) : {});
}

/** A peer's facts beyond this are left out; so are those with a strange name. */
const MAX_FACTS = 16;
const FACT_NAME = /^[a-z][A-Za-z_]{0,31}$/;

function plainFacts(value: unknown): FaultDetail {
  if (typeof value !== 'object' || value === null) return {};
  const plain: [string, FaultDetail[string]][] = [];
  for (const [key, fact] of Object.entries(value).slice(0, MAX_FACTS)) {
    // What to do next is our advice, never a peer's.
    if (!FACT_NAME.test(key) || key === 'next') continue;
    if (typeof fact === 'string') plain.push([key, printable(fact)]);
    else if (typeof fact === 'number' || typeof fact === 'boolean') plain.push([key, fact]);
    else if (isTexts(fact)) plain.push([key, fact.slice(0, MAX_FACTS).map(printable)]);
  }
  return Object.fromEntries(plain);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** A peer's text, cut and without control characters, so that it can be shown on a terminal. */
function printable(text: string): string {
  return text.slice(0, 200).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}

function sentence(code: FaultCode, facts: FaultDetail): string {
  const list = Object.entries(facts).map(([key, fact]) => `${key} ${String(fact)}`);
  return list.length === 0 ? FAULTS[code].title : `${FAULTS[code].title} (${list.join(', ')})`;
}
