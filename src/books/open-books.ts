/**
 * Opens the books of a host over its store.
 * @module
 */
import { fromHex, u64Value } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import type { Log } from '../base/log/index.ts';
import { unixMs, type Clock, type UnixMs } from '../base/time/index.ts';
import {
  recoverCalls,
  withReserved,
  type CallRequest,
  type Effect,
  type Refund,
  type RefundEnd,
  type SessionTerms,
  type Sheet,
  type TopUp,
} from '../pay/ledger/index.ts';
import type { LaneTerms } from '../pay/tick/index.ts';
import type { GroupRefusal, GroupResult, HostStore, RefundTotals } from '../port/store/index.ts';
import { admitCall, type AdmitContext } from './admit.ts';
import { AnswerFifo } from './answers.ts';
import type {
  Admission,
  Books,
  HeldSession,
  Payment,
  Received,
  RefundRequest,
  Room,
  Session,
} from './books.ts';
import { WorkBudget } from './budget.ts';
import { findRoom, type CapContext } from './caps.ts';
import { expireCredit, type ExpiryContext } from './expiry.ts';
import { Held, seen, toSession, type Seen } from './held-session.ts';
import { HotSessions, unstoredMsat, type HotSession } from './hot-session.ts';
import { Incoming } from './incoming.ts';
import {
  BOOKS_LIMITS,
  GRANTS_PER_HOT_LANE,
  ORDER_KEEP_MS,
  REPLY_KEEP_MS,
  type BooksLimits,
} from './limits.ts';
import { LaneOwners } from './lane-owners.ts';
import { withLanes } from './lane-state.ts';
import { Lanes } from './lanes.ts';
import { Refunds, type RefundContext } from './refunds.ts';
import type { Recover } from './recovered.ts';
import { steadyTime } from './steady-time.ts';
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
  const now = clock.now();
  const unpaid = new UnpaidSessions([
    ...(await store.unpaidSessions(now)),
    ...(await store.unpaidTopUps(now)),
  ]);
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
  readonly #now: () => UnixMs;
  readonly #writer: Writer;
  readonly #hot: HotSessions;
  readonly #loading = new Map<string, Promise<boolean>>();
  readonly #unpaid: UnpaidSessions;
  readonly #admit: AdmitContext;
  readonly limits: BooksLimits;
  readonly #refunds: Refunds;
  readonly owners: LaneOwners;
  readonly lanes: Lanes;
  readonly #incoming: Incoming;
  /** What sessions held when the books were opened; the writer counts from there. */
  readonly #openedOwedMsat: bigint;
  /** Orders whose invoice ran out before have no reply any more. */
  #lapsedMs = unixMs(0);
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
    this.#now = steadyTime(clock);
    this.#unpaid = unpaid;
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
      now: this.#now,
    };
    this.#refunds = new Refunds(context, refunds);
    const laneContext = {
      store,
      check: () => this.#check(),
      fail: (fault: Fault) => writer.fail(fault),
      now: this.#now,
    };
    const owners = new LaneOwners({
      ...laneContext,
      session: (session) => this.#with(session, toSession, () => undefined),
      mostLanes: GRANTS_PER_HOT_LANE * limits.hotLanes,
    });
    this.owners = owners;
    this.lanes = new Lanes({
      ...laneContext,
      ...limits,
      budget,
      monotonicMs,
      broken: () => writer.broken,
      take: (lane) => owners.takeHere(lane),
      timer: (ms, fire) => clock.timer(ms, fire),
      rowsOf: (session) => (owners.any ? owners.rowsOf(session) : store.lanesOf(session)),
      closeLanes: (session) => owners.close(session, () => this.#closeLanes(session)),
    });
    this.#incoming = new Incoming(
      {
        store,
        writer,
        unpaid,
        log,
        with: (session, use) => this.#with(session, use, () => undefined),
        gone: (session) => this.#hot.drop(session),
      },
      cursor,
    );
  }

  recoverWith(recover: Recover): void {
    this.#admit.recover = recover;
    this.lanes.recoverWith(recover);
  }

  async open(terms: SessionTerms, lanes: readonly LaneTerms[] = []): Promise<Session> {
    this.#check();
    const before = await this.sessionBySetup(terms.setup);
    if (before !== undefined) return before;
    this.#check();
    this.#unpaid.add(terms);
    const { code } = await this.#writer.group({ open: terms, lanes });
    if (code === 'ok') {
      // It may have been paid before it was here.
      await this.attribute(terms.paymentHash);
      return this.#with(terms.session, toSession, invariantOpen);
    }
    this.#unpaid.delete(terms.session);
    const other = code === 'setup_exists' ? await this.sessionBySetup(terms.setup) : undefined;
    if (other === undefined) throw openFault(code);
    return other;
  }

  async topUp(topUp: TopUp): Promise<TopUp> {
    this.#check();
    const { session, id, paymentHash } = topUp;
    const { payer } = await this.#with(session, ({ row }) => row.terms, unknownSession);
    this.#unpaid.add({ ...topUp, session: paymentHash, payer });
    const { code } = await this.#writer.group({ topUp });
    if (code === 'ok') {
      await this.attribute(paymentHash);
      return topUp;
    }
    this.#unpaid.delete(paymentHash);
    const other = code === 'topup_exists' ? await this.#store.topUp(session, id) : undefined;
    if (other === undefined) throw openFault(code);
    return other;
  }

  async topUpOf(session: string, id: string): Promise<TopUp | undefined> {
    this.#check();
    return this.#store.topUp(session, id);
  }

  async session(session: string): Promise<Session | undefined> {
    const found = await this.#with(session, toSession, () => undefined);
    return found?.terms.lanes === undefined ? found : this.#withLanes(session);
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

  async forgetUnpaid(): Promise<void> {
    this.#check();
    const nowMs = this.#now();
    const beforeMs = unixMs(Math.max(0, nowMs - REPLY_KEEP_MS));
    const lapse = {
      fromMs: this.#lapsedMs,
      beforeMs,
      dropBeforeMs: unixMs(Math.max(0, nowMs - ORDER_KEEP_MS)),
      keep: this.limits.lapsedOrders,
    };
    // Between commits: what a later one writes is checked against what is left.
    const dropped = await this.#writer.between(() => this.#store.lapse(lapse));
    this.#lapsedMs = beforeMs;
    for (const session of dropped) this.#hot.drop(session);
  }

  assertOpen(): void {
    this.#check();
  }

  unpaidCount(nowMs: UnixMs): number {
    return this.#unpaid.count(nowMs);
  }

  received(payment: Payment): Promise<Received> {
    return this.#incoming.receive(payment);
  }

  /** Credits a payment to the session that it was for, if it was unattributed until now. */
  attribute(paymentHash: string): Promise<boolean> {
    return this.#incoming.attribute(paymentHash);
  }

  walletCursor(): bigint {
    return this.#incoming.cursor;
  }

  async admit(
    session: string,
    request: CallRequest,
    effect: Effect | undefined,
  ): Promise<Admission> {
    return this.admitNow(session, request, effect);
  }

  admitNow(
    session: string,
    request: CallRequest,
    effect: Effect | undefined,
  ): Admission | Promise<Admission> {
    checkRequest(request);
    const admit = (hot: HotSession): Admission | Promise<Admission> =>
      admitCall(this.#admit, { hot, request, effect }, this.#now());
    this.#check();
    const held = this.#hot.get(session);
    if (held !== undefined) return admit(held);
    return this.#with(session, admit, unknownSession);
  }

  async refund(request: RefundRequest): Promise<Refund> {
    const session = await this.session(request.session);
    if (session?.terms.lanes !== undefined) {
      // What lanes have spent is no credit: they are closed before anything is set aside.
      await this.#refunds.check(request, session.state);
      await this.#endLanes(request.session);
    }
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
    const context: CapContext = {
      unpaid: this.#unpaid,
      limits: this.limits,
      prepaidMsat: (payer) => this.#store.prepaidMsat(payer),
      owedMsat: () => this.#openedOwedMsat + this.#writer.owedMsat - this.#spentMsat,
      now: this.#now,
    };
    if (!this.owners.any) return findRoom(order, context);
    return findRoom(order, context).catch(async (error: unknown) => {
      if (!asFault(error).code.startsWith('SETUP_')) throw error;
      // What workers have charged since they last said is owed no more.
      await this.owners.flush();
      return findRoom(order, context);
    });
  }

  expireCredit(beforeMs: UnixMs): Promise<number> {
    this.#check();
    const context: ExpiryContext = {
      store: this.#store,
      writer: this.#writer,
      refunds: this.#refunds,
      with: (session, use) => this.#with(session, use, unknownSession),
      endLanes: (session) => this.#endLanes(session),
      now: this.#now,
    };
    return expireCredit(context, beforeMs);
  }

  async sheet(): Promise<Sheet> {
    this.#check();
    if (this.owners.any) await this.owners.flush();
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
    await this.lanes.idle();
    await this.owners.idle();
    await this.#writer.idle();
    this.#rejectPending(new Fault('HOST_STOPPING'));
    await this.#store.close();
  }

  /** The account and the lanes as they were at one time. */
  async #withLanes(session: string): Promise<Session> {
    const look = (): Promise<Seen> => this.#with(session, seen, unknownSession);
    for (;;) {
      const { version } = await look();
      const lanes = await this.lanes.statement(session);
      const { found, version: now } = await look();
      if (now === version) return { ...found, state: withLanes(found.state, lanes) };
    }
  }

  /** What lanes have spent since the books were opened. */
  get #spentMsat(): bigint {
    return this.lanes.spentMsat + this.owners.foldedMsat;
  }

  async #endLanes(session: string): Promise<void> {
    await this.lanes.loadCut(session);
    const lanes = await this.lanes.statement(session);
    if (lanes.some(({ closed }) => !closed)) await this.lanes.close(session);
  }

  async #closeLanes(session: string): Promise<void> {
    const atMs = this.#now();
    const close = (hot: HotSession): Promise<GroupResult> =>
      this.#writer.group({ closeLanes: { session, atMs } }, hot);
    const { code } = await this.#with(session, close, unknownSession);
    if (code !== 'ok') throw new Fault('HOST_BROKEN', { reason: code });
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

  #check(): void {
    const fault = this.#writer.broken;
    if (fault !== undefined) throw new Fault('HOST_BROKEN', {}, fault);
    if (this.#closed) throw new Fault('HOST_STOPPING');
  }

  #rejectPending(fault: Fault): void {
    for (const hot of this.#hot.all()) {
      for (const pending of hot.pending.values()) pending.reject(fault);
    }
    this.lanes.reject(fault);
  }
}

function unknownSession(): never {
  throw new Fault('SESSION_UNKNOWN');
}

function invariantOpen(): never {
  throw new Error('invariant: a session that can be paid is kept');
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
