/**
 * The host's store on SQLite: the synchronous core that runs in the caller's thread or in one of
 * its own.
 * @module
 */
import { fromHex, toHex } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { addMsat, type Msat } from '../../base/money/index.ts';
import { unixMs, type UnixMs } from '../../base/time/index.ts';
import {
  accountOfRow,
  sessionOfAccount,
  sheetOf,
  type Account,
  type AccountId,
  type Counters,
  type HostAccount,
  type Refund,
  type SessionRow,
  type SessionTotals,
  type Sheet,
  type TopUp,
  type Transfer,
} from '../../pay/ledger/index.ts';
import type { LaneRow } from '../../pay/tick/index.ts';
import { writeSnapshot, type HostStoreFile } from './backup.ts';
import type {
  CommitGroup,
  GroupResult,
  HostStoreOptions,
  LaneExtra,
  LaneLogFold,
  LaneLogPlace,
  Lapse,
  RefundTotals,
  StoredAnswer,
  UnpaidSession,
} from './host-store.ts';
import { MAX_SESSION_PAGE } from './limits.ts';
import { amount, bytes, int, text } from './sqlite-columns.ts';
import {
  packCommit,
  unpackResults,
  type PackedCommit,
  type PackedResult,
} from './packed-images.ts';
import { openSqlite, type SqliteDatabase } from './sqlite-file.ts';
import { auditHost } from './sqlite-host-audit.ts';
import { findRefund, openRefunds, refundTotals } from './sqlite-host-refunds.ts';
import { findTopUp, topUpByHash, unpaidTopUps } from './sqlite-host-topups.ts';
import { findAccount, findTransfer, writeGroup } from './sqlite-host-group.ts';
import { findLaneAnswer } from './sqlite-host-lane-answers.ts';
import { LaneLogs } from './sqlite-host-lane-logs.ts';
import {
  allUnfoldedLanes,
  laneIds,
  lanesOf,
  takeLane,
  unfoldedLanes,
  unfoldedMsat,
  withLanes,
} from './sqlite-host-lanes.ts';
import { lapseOrders } from './sqlite-host-lapse.ts';
import {
  HOST_APPLICATION_ID,
  HOST_MIGRATIONS,
  SELECT_SESSION_ROW,
  countersOf,
  sessionRow,
  transferOf,
} from './sqlite-host-schema.ts';
import { Spending } from './sqlite-host-spending.ts';

/** The methods of a host's store, without promises. */
export type HostCore = {
  readonly [name in Exclude<keyof HostStoreFile, 'gather'>]: (
    ...args: Parameters<HostStoreFile[name]>
  ) => Awaited<ReturnType<HostStoreFile[name]>>;
} & {
  /** `commit`, for a caller in another thread. */
  readonly commitPacked: (commit: PackedCommit) => PackedResult;
};

/** Opens a host's file. @throws Fault `STORE_OWNED` and the other faults of the store */
export function openHostCore(options: Omit<HostStoreOptions, 'thread'>): HostCore {
  const { file, maxPages } = options;
  const db = openSqlite({
    file,
    owner: 'one',
    applicationId: HOST_APPLICATION_ID,
    migrations: HOST_MIGRATIONS,
    ...(maxPages === undefined ? {} : { maxPages }),
  });
  try {
    const spending = new Spending(db, options);
    return new SqliteHost(db, spending, new LaneLogs(db, spending, options));
  } catch (error) {
    db.close();
    throw error;
  }
}

/** What a session has that is not served and has not left: credit, reserved and refunding. */
const HELD = `n.credits_posted - n.debits_posted - n.charged_msat + n.folded_msat
  - ${unfoldedLanes('n.position')}`;

class SqliteHost implements HostCore {
  readonly #db: SqliteDatabase;
  readonly #spending: Spending;
  readonly #logs: LaneLogs;

  constructor(db: SqliteDatabase, spending: Spending, logs: LaneLogs) {
    this.#db = db;
    this.#spending = spending;
    this.#logs = logs;
  }

  commit(groups: readonly CommitGroup[]): GroupResult[] {
    return unpackResults(groups, this.commitPacked(packCommit(groups)));
  }

