/**
 * Opens the books of a host over its store.
 * @module
 */
import { fromHex, u64Value } from '../base/bytes/index.ts';
import { Fault, type FaultDetail } from '../base/fault/index.ts';
import { ZERO_MSAT } from '../base/money/index.ts';
import type { Log } from '../base/log/index.ts';
import { unixMs, type Clock, type UnixMs } from '../base/time/index.ts';
import {
  creditOf,
  recoverCalls,
  sessionAccount,
  stateOf,
  withReserved,
  type CallRequest,
  type CallsImage,
  type Effect,
  type Refund,
  type RefundEnd,
  type SessionRow,
  type SessionState,
  type SessionTerms,
  type Sheet,
  type Transfer,
} from '../pay/ledger/index.ts';
import type { GroupRefusal, HostStore, RefundTotals } from '../port/store/index.ts';
import { admitCall, type AdmitContext } from './admit.ts';
import { AnswerFifo } from './answers.ts';
import type {
  Admission,
  Books,
  HeldSession,
  Payment,
  Received,
  Recover,
  RefundRequest,
  Room,
  Session,
} from './books.ts';
import { WorkBudget } from './budget.ts';
import { HotSessions, rowNow, unstoredMsat, type HotSession } from './hot-session.ts';
import { BOOKS_LIMITS, MAX_EXPIRED, type BooksLimits } from './limits.ts';
import { Refunds, type RefundContext } from './refunds.ts';
import { UnpaidSessions, type Order } from './unpaid.ts';
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
  const books = new HostBooks(options, {
    unpaid,
    cursor: await store.walletCursor(),
    refunds: await store.openRefunds(),
    owedMsat: owedOf(await store.sheet()),
  });
  for (const paymentHash of await store.attributable()) await books.attribute(paymentHash);
  return books;
}

/** What the books are opened with. */
interface Opened {
  readonly unpaid: UnpaidSessions;
  readonly cursor: bigint;
  readonly refunds: readonly Refund[];
  readonly owedMsat: bigint;
}

