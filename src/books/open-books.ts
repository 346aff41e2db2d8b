/**
 * Opens the books of a host over its store.
 * @module
 */
import { fromHex, u64 } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import type { Log } from '../base/log/index.ts';
import { unixMs, type Clock, type UnixMs } from '../base/time/index.ts';
import {
  recoverCalls,
  sessionAccount,
  stateOf,
  withReserved,
  type CallRequest,
  type Effect,
  type SessionTerms,
  type Sheet,
  type Transfer,
} from '../pay/ledger/index.ts';
import type { GroupRefusal, HostStore } from '../port/store/index.ts';
import { admitCall, type AdmitContext } from './admit.ts';
import { AnswerFifo } from './answers.ts';
import type { Admission, Books, Payment, Received, Session } from './books.ts';
import { HotSessions, unstoredMsat, type HotSession } from './hot-session.ts';
import { BOOKS_LIMITS, type BooksLimits } from './limits.ts';
import { UnpaidSessions } from './unpaid.ts';
import { Writer } from './writer.ts';

/** What the books need. */
export interface BooksOptions {
  /** The books own it from now on and close it. */
  readonly store: HostStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<BooksLimits>;
  /**
   * Called once, when a commit failed or its outcome is unknown: stop the process and start again.
   * Until then every method rejects with Fault `HOST_BROKEN`.
   */
  readonly onBroken?: (fault: Fault) => void;
}

/**
 * Opens the books. Calls that a crash has cut get their outcome first: unknown, and not charged.
 * @throws the faults of the store
 */
export async function openBooks(options: BooksOptions): Promise<Books> {
  const { store, clock, log } = options;
  const started = await store.startedSessions();
  if (started.length > 0) {
    const images = started.map(({ terms, version, calls }) => ({
      images: [{ session: terms.session, version, calls: recoverCalls(calls) }],
    }));
    const results = await store.commit(images);
    if (results.some(({ code }) => code !== 'ok')) throw new Fault('STORE_FAILED');
    log.warn('calls were cut by a crash; they are not charged', { count: started.length });
  }
  const unpaid = new UnpaidSessions(await store.unpaidSessions(clock.now()));
  return new HostBooks(options, unpaid, await store.walletCursor());
}

class HostBooks implements Books {
  readonly #store: HostStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #writer: Writer;
  readonly #hot: HotSessions;
  readonly #loading = new Map<string, Promise<boolean>>();
  readonly #unpaid: UnpaidSessions;
  readonly #admit: AdmitContext;
  #cursor: bigint;
  #latestMs = unixMs(0);
  #closed = false;