  commitPacked({ images, groups }: PackedCommit): PackedResult {
    const write = (): GroupResult[] => groups.map((group) => this.#group(group));
    const more = groups.length === 0 ? undefined : write;
    const { written, result = [] } = this.#spending.writeSessions(images, more);
    return { ...written, groups: result };
  }

  commitLanes(images: Uint8Array, extra?: LaneExtra): Uint8Array {
    return this.#spending.writeLanes(images, extra);
  }

  takeLanes(lanes: readonly string[]): LaneRow[] {
    const asked = [...new Set(lanes)];
    return this.#spending.transaction(() => {
      this.#spending.foldLanes(asked);
      this.#spending.forgetLanes(asked);
      return asked.flatMap((lane) => takeLane(this.#db, lane) ?? []);
    });
  }

  openLaneLog(worker: number): LaneLogPlace {
    return this.#logs.open(worker);
  }

  foldLanes(worker: number, fold: LaneLogFold): Msat {
    return this.#logs.fold(worker, fold);
  }

  closeLaneLog(worker: number): Msat {
    return this.#logs.close(worker);
  }

  storedLaneAnswer(lane: string, n: number): Uint8Array | undefined {
    return this.#db.guarded(() => findLaneAnswer(this.#db, lane, n));
  }

  lanesOf(session: string): LaneRow[] {
    return this.#spending.readSessions([session], () => lanesOf(this.#db, session));
  }

  session(session: string): SessionRow | undefined {
    return this.#spending.readSession(session, () => {
      const sql = `${SELECT_SESSION_ROW} WHERE s.session = ?`;
      const row = this.#db.row(sql, fromHex(session, 'session'));
      return row && sessionRow(row);
    });
  }

  sessionBySetup(setup: string): SessionRow | undefined {
    return this.#sessionWith('setup', setup);
  }

  sessionByPaymentHash(paymentHash: string): SessionRow | undefined {
    return this.#sessionWith('payment_hash', paymentHash);
  }

  sessionsAfter(position: bigint, limit: number): { rows: SessionRow[]; position: bigint } {
    const sql = `${SELECT_SESSION_ROW} WHERE s.position > ? ORDER BY s.position LIMIT ?`;
    return this.#spending.read(() => {
      const found = this.#db.rows(sql, position, Math.min(limit, MAX_SESSION_PAGE));
      return { rows: found.map(sessionRow), position: int(found.at(-1)?.['position'] ?? position) };
    });
  }

  transfersAfter(position: bigint, limit: number): { rows: Transfer[]; position: bigint } {
    const sql = 'SELECT * FROM transfer WHERE position > ? ORDER BY position LIMIT ?';
    return this.#db.guarded(() => {
      const found = this.#db.rows(sql, position, Math.min(limit, MAX_SESSION_PAGE));
      return { rows: found.map(transferOf), position: int(found.at(-1)?.['position'] ?? position) };
    });
  }

  startedSessions(): SessionRow[] {
    const sql = `${SELECT_SESSION_ROW} WHERE n.started_calls > 0 ORDER BY s.position`;
    return this.#spending.read(() => this.#db.rows(sql).map(sessionRow));
  }

  unpaidSessions(nowMs: UnixMs): UnpaidSession[] {
    const sql = `SELECT s.session, s.pay_by_ms, s.payer, s.total_msat
      FROM session s JOIN session_numbers n USING (position)
      WHERE s.pay_by_ms > ? AND n.credits_posted < s.total_msat`;
    return this.#db.guarded(() =>
      this.#db.rows(sql, nowMs).map((row) => ({
        session: toHex(bytes(row['session'])),
        payByMs: unixMs(Number(row['pay_by_ms'])),
        payer: toHex(bytes(row['payer'])),
        totalMsat: amount(row['total_msat']),
      })),
    );
  }

  lapse(lapse: Lapse): string[] {
    const dropped = this.#spending.transaction(() => {
      // What the log says of a session that is gone must not be looked at again.
      this.#spending.foldAll();
      return lapseOrders(this.#db, lapse);
    });
    this.#spending.forgetAll();
    return dropped;
  }

  topUp(session: string, id: string): TopUp | undefined {
    return this.#db.guarded(() => findTopUp(this.#db, session, id));
  }

  topUpByPaymentHash(paymentHash: string): TopUp | undefined {
    return this.#db.guarded(() => topUpByHash(this.#db, paymentHash));
  }

  unpaidTopUps(nowMs: UnixMs): UnpaidSession[] {
    return this.#db.guarded(() => unpaidTopUps(this.#db, nowMs));
  }

  refund(paymentHash: string): Refund | undefined {
    return this.#db.guarded(() => findRefund(this.#db, paymentHash));
  }

  openRefunds(): Refund[] {
    return this.#db.guarded(() => openRefunds(this.#db));
  }

  refundTotals(session: string): RefundTotals {
    return this.#db.guarded(() => refundTotals(this.#db, session));
  }

  prepaidMsat(payer: string): Msat {
    const sql = `SELECT ifnull(sum(${HELD}), 0)
      FROM session s JOIN session_numbers n USING (position) WHERE s.payer = ?`;
    const of = fromHex(payer, 'payer');
    const sessions = this.#db.guarded(() =>
      this.#db
        .rows('SELECT session FROM session WHERE payer = ?', of)
        .map((row) => toHex(bytes(row['session']))),
    );
    return this.#spending.readSessions(sessions, () => amount(this.#db.value(sql, of)));
  }

  attributable(): string[] {
    const sql = `SELECT t.id FROM transfer t LEFT JOIN session s
        ON s.payment_hash = unhex(t.id)
      WHERE t.credit = 'unattributed' AND (s.position IS NOT NULL
          OR EXISTS (SELECT 1 FROM topup u WHERE u.payment_hash = unhex(t.id)))
        AND NOT EXISTS (SELECT 1 FROM transfer a WHERE a.id = 'attribute:' || t.id)`;
    return this.#db.guarded(() => this.#db.rows(sql).map((row) => text(row['id'])));
  }

  expiredSessions(beforeMs: UnixMs, limit: number): string[] {
    const sql = `SELECT s.session FROM session s JOIN session_numbers n USING (position)
      WHERE s.expires_at_ms < ?1 AND ${HELD} - n.started_msat - n.debits_pending > 0
        AND ifnull(json_extract(n.bought, '$.expires_at_ms'), 0) < ?1
      ORDER BY s.expires_at_ms LIMIT ?2`;
    return this.#spending.read(() =>
      this.#db
        .rows(sql, beforeMs, Math.min(limit, MAX_SESSION_PAGE))
        .map((row) => toHex(bytes(row['session']))),
    );
  }

  storedAnswer(session: string, n: bigint): StoredAnswer | undefined {
    return this.#db.guarded(() => {
      const row = this.#db.row(
        `SELECT a.charged_msat, a.body FROM answer a JOIN session s USING (position)
          WHERE s.session = ? AND a.n = ?`,
        fromHex(session, 'session'),
        BigInt.asIntN(64, n),
      );
      if (row === undefined) return undefined;
      return {
        session,
        n,
        body: bytes(row['body']),
        chargedMsat: amount(row['charged_msat']),
      };
    });
  }

  account(id: AccountId): Account | undefined {
    const session = sessionOfAccount(id);
    if (session === undefined) return this.#db.guarded(() => findAccount(this.#db, id));
    const row = this.session(session);
    if (row === undefined) return undefined;
    const spentMsat = (): Msat => unfoldedMsat(this.#db, session);
    return withLanes(accountOfRow(row), this.#spending.readSessions([session], spentMsat));
  }

  transfer(id: string): Transfer | undefined {
    return this.#db.guarded(() => findTransfer(this.#db, id));
  }

  walletCursor(): bigint {
    return this.#db.guarded(() => int(this.#db.value('SELECT cursor FROM wallet_cursor')));
  }

  openSessions(nowMs: UnixMs): number {
    const sql = `SELECT count(*) FROM session s JOIN session_numbers n ON n.position = s.position
      WHERE s.expires_at_ms > ? AND n.credits_posted > 0`;
    return this.#db.guarded(() => Number(this.#db.value(sql, nowMs)));
  }

  sheet(): Sheet {
    return this.#spending.read(() => sheetOf(hostAccounts(this.#db), sessionTotals(this.#db)));
  }

  audit(): string[] {
    const problems = this.#spending.read(() => auditHost(this.#db));
    return [...problems, ...this.#logs.problems()];
  }

  backup(file: string): void {
    this.#spending.transaction(() => this.#spending.foldAll());
    this.#db.guarded(() => writeSnapshot(this.#db, file));
  }

  close(): void {
    this.#spending.close();
    this.#db.close();
  }

  #group(group: CommitGroup): GroupResult {
    const spending = this.#spending;
    const result = writeGroup(this.#db, group, (session) => spending.foldSession(session));
    if (result.code !== 'ok') return result;
    for (const { session } of result.touched) spending.forgetSession(session);
    const closed = group.closeLanes?.session;
    if (closed !== undefined) spending.forgetLanes(laneIds(this.#db, closed));
    return result;
  }

  #sessionWith(column: 'setup' | 'payment_hash', hex: string): SessionRow | undefined {
    const sql = `SELECT session FROM session WHERE ${column} = ?`;
    const session = this.#db.guarded(() => this.#db.value(sql, fromHex(hex, column)));
    return session === null ? undefined : this.session(toHex(bytes(session)));
  }
}

function hostAccounts(db: SqliteDatabase): Record<HostAccount, Counters> {
  const read = (name: HostAccount): Counters => {
    const account = findAccount(db, name);
    if (account === undefined) throw new Fault('STORE_CORRUPT', { name: `account ${name}` });
    return account;
  };
  return {
    received: read('received'),
    served: read('served'),
    refunded: read('refunded'),
    refund_fees: read('refund_fees'),
    expired: read('expired'),
    unattributed: read('unattributed'),
  };
}

function sessionTotals(db: SqliteDatabase): SessionTotals {
  const row = db.row(`SELECT
    ifnull(sum(debits_pending), 0) AS debits_pending,
    ifnull(sum(debits_posted), 0) AS debits_posted,
    ifnull(sum(credits_pending), 0) AS credits_pending,
    ifnull(sum(credits_posted), 0) AS credits_posted,
    ifnull(sum(charged_msat - folded_msat), 0) AS unfolded,
    ifnull(sum(started_msat), 0) AS started
    FROM session_numbers`);
  if (row === undefined) throw new Error('invariant: a sum has a row');
  return {
    ...countersOf(row),
    unfoldedMsat: addMsat(amount(row['unfolded']), allUnfoldedLanes(db)),
    startedMsat: amount(row['started']),
  };
}
