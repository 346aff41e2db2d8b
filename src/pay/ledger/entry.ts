/**
 * What a session remembers about its calls, and the bytes in which it is stored.
 * @module
 */
import { fromHex, readU64, toHex, u64, type Bytes } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { ZERO_MSAT, addMsat, msat, type Msat } from '../../base/money/index.ts';
import { MAX_ENTRIES } from './limits.ts';
import type { Effect } from './session.ts';

/**
 * - `reserved`: running, effect none; in memory only, a crash leaves nothing of it.
 * - `started`: running, effect once; stored with its reservation before the handler runs.
 * - `charged`: done and paid for.
 * - `unknown`: it was `started` when the host crashed; not charged, never run again.
 */
export type EntryKind = 'reserved' | 'started' | 'charged' | 'unknown';

/** One call that a session remembers. */
export interface CallEntry {
  readonly n: bigint;
  /** First 16 bytes of the request's hash, hex. */
  readonly digest: string;
  readonly kind: EntryKind;
  readonly effect: Effect;
  /** Reserved or charged; zero for `unknown`. */
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
  const entries = calls.entries.filter((entry) => entry.kind !== 'reserved');
  return { chargedMsat, chargedCalls, done, entries };
}

const VERSION = 1;
const HEAD_BYTES = 9;
const ENTRY_BYTES = 33;
/** Kept in the database: append only. `reserved` is never stored. */
const STORED_KINDS = ['charged:none', 'charged:once', 'started:once', 'unknown:once'] as const;
const STORED: Record<(typeof STORED_KINDS)[number], Pick<CallEntry, 'kind' | 'effect'>> = {
  'charged:none': { kind: 'charged', effect: 'none' },
  'charged:once': { kind: 'charged', effect: 'once' },
  'started:once': { kind: 'started', effect: 'once' },
  'unknown:once': { kind: 'unknown', effect: 'once' },
};

/**
 * `done` and the entries as bytes: version (1), done (8), then per entry n (8), digest (16), kind
 * (1), amount (8). Big endian. Reruns are counted in memory only: a crash that lost an answer gives
 * the payer another one.
 */
export function encodeEntries(image: Pick<CallsImage, 'done' | 'entries'>): Bytes {
  const bytes = new Uint8Array(HEAD_BYTES + image.entries.length * ENTRY_BYTES);
  bytes[0] = VERSION;
  bytes.set(u64(image.done), 1);
  for (const [i, entry] of image.entries.entries()) {
    const at = HEAD_BYTES + i * ENTRY_BYTES;
    const kind = STORED_KINDS.findIndex((name) => name === `${entry.kind}:${entry.effect}`);
    if (kind < 0) throw new Fault('STORE_FAILED', { reason: `a ${entry.kind} call is not stored` });
    bytes.set(u64(entry.n), at);
    bytes.set(fromHex(entry.digest, 'digest'), at + 8);
    bytes[at + 24] = kind;
    bytes.set(u64(entry.amountMsat), at + 25);
  }
  return bytes;
}

/** What `encodeEntries` wrote. @throws Fault `STORE_CORRUPT` for anything else */
export function decodeEntries(bytes: Uint8Array): Pick<CallsImage, 'done' | 'entries'> {
  const count = (bytes.length - HEAD_BYTES) / ENTRY_BYTES;
  if (bytes[0] !== VERSION || !Number.isInteger(count) || count < 0 || count > MAX_ENTRIES) {
    throw new Fault('STORE_CORRUPT', { name: 'calls of a session' });
  }
  const entries = Array.from({ length: count }, (_, i) => {
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
