/**
 * What a session remembers about its calls, and the bytes in which it is stored.
 * @module
 */
import { readU64, toHex, writeHex, type Bytes } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { ZERO_MSAT, addMsat, msat, type Msat } from '../../base/money/index.ts';
import { MAX_ENTRIES, MAX_LINES } from './limits.ts';
import type { Effect } from './session.ts';

/**
 * - `reserved`: running, effect none; in memory only, a crash leaves nothing of it.
 * - `started`: running, effect once; stored with its reservation before the handler runs.
 * - `charged`: done and paid for.
 * - `unknown`: it was `started` when the host crashed; not charged, never run again.
 * - `failed`: it ran and was not charged; never run again under its number. Stored for effect once,
 *   in memory only for effect none.
 */
export type EntryKind = 'reserved' | 'started' | 'charged' | 'unknown' | 'failed';

/** One call that a session remembers. */
export interface CallEntry {
  readonly n: bigint;
  /** First 16 bytes of the request's hash, hex. */
  readonly digest: string;
  readonly kind: EntryKind;
  readonly effect: Effect;
  /** Reserved or charged; zero for `unknown` and `failed`. */
  readonly amountMsat: Msat;
  /** Uncharged attempts to make a lost answer again; all used up once one returned it. */
  readonly reruns: number;
  /** The place of its line in a session of several services. */
  readonly line?: number;
}

/** What was charged to one line, ever. */
export interface LineCharge {
  readonly chargedMsat: Msat;
  readonly chargedCalls: number;
}

/** The part of a session's calls that is stored. Entries are in the order of their numbers. */
export interface CallsImage {
  /** Charged, ever. */
  readonly chargedMsat: Msat;
  readonly chargedCalls: number;
  /** The highest `done` that a call carried: the payer knows the outcome of all below. */
  readonly done: bigint;
  readonly entries: readonly CallEntry[];
  /** By line, in a session of several services that has charged a call. */
  readonly lines?: readonly LineCharge[];
}

/** The calls of a new session. */
export const NO_CALLS: CallsImage = {
  chargedMsat: ZERO_MSAT,
  chargedCalls: 0,
  done: 0n,
  entries: [],
};

/**
 * What running calls hold.
 * @param line those of one line only
 */
export function reservedOf(
  entries: readonly CallEntry[],
  line?: number,
): {
  readonly msat: Msat;
  readonly calls: number;
} {
  let total = ZERO_MSAT;
  let calls = 0;
  for (const entry of entries) {
    if (entry.kind !== 'reserved' && entry.kind !== 'started') continue;
    if (line !== undefined && entry.line !== line) continue;
    total = addMsat(total, entry.amountMsat);
    calls++;
  }
  return { msat: total, calls };
}

/** What is stored of a session's calls: all but what lives in memory only. */
export function imageOf(calls: CallsImage): CallsImage {
  const entries = calls.entries.filter(({ kind, effect }) => {
    return kind !== 'reserved' && !(kind === 'failed' && effect === 'none');
  });
  return withCalls(calls, entries);
}

/** The same calls with other entries. */
export function withCalls(calls: CallsImage, entries: readonly CallEntry[]): CallsImage {
  const { chargedMsat, chargedCalls, done, lines } = calls;
  const one = { chargedMsat, chargedCalls, done, entries };
  return lines === undefined ? one : { ...one, lines };
}

/** Of a session of one service, and of one of several. */
const VERSION = 1;
const VERSION_LINES = 2;
const HEAD_BYTES = 9;
const LINE_BYTES = 12;
const ENTRY_BYTES = 33;
/** Kept in the database: append only. `reserved` is never stored. */
const STORED_KINDS = [
  'charged:none',
  'charged:once',
  'started:once',
  'unknown:once',
  'failed:once',
] as const;
const STORED: Record<(typeof STORED_KINDS)[number], Pick<CallEntry, 'kind' | 'effect'>> = {
  'charged:none': { kind: 'charged', effect: 'none' },
  'charged:once': { kind: 'charged', effect: 'once' },
  'started:once': { kind: 'started', effect: 'once' },
  'unknown:once': { kind: 'unknown', effect: 'once' },
  'failed:once': { kind: 'failed', effect: 'once' },
};

type Entries = Pick<CallsImage, 'done' | 'entries' | 'lines'>;

/**
 * `done` and the entries as bytes: version (1), done (8), then per entry n (8), digest (16), kind
 * (1), amount (8). Big endian. Reruns are counted in memory only: a crash that lost an answer gives
 * the payer another one.
 *
 * With several services there is more: after `done` the number of lines (1) and per line its
 * charged calls (4) and amount (8); after each entry its line (1).
 */
export function encodeEntries({ done, entries, lines }: Entries): Bytes {
  if (lines !== undefined || entries.some((entry) => entry.line !== undefined)) {
    return encodeLines({ done, entries, lines: lines ?? [] });
  }
  const bytes = new Uint8Array(HEAD_BYTES + entries.length * ENTRY_BYTES);
  bytes[0] = VERSION;
  writeEntries(bytes, HEAD_BYTES, { done, entries }, ENTRY_BYTES);
  return bytes;
}