  constructor(
    { store, clock, log, limits, onBroken }: BooksOptions,
    unpaid: UnpaidSessions,
    cursor: bigint,
  ) {
    const { hotSessions, answerBytes } = { ...BOOKS_LIMITS, ...limits };
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#unpaid = unpaid;
    this.#cursor = cursor;
    this.#hot = new HotSessions(hotSessions);
    this.#writer = new Writer(store, (fault) => {
      log.error('a commit failed; all answers are withheld', {}, fault);
      this.#rejectPending(fault);
      onBroken?.(fault);
    });
    const answers = new AnswerFifo(answerBytes);
    this.#admit = { store, writer: this.#writer, answers, check: () => this.#check() };
  }

  async open(terms: SessionTerms): Promise<Session> {
    this.#check();
    const before = await this.sessionBySetup(terms.setup);
    if (before !== undefined) return before;
    this.#check();
    this.#unpaid.add(terms);
    const { code } = await this.#writer.group({ open: terms });
    if (code === 'ok') return this.#with(terms.session, toSession, invariantDeleted);
    this.#unpaid.delete(terms.session);
    const other = code === 'setup_exists' ? await this.sessionBySetup(terms.setup) : undefined;
    if (other === undefined) throw openFault(code);
    return other;
  }

  async session(session: string): Promise<Session | undefined> {
    return this.#with(session, toSession, () => undefined);
  }

  async sessionBySetup(setup: string): Promise<Session | undefined> {
    this.#check();
    const row = await this.#store.sessionBySetup(setup);
    return row && this.session(row.terms.session);
  }

  unpaidCount(nowMs: UnixMs): number {
    return this.#unpaid.count(nowMs);
  }

  async received(payment: Payment): Promise<Received> {
    this.#check();
    const row = await this.#store.sessionByPaymentHash(payment.paymentHash);
    this.#check();
    if (row === undefined) return this.#receive(payment, undefined);
    // In memory first: its version changes with the payment.
    return this.#with(row.terms.session, (hot) => this.#receive(payment, hot), invariantDeleted);
  }

  walletCursor(): bigint {
    return this.#cursor;
  }

  async admit(session: string, request: CallRequest, effect: Effect): Promise<Admission> {
    checkRequest(request);
    const admit = (hot: HotSession): Promise<Admission> =>
      admitCall(this.#admit, { hot, request, effect }, this.#now());
    return this.#with(session, admit, () => {
      throw new Fault('SESSION_UNKNOWN');
    });
  }

  async sheet(): Promise<Sheet> {
    this.#check();
    return this.#writer.between(async () => {
      const stored = await this.#store.sheet();
      let moreMsat = 0n;
      for (const hot of this.#hot.all()) if (hot.pins > 0) moreMsat += unstoredMsat(hot);
      return withReserved(stored, moreMsat);
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writer.idle();
    this.#rejectPending(new Fault('HOST_STOPPING'));
    await this.#store.close();
  }

  async #receive(payment: Payment, hot: HotSession | undefined): Promise<Received> {
    const { paymentHash, cursor } = payment;
    const transfer = receipt(payment, hot);
    const result = await this.#writer.group({ transfers: [transfer], cursor }, hot);
    if (result.code === 'ok') {
      this.#advance(cursor);
      if (hot === undefined) return 'unattributed';
      if (stateOf(hot.row, hot.calls).paid) this.#unpaid.delete(hot.row.terms.session);
      return 'credited';
    }
    if (!result.code.startsWith('exists')) throw new Fault('MONEY_RANGE', { reason: result.code });
    if (result.code === 'exists_with_different_amount') {
      this.#log.error('a payment was reported twice with different amounts', {
        paymentHash,
        amountMsat: payment.receivedMsat,
      });
    }
    await this.#writer.group({ cursor });
    this.#advance(cursor);
    return 'exists';
  }

  /**
   * Uses a session that is in memory, or is read into it first. `use` is called in the same turn as
   * the last look at the memory and has to pin the session before its first await: else it could be
   * dropped, and read a second time while the first one is still used.
   */
  async #with<T, U>(
    session: string,
    use: (hot: HotSession) => T | Promise<T>,
    unknown: () => U,
  ): Promise<T | U> {
    for (;;) {
      this.#check();
      const hot = this.#hot.get(session);
      if (hot !== undefined) return use(hot);
      if (!(await (this.#loading.get(session) ?? this.#read(session)))) return unknown();
    }
  }

  #read(session: string): Promise<boolean> {
    const reading = this.#store
      .session(session)
      .then((row) => {
        if (row !== undefined) this.#hot.add(row);
        return row !== undefined;
      })
      .finally(() => this.#loading.delete(session));
    this.#loading.set(session, reading);
    return reading;
  }

  #advance(cursor: bigint): void {
    if (cursor > this.#cursor) this.#cursor = cursor;
  }

  /** The time; when the clock goes back, it stands still here: what has expired stays expired. */
  #now(): UnixMs {
    const now = this.#clock.now();
    if (now > this.#latestMs) this.#latestMs = now;
    return this.#latestMs;
  }

  #check(): void {
    const fault = this.#writer.broken;
    if (fault !== undefined) throw new Fault('HOST_BROKEN', {}, fault);
    if (this.#closed) throw new Fault('HOST_STOPPING');
  }

  #rejectPending(fault: Fault): void {
    for (const hot of this.#hot.all()) {
      for (const pending of hot.pending.values()) pending.reject(fault);
    }
  }
}

function toSession({ row, calls }: HotSession): Session {
  return { terms: row.terms, state: stateOf(row, calls) };
}

function invariantDeleted(): never {
  throw new Error('invariant: a session is never deleted');
}

/** Money that came in, named by its payment hash: it is booked once. */
function receipt(payment: Payment, hot: HotSession | undefined): Transfer {
  return {
    id: payment.paymentHash,
    kind: 'posted',
    debit: 'received',
    credit: hot === undefined ? 'unattributed' : sessionAccount(hot.row.terms.session),
    amountMsat: payment.receivedMsat,
    reason: 'receive',
    atMs: payment.paidAtMs,
  };
}

/** @throws Fault `BYTES_LENGTH`, `BYTES_MALFORMED`: such numbers could not be stored */
function checkRequest({ n, done, digest }: CallRequest): void {
  u64(n);
  u64(done);
  if (fromHex(digest, 'digest').length !== 16) throw new Fault('BYTES_LENGTH', { name: 'digest' });
}

function openFault(code: GroupRefusal): Fault {
  return code === 'payment_hash_exists'
    ? new Fault('INVOICE_HASH_USED')
    : new Fault('HOST_BROKEN', { reason: code });
}