function owedOf({ creditMsat, reservedMsat, refundingMsat }: Sheet): bigint {
  return creditMsat + reservedMsat + refundingMsat;
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
  readonly limits: BooksLimits;
  readonly #refunds: Refunds;
  /** What sessions held when the books were opened; the writer counts from there. */
  readonly #openedOwedMsat: bigint;
  #cursor: bigint;
  #latestMs = unixMs(0);
  #closed = false;

  constructor(
    { store, clock, log, limits: set, onBroken }: BooksOptions,
    { unpaid, cursor, refunds, owedMsat }: Opened,
  ) {
    const limits = { ...BOOKS_LIMITS, ...set };
    const { hotSessions, answerBytes } = limits;
    this.limits = limits;
    this.#openedOwedMsat = owedMsat;
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
    const budget = new WorkBudget(limits);
    const monotonicMs = (): number => clock.monotonicMs();
    const writer = this.#writer;
    this.#admit = { store, writer, answers, budget, monotonicMs, check: () => this.#check() };
    const context: RefundContext = {
      store,
      writer,
      limits,
      with: (session, use) => this.#with(session, use, unknownSession),
      now: () => this.#now(),
    };
    this.#refunds = new Refunds(context, refunds);
  }

  recoverWith(recover: Recover): void {
    this.#admit.recover = recover;
  }

  async open(terms: SessionTerms): Promise<Session> {
    this.#check();
    const before = await this.sessionBySetup(terms.setup);
    if (before !== undefined) return before;
    this.#check();
    this.#unpaid.add(terms);
    const { code } = await this.#writer.group({ open: terms });
    if (code === 'ok') {
      // It may have been paid before it was here.
      await this.attribute(terms.paymentHash);
      return this.#with(terms.session, toSession, invariantDeleted);
    }
    this.#unpaid.delete(terms.session);
    const other = code === 'setup_exists' ? await this.sessionBySetup(terms.setup) : undefined;
    if (other === undefined) throw openFault(code);
    return other;
  }

  async session(session: string): Promise<Session | undefined> {
    return this.#with(session, toSession, () => undefined);
  }

  sessionNow(session: string): HeldSession | undefined {
    this.#check();
    const hot = this.#hot.get(session);
    return hot && new Held(hot);
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
    if (row === undefined) {
      const outcome = await this.#receive(payment, undefined);
      // Its session may have been opened meanwhile.
      return (await this.attribute(payment.paymentHash)) ? 'credited' : outcome;
    }
    // In memory first: its version changes with the payment.
    return this.#with(row.terms.session, (hot) => this.#receive(payment, hot), invariantDeleted);
  }

  walletCursor(): bigint {
    return this.#cursor;
  }

  async admit(session: string, request: CallRequest, effect: Effect): Promise<Admission> {
    return this.admitNow(session, request, effect);
  }

  admitNow(session: string, request: CallRequest, effect: Effect): Admission | Promise<Admission> {
    checkRequest(request);
    const admit = (hot: HotSession): Admission | Promise<Admission> =>
      admitCall(this.#admit, { hot, request, effect }, this.#now());
    this.#check();
    const held = this.#hot.get(session);
    if (held !== undefined) return admit(held);
    return this.#with(session, admit, unknownSession);
  }

  refund(request: RefundRequest): Promise<Refund> {
    this.#check();
    return this.#refunds.ask(request);
  }

  refundEnded(paymentHash: string, end: RefundEnd): Promise<Refund> {
    this.#check();
    return this.#refunds.end(paymentHash, end);
  }

  refundOf(paymentHash: string): Promise<Refund | undefined> {
    this.#check();
    return this.#store.refund(paymentHash);
  }

  openRefunds(): Promise<readonly Refund[]> {
    this.#check();
    return this.#store.openRefunds();
  }

  refundTotals(session: string): Promise<RefundTotals> {
    this.#check();
    return this.#store.refundTotals(session);
  }

  async room(order: Order): Promise<Room> {
    this.#check();
    const { payer, totalMsat } = order;
    const leave = this.#unpaid.order(order);
    try {
      // What is unpaid is counted before what is paid: what changes sides meanwhile counts twice.
      const openMsat = this.#unpaid.totalMsat(this.#now(), payer);
      const { maxPrepaidMsat, maxLiabilityMsat } = this.limits;
      const prepaidMsat = openMsat + (await this.#store.prepaidMsat(payer));
      if (totalMsat > ZERO_MSAT && prepaidMsat > maxPrepaidMsat) {
        throw new Fault('SETUP_PREPAID', capFacts(prepaidMsat - totalMsat, maxPrepaidMsat));
      }
      const owedMsat = this.#openedOwedMsat + this.#writer.owedMsat;
      if (
        totalMsat > ZERO_MSAT &&
        owedMsat + this.#unpaid.totalMsat(this.#now()) > maxLiabilityMsat
      ) {
        throw new Fault('SETUP_LIABILITY');
      }
      return { leave };
    } catch (error) {
      leave();
      throw error;
    }
  }

  async expireCredit(beforeMs: UnixMs): Promise<number> {
    this.#check();
    const sessions = await this.#store.expiredSessions(beforeMs, MAX_EXPIRED);
    const expired = sessions.map((session) =>
      this.#with(session, (hot) => this.#expire(hot, beforeMs), invariantDeleted),
    );
    return (await Promise.all(expired)).filter(Boolean).length;
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

  /** Credits a payment to the session that it was for, if it was unattributed until now. */
  async attribute(paymentHash: string): Promise<boolean> {
    const payment = await this.#store.transfer(paymentHash);
    if (payment?.credit !== 'unattributed') return false;
    const row = await this.#store.sessionByPaymentHash(paymentHash);
    if (row === undefined) return false;
    const { session } = row.terms;
    const transfer: Transfer = {
      ...payment,
      id: `attribute:${paymentHash}`,
      debit: 'unattributed',
      credit: sessionAccount(session),
      reason: 'attribute',
    };
    return this.#with(session, (hot) => this.#attribute(transfer, hot), invariantDeleted);
  }

  async #attribute(transfer: Transfer, hot: HotSession): Promise<boolean> {
    const { code } = await this.#writer.group({ transfers: [transfer] }, hot);
    if (stateOf(hot.row, hot.calls).paid) this.#unpaid.delete(hot.row.terms.session);
    return code === 'ok';
  }

  async #expire(hot: HotSession, beforeMs: UnixMs): Promise<boolean> {
    const { session, expiresAtMs } = hot.row.terms;
    const amountMsat = creditOf(rowNow(hot), hot.calls);
    if (hot.pins > 0 || this.#refunds.isOpen(session)) return false;
    if (amountMsat === ZERO_MSAT || expiresAtMs >= beforeMs) return false;
    const transfer: Transfer = {
      id: `expire:${session}:${hot.row.version}`,
      kind: 'posted',
      debit: sessionAccount(session),
      credit: 'expired',
      amountMsat,
      reason: 'expire',
      atMs: this.#now(),
    };
    const { code } = await this.#writer.group({ transfers: [transfer] }, hot, amountMsat);
    return code === 'ok';
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

function toSession(hot: HotSession): Session {
  return { terms: hot.row.terms, state: stateOf(rowNow(hot), hot.calls) };
}

function capFacts(prepaidMsat: bigint, capMsat: bigint): FaultDetail {
  return { prepaidMsat: `${prepaidMsat}`, capMsat: `${capMsat}` };
}

/** Rows and calls are never changed in place: what is held is what was true then. */
class Held implements HeldSession {
  readonly terms: SessionTerms;
  readonly #row: SessionRow;
  readonly #calls: CallsImage;

  constructor(hot: HotSession) {
    this.terms = hot.row.terms;
    this.#row = rowNow(hot);
    this.#calls = hot.calls;
  }

  get paid(): boolean {
    return this.#row.counters.creditsPostedMsat >= this.terms.totalMsat;
  }

  get state(): SessionState {
    return stateOf(this.#row, this.#calls);
  }
}

function unknownSession(): never {
  throw new Fault('SESSION_UNKNOWN');
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

const DIGEST = /^[0-9a-f]{32}$/;

/** @throws Fault `BYTES_LENGTH`, `BYTES_MALFORMED`: such numbers could not be stored */
function checkRequest({ n, done, digest }: CallRequest): void {
  u64Value(n);
  u64Value(done);
  if (DIGEST.test(digest)) return;
  if (fromHex(digest, 'digest').length !== 16) throw new Fault('BYTES_LENGTH', { name: 'digest' });
}

function openFault(code: GroupRefusal): Fault {
  return code === 'payment_hash_exists'
    ? new Fault('INVOICE_HASH_USED')
    : new Fault('HOST_BROKEN', { reason: code });
}