function encodeLines({ done, entries, lines }: Required<Entries>): Bytes {
  const head = HEAD_BYTES + 1 + lines.length * LINE_BYTES;
  const bytes = new Uint8Array(head + entries.length * (ENTRY_BYTES + 1));
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION_LINES;
  bytes[HEAD_BYTES] = lines.length;
  for (const [i, { chargedCalls, chargedMsat }] of lines.entries()) {
    view.setUint32(HEAD_BYTES + 1 + i * LINE_BYTES, chargedCalls);
    view.setBigUint64(HEAD_BYTES + 5 + i * LINE_BYTES, chargedMsat);
  }
  writeEntries(bytes, head, { done, entries }, ENTRY_BYTES + 1);
  for (const [i, { line }] of entries.entries()) {
    bytes[head + (i + 1) * (ENTRY_BYTES + 1) - 1] = line ?? 0;
  }
  return bytes;
}

function writeEntries(bytes: Uint8Array, head: number, from: Entries, entryBytes: number): void {
  const view = new DataView(bytes.buffer);
  view.setBigUint64(1, from.done);
  let at = head;
  for (const { n, digest, kind, effect, amountMsat } of from.entries) {
    view.setBigUint64(at, n);
    if (digest.length !== 32 || !writeHex(bytes, at + 8, digest)) {
      throw new Fault('BYTES_MALFORMED', { name: 'digest' });
    }
    bytes[at + 24] = storedKind(kind, effect);
    view.setBigUint64(at + 25, amountMsat);
    at += entryBytes;
  }
}

function storedKind(kind: EntryKind, effect: Effect): number {
  const stored = STORED_KINDS.findIndex((name) => {
    return STORED[name].kind === kind && STORED[name].effect === effect;
  });
  if (stored < 0) throw new Fault('STORE_FAILED', { reason: `a ${kind} call is not stored` });
  return stored;
}

const STARTED = STORED_KINDS.indexOf('started:once');
const CHARGED_NONE = STORED_KINDS.indexOf('charged:none');

/**
 * The numbers in what `encodeEntries` wrote, without decoding every entry.
 * @throws Fault `STORE_CORRUPT` when it is not that
 */
export function entriesNumbers(bytes: Uint8Array): {
  readonly done: bigint;
  readonly entryCount: number;
  /** What started calls hold. */
  readonly msat: Msat;
  readonly calls: number;
  /** Some call has effect once. */
  readonly once: boolean;
  readonly lines?: readonly LineCharge[];
} {
  const { head, entryBytes, count, lines } = shapeOf(bytes);
  let [total, calls, once] = [ZERO_MSAT, 0, false];
  for (let at = head; at < bytes.length; at += entryBytes) {
    if (bytes[at + 24] !== CHARGED_NONE) once = true;
    if (bytes[at + 24] !== STARTED) continue;
    total = addMsat(total, storedMsat(readU64(bytes, at + 25)));
    calls++;
  }
  const numbers = { done: readU64(bytes, 1), entryCount: count, msat: total, calls, once };
  return lines === undefined ? numbers : { ...numbers, lines };
}

/** Where the entries are. */
interface Shape {
  readonly head: number;
  readonly entryBytes: number;
  readonly count: number;
  readonly lines?: readonly LineCharge[];
}

function shapeOf(bytes: Uint8Array): Shape {
  const several = bytes[0] === VERSION_LINES;
  const lineCount = several ? (bytes[HEAD_BYTES] ?? 0) : 0;
  const head = several ? HEAD_BYTES + 1 + lineCount * LINE_BYTES : HEAD_BYTES;
  const entryBytes = several ? ENTRY_BYTES + 1 : ENTRY_BYTES;
  const count = (bytes.length - head) / entryBytes;
  const known = several ? lineCount <= MAX_LINES : bytes[0] === VERSION;
  if (!known || !Number.isInteger(count) || count < 0 || count > MAX_ENTRIES) {
    throw new Fault('STORE_CORRUPT', { name: 'calls of a session' });
  }
  if (lineCount === 0) return { head, entryBytes, count };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lines = Array.from({ length: lineCount }, (_, i) => {
    const at = HEAD_BYTES + 1 + i * LINE_BYTES;
    return { chargedCalls: view.getUint32(at), chargedMsat: storedMsat(readU64(bytes, at + 4)) };
  });
  return { head, entryBytes, count, lines };
}

/** What `encodeEntries` wrote. @throws Fault `STORE_CORRUPT` for anything else */
export function decodeEntries(bytes: Uint8Array): Entries {
  const { head, entryBytes, count, lines } = shapeOf(bytes);
  const entries = Array.from({ length: count }, (_, i) => {
    const at = head + i * entryBytes;
    const entry = decodeEntry(bytes.subarray(at, at + ENTRY_BYTES));
    if (entryBytes === ENTRY_BYTES) return entry;
    return { ...entry, line: bytes[at + ENTRY_BYTES] ?? 0 };
  });
  if (entries.some((entry, i) => i > 0 && entry.n <= (entries[i - 1]?.n ?? 0n))) {
    throw new Fault('STORE_CORRUPT', { name: 'order of calls' });
  }
  const decoded = { done: readU64(bytes, 1), entries };
  return lines === undefined ? decoded : { ...decoded, lines };
}

function decodeEntry(bytes: Uint8Array): CallEntry {
  const name = STORED_KINDS[bytes[24] ?? 0];
  const amount = readU64(bytes, 25);
  if (name === undefined) throw new Fault('STORE_CORRUPT', { name: 'kind of a call' });
  return {
    n: readU64(bytes, 0),
    digest: toHex(bytes.subarray(8, 24)),
    ...STORED[name],
    amountMsat: storedMsat(amount),
    reruns: 0,
  };
}

function storedMsat(amount: bigint): Msat {
  try {
    return msat(amount);
  } catch (error) {
    throw new Fault('STORE_CORRUPT', { name: 'amount of a call' }, error);
  }
}
