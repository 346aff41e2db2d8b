/**
 * The host's store on SQLite: the synchronous core that runs in the caller's thread or in one of
 * its own.
 * @module
 */
import { fromHex, toHex } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import type { Msat } from '../../base/money/index.ts';
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
  type Transfer,
} from '../../pay/ledger/index.ts';
import { writeSnapshot, type HostStoreFile } from './backup.ts';
import type {
  CommitGroup,
  GroupResult,
  HostStoreOptions,
  RefundTotals,
  StoredAnswer,
  UnpaidSession,
} from './host-store.ts';
import { MAX_SESSION_PAGE } from './limits.ts';
import { bytes, int, text } from './sqlite-columns.ts';
import {
  packCommit,
  unpackResults,
  type PackedCommit,
  type PackedResult,
} from './packed-images.ts';
import { openSqlite, type SqlValue, type SqliteDatabase } from './sqlite-file.ts';
import { auditHost } from './sqlite-host-audit.ts';
import { findRefund, openRefunds, refundTotals } from './sqlite-host-refunds.ts';
import { ImageWriter } from './sqlite-host-images.ts';
import { findAccount, findTransfer, writeGroup } from './sqlite-host-group.ts';
import {
  HOST_APPLICATION_ID,
  HOST_MIGRATIONS,
  SELECT_SESSION_ROW,
  countersOf,
  sessionRow,
} from './sqlite-host-schema.ts';

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
export function openHostCore({ file, maxPages }: Omit<HostStoreOptions, 'thread'>): HostCore {
  const db = openSqlite({
    file,
    owner: 'one',
    applicationId: HOST_APPLICATION_ID,
    migrations: HOST_MIGRATIONS,
    ...(maxPages === undefined ? {} : { maxPages }),
  });
  return new SqliteHost(db);
}

/** What a session has that is not served and has not left: credit, reserved and refunding. */
const HELD = 'n.credits_posted - n.debits_posted - n.charged_msat + n.folded_msat';

class SqliteHost implements HostCore {
  readonly #db: SqliteDatabase;
  readonly #images: ImageWriter;

  constructor(db: SqliteDatabase) {
    this.#db = db;
    this.#images = new ImageWriter(db);
  }

  commit(groups: readonly CommitGroup[]): GroupResult[] {
    return unpackResults(groups, this.commitPacked(packCommit(groups)));
  }

  commitPacked({ images, groups }: PackedCommit): PackedResult {
    try {
      return this.#db.transaction(() => {
        const written = this.#images.write(images);
        return { ...written, groups: groups.map((group) => this.#group(group)) };
      });
    } catch (error) {
      this.#images.forget();
      throw error;
    }
  }

  session(session: string): SessionRow | undefined {
    return this.#session('s.session = ?', fromHex(session, 'session'));
  }

  sessionBySetup(setup: string): SessionRow | undefined {
    return this.#session('s.setup = ?', fromHex(setup, 'setup'));
  }

  sessionByPaymentHash(paymentHash: string): SessionRow | undefined {
    return this.#session('s.payment_hash = ?', fromHex(paymentHash, 'paymentHash'));
  }

  sessionsAfter(position: bigint, limit: number): { rows: SessionRow[]; position: bigint } {
    const sql = `${SELECT_SESSION_ROW} WHERE s.position > ? ORDER BY s.position LIMIT ?`;
    return this.#db.guarded(() => {
      const found = this.#db.rows(sql, position, Math.min(limit, MAX_SESSION_PAGE));
      return { rows: found.map(sessionRow), position: int(found.at(-1)?.['position'] ?? position) };
    });
  }

  startedSessions(): SessionRow[] {
    const sql = `${SELECT_SESSION_ROW} WHERE n.started_calls > 0 ORDER BY s.position`;
    return this.#db.guarded(() => this.#db.rows(sql).map(sessionRow));
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
        totalMsat: int(row['total_msat']) as Msat,
      })),
    );
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
    return this.#db.guarded(() => int(this.#db.value(sql, fromHex(payer, 'payer'))) as Msat);
  }

  attributable(): string[] {
    const sql = `SELECT t.id FROM transfer t JOIN session s ON s.payment_hash = unhex(t.id)
      WHERE t.credit = 'unattributed'
        AND NOT EXISTS (SELECT 1 FROM transfer a WHERE a.id = 'attribute:' || t.id)`;
    return this.#db.guarded(() => this.#db.rows(sql).map((row) => text(row['id'])));
  }

  expiredSessions(beforeMs: UnixMs, limit: number): string[] {
    const sql = `SELECT s.session FROM session s JOIN session_numbers n USING (position)
      WHERE s.expires_at_ms < ? AND ${HELD} - n.started_msat - n.debits_pending > 0
      ORDER BY s.expires_at_ms LIMIT ?`;
    return this.#db.guarded(() =>
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
        chargedMsat: int(row['charged_msat']) as Msat,
      };
    });
  }

  account(id: AccountId): Account | undefined {
    const session = sessionOfAccount(id);
    if (session === undefined) return this.#db.guarded(() => findAccount(this.#db, id));
    const row = this.session(session);
    return row && accountOfRow(row);
  }

  transfer(id: string): Transfer | undefined {
    return this.#db.guarded(() => findTransfer(this.#db, id));
  }

  walletCursor(): bigint {
    return this.#db.guarded(() => int(this.#db.value('SELECT cursor FROM wallet_cursor')));
  }

  sheet(): Sheet {
    return this.#db.guarded(() => {
      return sheetOf(hostAccounts(this.#db), sessionTotals(this.#db));
    });
  }

  audit(): string[] {
    return this.#db.guarded(() => auditHost(this.#db));
  }

  backup(file: string): void {
    this.#db.guarded(() => writeSnapshot(this.#db, file));
  }

  close(): void {
    this.#db.close();
  }

  #group(group: CommitGroup): GroupResult {
    const result = writeGroup(this.#db, group);
    if (result.code === 'ok')
      for (const { session } of result.touched) this.#images.forget(session);
    return result;
  }

  #session(where: string, value: SqlValue): SessionRow | undefined {
    return this.#db.guarded(() => {
      const row = this.#db.row(`${SELECT_SESSION_ROW} WHERE ${where}`, value);
      return row && sessionRow(row);
    });
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
    unfoldedMsat: int(row['unfolded']) as Msat,
    startedMsat: int(row['started']) as Msat,
  };
}
