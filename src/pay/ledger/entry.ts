/**
 * What a session remembers about its calls, and the bytes in which it is stored.
 * @module
 */
import { readU64, toHex, writeHex, type Bytes } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { ZERO_MSAT, addMsat, msat, type Msat } from '../../base/money/index.ts';
import { MAX_ENTRIES } from './limits.ts';
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
}

/** The part of a session's calls that is stored. Entries are in the order of their numbers. */
export interface CallsImage {
  /** Charged, ever. */
  readonly chargedMsat: Msat;
  readonly chargedCalls: number;
  /** The highest `done` that a call carried: the payer knows the outcome of all below. */
  readonly done: bigint;
  readonly entries: readonly CallEntry[];
}

/** The calls of a new session. */
export const NO_CALLS: CallsImage = {
  chargedMsat: ZERO_MSAT,
  chargedCalls: 0,
  done: 0n,
  entries: [],
};

/** What running calls hold. */
export function reservedOf(entries: readonly CallEntry[]): {
  readonly msat: Msat;
  readonly calls: number;
} {
  let total = ZERO_MSAT;
  let calls = 0;
  for (const entry of entries) {
    if (entry.kind !== 'reserved' && entry.kind !== 'started') continue;
    total = addMsat(total, entry.amountMsat);
    calls++;
  }
  return { msat: total, calls };
}

/** What is stored of a session's calls: all but what lives in memory only. */
export function imageOf(calls: CallsImage): CallsImage {
  const { chargedMsat, chargedCalls, done } = calls;
  const entries = calls.entries.filter(({ kind, effect }) => {
    return kind !== 'reserved' && !(kind === 'failed' && effect === 'none');
  });
  return { chargedMsat, chargedCalls, done, entries };
}

const VERSION = 1;
const HEAD_BYTES = 9;
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

/**
 * `done` and the entries as bytes: version (1), done (8), then per entry n (8), digest (16), kind
 * (1), amount (8). Big endian. Reruns are counted in memory only: a crash that lost an answer gives
 * the payer another one.
 */
export function encodeEntries({ done, entries }: Pick<CallsImage, 'done' | 'entries'>): Bytes {
  const bytes = new Uint8Array(HEAD_BYTES + entries.length * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  view.setBigUint64(1, done);
  let at = HEAD_BYTES;
  for (const { n, digest, kind, effect, amountMsat } of entries) {
    view.setBigUint64(at, n);
    if (digest.length !== 32 || !writeHex(bytes, at + 8, digest)) {
      throw new Fault('BYTES_MALFORMED', { name: 'digest' });
    }
    bytes[at + 24] = storedKind(kind, effect);
    view.setBigUint64(at + 25, amountMsat);
    at += ENTRY_BYTES;
  }
  return bytes;
}

function storedKind(kind: EntryKind, effect: Effect): number {
  const stored = STORED_KINDS.findIndex((name) => {
    return STORED[name].kind === kind && STORED[name].effect === effect;
  });
  if (stored < 0) throw new Fault('STORE_FAILED', { reason: `a ${kind} call is not stored` });
  return stored;
}

const STARTED = STORED_KINDS.indexOf('started:once');

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
} {
  const entryCount = countOf(bytes);
  let [total, calls] = [ZERO_MSAT, 0];
  for (let at = HEAD_BYTES; at < bytes.length; at += ENTRY_BYTES) {
    if (bytes[at + 24] !== STARTED) continue;
    total = addMsat(total, storedMsat(readU64(bytes, at + 25)));
    calls++;
  }
  return { done: readU64(bytes, 1), entryCount, msat: total, calls };
}

function countOf(bytes: Uint8Array): number {
  const count = (bytes.length - HEAD_BYTES) / ENTRY_BYTES;
  if (bytes[0] !== VERSION || !Number.isInteger(count) || count < 0 || count > MAX_ENTRIES) {
    throw new Fault('STORE_CORRUPT', { name: 'calls of a session' });
  }
  return count;
}

/** What `encodeEntries` wrote. @throws Fault `STORE_CORRUPT` for anything else */
export function decodeEntries(bytes: Uint8Array): Pick<CallsImage, 'done' | 'entries'> {
  const entries = Array.from({ length: countOf(bytes) }, (_, i) => {
    const at = HEAD_BYTES + i * ENTRY_BYTES;
    return decodeEntry(bytes.subarray(at, at + ENTRY_BYTES));
  });
  if (entries.some((entry, i) => i > 0 && entry.n <= (entries[i - 1]?.n ?? 0n))) {
    throw new Fault('STORE_CORRUPT', { name: 'order of calls' });
  }
  return { done: readU64(bytes, 1), entries };
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
