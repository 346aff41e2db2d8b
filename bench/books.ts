/**
 * The books alone: admit and charge, 64 under way, durably. The file in a thread of its own against
 * the file in the same thread.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../src/base/log/index.ts';
import { msat } from '../src/base/money/index.ts';
import { systemClock, unixMs } from '../src/base/time/index.ts';
import { openBooks, type Books } from '../src/books/index.ts';
import type { SessionTerms } from '../src/pay/ledger/index.ts';
import { openHostStore } from '../src/port/store/index.ts';
import { interleave, perSecond, ratio, type Contender, type Row, type Size } from './harness.ts';

const SESSIONS = 8;
const PER_SESSION = 8;
const CALLS = 10_000_000;
const BODY = new Uint8Array(11);
const DIGEST = 'ab'.repeat(16);

/** Measures and gives the rows. */
export async function benchBooks(size: Size): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-bench-'));
  const opened: Books[] = [];
  try {
    const contenders: Contender[] = [];
    for (const thread of [true, false]) {
      const store = await openHostStore({ file: join(dir, `${String(thread)}.db`), thread });
      const books = await openBooks({ store, clock: systemClock, log: silentLog });
      opened.push(books);
      for (let i = 0; i < SESSIONS; i++) await openPaid(books, termsOf(i));
      contenders.push(contender(thread ? 'books, threaded' : 'books, in process', books));
    }
    const found = await interleave(contenders, size);
    const value = ratio(found, ['books, threaded', 'books, in process'], perSecond);
    const against = 'the same with the file in the same thread';
    const name = 'charges per second of the books, threaded';
    return [{ name, against, value, aim: 1, better: 'higher' }];
  } finally {
    for (const books of opened) await books.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function contender(name: string, books: Books): Contender {
  let first = 0n;
  return {
    name,
    turn: async (count) => {
      const each = BigInt(Math.ceil(count / (SESSIONS * PER_SESSION)) * PER_SESSION);
      const [from, cpu, startMs] = [first, process.cpuUsage(), performance.now()];
      first += each;
      await Promise.all(
        Array.from({ length: SESSIONS }, (_, i) => useSession(books, hex(i, 32), from, first)),
      );
      const wallMs = performance.now() - startMs;
      const { user, system } = process.cpuUsage(cpu);
      return { count: Number(each) * SESSIONS, wallMs, cpuMs: (user + system) / 1000 };
    },
  };
}

/** Calls `from` to `to` of one session, eight at a time. */
async function useSession(books: Books, session: string, from: bigint, to: bigint): Promise<void> {
  const open = new Set<bigint>();
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) {
      const n = next++;
      open.add(n);
      const done = open.values().next().value ?? n;
      const admission = await books.admitNow(session, { n, done, digest: DIGEST }, 'none');
      if (admission.kind !== 'run')
        throw new Error(`a new call is to run, not to ${admission.kind}`);
      await admission.charge(BODY);
      open.delete(n);
    }
  };
  await Promise.all(Array.from({ length: PER_SESSION }, worker));
}

async function openPaid(books: Books, terms: SessionTerms): Promise<void> {
  await books.open(terms);
  const { paymentHash, totalMsat: receivedMsat } = terms;
  const paidAtMs = systemClock.now();
  await books.received({ paymentHash, receivedMsat, paidAtMs, cursor: books.walletCursor() + 1n });
}

function termsOf(i: number): SessionTerms {
  return {
    session: hex(i, 32),
    service: 'work',
    calls: CALLS,
    totalMsat: msat(BigInt(CALLS)),
    paymentHash: hex(i, 64),
    openedAtMs: systemClock.now(),
    payByMs: unixMs(systemClock.now() + 600_000),
    expiresAtMs: unixMs(systemClock.now() + 86_400_000),
    setup: hex(i, 64),
    payer: hex(1, 64),
    codeKey: new Uint8Array(32),
    reply: new Uint8Array(0),
  };
}

function hex(i: number, length: number): string {
  return i.toString(16).padStart(length, '0');
}
