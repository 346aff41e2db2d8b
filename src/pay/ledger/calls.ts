/**
 * The call machine: judges a call of a session, then charges or releases it. Every way in which a
 * call can be repeated, reordered or cut is decided here.
 * @module
 */
import { ZERO_MSAT, addMsat, type Msat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
import { nextShareMsat } from '../price/index.ts';
import {
  NO_CALLS,
  reservedOf,
  withCalls,
  type CallEntry,
  type CallsImage,
  type LineCharge,
} from './entry.ts';
import { MAX_RERUNS } from '../tick/index.ts';
import { CALL_WINDOW_SIZE, MAX_RUNNING_CALLS } from './limits.ts';
import { creditOf, lineLeft, type SessionRow } from './row.ts';
import type { CallRequest, Effect } from './session.ts';

/** Why a call is refused, in order of precedence. Each is a fault code of the same name. */
export const CALL_REFUSALS = [
  'SESSION_UNPAID',
  'CALL_FORGOTTEN',
  'CALL_WINDOW',
  'CALL_CONFLICT',
  'CALL_OUTCOME_UNKNOWN',
  'CALL_FAILED',
  'CALL_RERUNS',
  'SESSION_EXPIRED',
  'SESSION_EXHAUSTED',
  'CALL_BUSY',
] as const;
/** Why a call is refused. */
export type CallRefusal = (typeof CALL_REFUSALS)[number];

/** Where the answer to a call is, if there is one. */
export type AnswerPlace =
  /** The call, or its rerun, is under way or waits for its commit. */
  | 'pending'
  /** In memory. */
  | 'held'
  | 'gone';

/** What the machine is asked: everything it may look at. */
export interface CallInput {
  /** The durable row, for its terms and its money. */
  readonly row: SessionRow;
  /** The calls as they are in memory. */
  readonly calls: CallsImage;
  readonly request: CallRequest;
  readonly effect: Effect;
  readonly answer: AnswerPlace;
  readonly nowMs: UnixMs;
}

/** What to do with a call. `calls` replaces the calls in memory, also when it is refused. */
export type Judgement = { readonly calls: CallsImage } & (
  | { readonly kind: 'run'; readonly priceMsat: Msat }
  /** It is under way: wait for its answer. */
  | { readonly kind: 'join' }
  /** It was charged: the answer is in memory (effect none or once) or in the store (once). */
  | { readonly kind: 'repeat'; readonly chargedMsat: Msat }
  /** It was charged, its answer is gone: run it again, uncharged. */
  | { readonly kind: 'rerun'; readonly chargedMsat: Msat }
  | { readonly kind: 'refused'; readonly code: CallRefusal }
);

/** Judges a call. */
export function judgeCall(input: CallInput): Judgement {
  const { row, request } = input;
  if (row.counters.creditsPostedMsat < row.terms.totalMsat)
    return refuse(input.calls, 'SESSION_UNPAID');
  const calls = withDone(input.calls, request.done);
  if (request.n < calls.done) return refuse(calls, 'CALL_FORGOTTEN');
  if (request.n >= calls.done + CALL_WINDOW_SIZE) return refuse(calls, 'CALL_WINDOW');
  const entry = entryOf(calls, request.n);
  return entry === undefined ? judgeNew(input, calls) : judgeKnown(input, calls, entry);
}

function judgeKnown(input: CallInput, calls: CallsImage, entry: CallEntry): Judgement {
  if (entry.digest !== input.request.digest) return refuse(calls, 'CALL_CONFLICT');
  if (input.answer === 'pending') return { kind: 'join', calls };
  switch (entry.kind) {
    case 'reserved':
    case 'started':
      return { kind: 'join', calls };
    case 'unknown':
      return refuse(calls, 'CALL_OUTCOME_UNKNOWN');
    case 'failed':
      return refuse(calls, 'CALL_FAILED');
    case 'charged': {
      const chargedMsat = entry.amountMsat;
      if (input.answer === 'held' || entry.effect === 'once')
        return { kind: 'repeat', calls, chargedMsat };
      if (entry.reruns >= MAX_RERUNS) return refuse(calls, 'CALL_RERUNS');
      const tried = withEntry(calls, { ...entry, reruns: entry.reruns + 1 });
      return { kind: 'rerun', calls: tried, chargedMsat };
    }
  }
}

/**
 * Judges a call again whose outcome was unknown, once it is known: it runs, or is charged, like a
 * new one. It has to be `unknown`.
 */
export function resumeCall(input: CallInput): Judgement {
  const { calls, request } = input;
  if (entryOf(calls, request.n)?.kind !== 'unknown') {
    throw new Error(`invariant: the outcome of call ${request.n} is unknown`);
  }
  return judgeNew(input, { ...calls, entries: without(calls, request.n) });
}

function judgeNew(input: CallInput, calls: CallsImage): Judgement {
  const { row, request, effect } = input;
  const bought = row.bought ?? row.terms;
  if (input.nowMs >= bought.expiresAtMs) return refuse(calls, 'SESSION_EXPIRED');
  const line = bought.lines && lineOf(bought.lines, request);
  const left = lineLeft(bought, calls, line);
  if (left.calls < 1) return refuse(calls, 'SESSION_EXHAUSTED');
  const priceMsat = nextShareMsat(left.msat, left.calls);
  const reserved = reservedOf(calls.entries);
  // Money can be missing although calls are left: it was refunded.
  if (priceMsat > creditOf(row, calls, reserved.msat)) return refuse(calls, 'SESSION_EXHAUSTED');
  if (reserved.calls >= MAX_RUNNING_CALLS) return refuse(calls, 'CALL_BUSY');
  const { n, digest } = request;
  const kind = effect === 'once' ? 'started' : 'reserved';
  const plain: CallEntry = { n, digest, kind, effect, amountMsat: priceMsat, reruns: 0 };
  const entry = line === undefined ? plain : { ...plain, line };
  return { kind: 'run', calls: withEntry(calls, entry), priceMsat };
}

function lineOf(lines: readonly { readonly service: string }[], { service }: CallRequest): number {
  const line = lines.findIndex((one) => one.service === service);
  if (line < 0) throw new Error('invariant: a call is of a service of its session');
  return line;
}

/** The call returned: its reservation becomes a charge. The entry must be running. */
export function chargeCall(calls: CallsImage, n: bigint): CallsImage {
  const entry = runningEntry(calls, n);
  const charged: CallEntry = { ...entry, kind: 'charged' };
  const entries = n < calls.done ? without(calls, n) : withEntry(calls, charged).entries;
  const after = { ...oneMore(calls, entry.amountMsat), done: calls.done, entries };
  if (entry.line === undefined) return after;
  return { ...after, lines: chargedLines(calls.lines ?? [], entry.line, entry.amountMsat) };
}

function oneMore({ chargedMsat, chargedCalls }: LineCharge, amountMsat: Msat): LineCharge {
  return { chargedMsat: addMsat(chargedMsat, amountMsat), chargedCalls: chargedCalls + 1 };
}

function chargedLines(
  lines: readonly LineCharge[],
  line: number,
  amountMsat: Msat,
): readonly LineCharge[] {
  return Array.from({ length: Math.max(lines.length, line + 1) }, (_, i) => {
    const { chargedMsat, chargedCalls } = lines[i] ?? NO_CALLS;
    const before = { chargedMsat, chargedCalls };
    return i === line ? oneMore(before, amountMsat) : before;
  });
}

/**
 * The call did not return: its reservation is credit again. Its number is dead: a message with it
 * that comes late, or is sent again by somebody else, must not run what the payer was told had
 * failed. With `trace` false nothing remains: the call was cut by us, and the payer sends it again.
 */
export function releaseCall(calls: CallsImage, n: bigint, trace: boolean): CallsImage {
  const entry = runningEntry(calls, n);
  if (!trace || n < calls.done) return { ...calls, entries: without(calls, n) };
  return withEntry(calls, { ...entry, kind: 'failed', amountMsat: ZERO_MSAT });
}

/** A rerun returned the answer: there will be no other. */
export function rerunAnswered(calls: CallsImage, n: bigint): CallsImage {
  const entry = entryOf(calls, n);
  return entry === undefined ? calls : withEntry(calls, { ...entry, reruns: MAX_RERUNS });
}

/**
 * After a crash: what was started has an unknown outcome and holds no money. Returns the same
 * object when there is nothing to change.
 */
export function recoverCalls(calls: CallsImage): CallsImage {
  if (!calls.entries.some((entry) => entry.kind === 'started')) return calls;
  const entries = calls.entries
    .map((entry): CallEntry =>
      entry.kind === 'started' ? { ...entry, kind: 'unknown', amountMsat: ZERO_MSAT } : entry,
    )
    .filter((entry) => entry.n >= calls.done);
  return { ...calls, entries };
}

/** The entry of a number, if the session remembers one. */
export function entryOf({ entries }: CallsImage, n: bigint): CallEntry | undefined {
  const entry = entries[placeOf(entries, n)];
  return entry?.n === n ? entry : undefined;
}

function refuse(calls: CallsImage, code: CallRefusal): Judgement {
  return { kind: 'refused', calls, code };
}

/** Forgets what the payer has resolved, except what still runs. */
function withDone(calls: CallsImage, done: bigint): CallsImage {
  if (done <= calls.done) return calls;
  const at = placeOf(calls.entries, done);
  const running = calls.entries
    .slice(0, at)
    .filter(({ kind }) => kind === 'reserved' || kind === 'started');
  const entries = [...running, ...calls.entries.slice(at)];
  return { ...withCalls(calls, entries), done };
}

function runningEntry(calls: CallsImage, n: bigint): CallEntry {
  const entry = entryOf(calls, n);
  if (entry?.kind !== 'reserved' && entry?.kind !== 'started') {
    throw new Error(`invariant: call ${n} is not running`);
  }
  return entry;
}

function withEntry(calls: CallsImage, entry: CallEntry): CallsImage {
  const at = placeOf(calls.entries, entry.n);
  const entries = calls.entries.slice();
  entries.splice(at, entries[at]?.n === entry.n ? 1 : 0, entry);
  return withCalls(calls, entries);
}

function without({ entries }: CallsImage, n: bigint): CallEntry[] {
  const at = placeOf(entries, n);
  return entries[at]?.n === n ? entries.toSpliced(at, 1) : entries.slice();
}

/** Where a number stands, or would stand: entries are in the order of their numbers. */
function placeOf(entries: readonly CallEntry[], n: bigint): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.n ?? n) < n) low = middle + 1;
    else high = middle;
  }
  return low;
}
