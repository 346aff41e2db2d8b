/**
 * The payer's store on SQLite: short transactions, so that several processes can share the file.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { MAX_CALL_ID } from './limits.ts';
import type {
  NewPurchase,
  PayerStore,
  Pin,
  Purchase,
  PurchaseChange,
  PurchaseFilter,
  PurchaseUpdate,
  SpendCap,
} from './payer-store.ts';
import type { Msat } from '../../base/money/index.ts';
import { int } from './sqlite-columns.ts';
import { MovedTable, assertHere } from './sqlite-payer-moved.ts';
import { openSqlite, type SqliteDatabase } from './sqlite-file.ts';
import { CallTable } from './sqlite-payer-calls.ts';
import { LaneTakings } from './sqlite-payer-lanes.ts';
import { RefundTable } from './sqlite-payer-refunds.ts';
import {
  PAYER_APPLICATION_ID,
  PAYER_MIGRATIONS,
  mayFollow,
  pinOf,
  purchaseOf,
} from './sqlite-payer-schema.ts';

/**
 * Opens the store of a payer profile and makes it when it is missing.
 * @param options.file its path, or ':memory:'
 * @throws Fault `STORE_BUSY`, `STORE_NEWER`, `STORE_READONLY`, `STORE_CORRUPT`, `STORE_FULL`
 */
export async function openPayerStore({ file }: { readonly file: string }): Promise<PayerStore> {
  const db = openSqlite({
    file,
    owner: 'many',
    applicationId: PAYER_APPLICATION_ID,
    migrations: PAYER_MIGRATIONS,
  });
  const purchases = new PurchaseTable(db);
  const calls = new CallTable(db);
  const pins = new PinTable(db);
  const refunds = new RefundTable(db);
  const moved = new MovedTable(db);
  const lanes = new LaneTakings(db, file);
  return {
    insertPurchase: async (purchase) => purchases.insert(purchase),
    updatePurchase: async (change) => purchases.update(change),
    purchase: async (id) => purchases.find('id', id),
    purchaseBySession: async (session) => purchases.find('session', session),
    purchaseByPaymentHash: async (paymentHash) => purchases.find('payment_hash', paymentHash),
    purchases: async (filter = {}) => purchases.list(filter),
    recordCall: async (call) => calls.record({ ...call, callId: nameOf(call.callId, 'callId') }),
    resolveCall: async (session, callId, answer) => calls.resolve(session, callId, answer),
    answerOf: async (session, callId) => calls.answerOf(session, callId),
    unresolvedCalls: async (session) => calls.unresolved(session),
    giveSession: async (session, atMs) => moved.give(session, atMs),
    takeSession: async (one) => moved.take(one),
    movedSessions: async () => moved.list(),
    takeLane: async (lease) => lanes.take(lease),
    extendLane: async (lease, n) => lanes.extend(lease, n),
    insertRefund: async (refund) =>
      refunds.insert({ ...refund, id: nameOf(refund.id, 'refundId') }),
    endRefund: async (id, state, reason) => refunds.end(id, state, reason),
    refund: async (id) => refunds.find(id),
    refunds: async (session) => refunds.list(session),
    pin: async (pin) => pins.pin(pin),
    pinned: async (host) => pins.find(host),
    repin: async (pin, from) => pins.repin(pin, from),
    pins: async () => pins.list(),
    close: async () => {
      lanes.close();
      db.close();
    },
  };
}

function nameOf(id: string, name: string): string {
  if (id.length < 1 || id.length > MAX_CALL_ID) {
    throw new Fault('BYTES_LENGTH', { name, length: id.length });
  }
  return id;
}

class PurchaseTable {
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  insert(purchase: NewPurchase): { kind: 'ok' | 'exists'; purchase: Purchase } {
    return this.#db.transaction(() => {
      const stored = this.#find('id', purchase.id);
      if (stored !== undefined) return { kind: 'exists', purchase: stored };
      if (purchase.session !== undefined) assertHere(this.#db, purchase.session);
      const { id, host, service, session, paymentHash, amountMsat, madeAtMs, record } = purchase;
      this.#db.run(
        `INSERT INTO purchase (id, host, service, state, session, payment_hash, amount_msat,
          made_at_ms, record, version) VALUES (?, ?, ?, 'made', ?, ?, ?, ?, ?, 1)`,
        id,
        host,
        service,
        session ?? null,
        paymentHash ?? null,
        amountMsat,
        madeAtMs,
        record,
      );
      return { kind: 'ok', purchase: { ...purchase, state: 'made', version: 1 } };
    });
  }

  update({ id, version, spend, ...change }: PurchaseChange): PurchaseUpdate {
    return this.#db.transaction((): PurchaseUpdate => {
      const before = this.#find('id', id);
      if (before === undefined) return { kind: 'unknown' };
      if (before.version !== version) return { kind: 'stale', purchase: before };
      const after: Purchase = { ...before, ...change, version: version + 1 };
      if (!mayFollow(before.state, after.state)) return { kind: 'refused', purchase: before };
      const { state, session, paymentHash, amountMsat, record } = after;
      if (change.state === 'paying' && session !== undefined) assertHere(this.#db, session);
      for (const cap of spend?.caps ?? []) {
        const spentMsat = this.#spentMsat(cap, id);
        const over = cap.host === undefined || cap.host === after.host;
        if (over && spentMsat + amountMsat > cap.limitMsat)
          return { kind: 'capped', cap, spentMsat };
      }
      this.#db.run(
        `UPDATE purchase SET state = ?, session = ?, payment_hash = ?, amount_msat = ?, record = ?,
          version = ?, paying_at_ms = ifnull(paying_at_ms, ?) WHERE id = ?`,
        state,
        session ?? null,
        paymentHash ?? null,
        amountMsat,
        record,
        after.version,
        spend?.atMs ?? null,
        id,
      );
      return { kind: 'ok', purchase: after };
    });
  }

  find(column: 'id' | 'session' | 'payment_hash', value: string): Purchase | undefined {
    return this.#db.guarded(() => this.#find(column, value));
  }

  list({ host, service, states }: PurchaseFilter): Purchase[] {
    const rows = this.#db.guarded(() =>
      this.#db.rows(
        `SELECT * FROM purchase WHERE (?1 IS NULL OR host = ?1) AND (?2 IS NULL OR service = ?2)
          ORDER BY position`,
        host ?? null,
        service ?? null,
      ),
    );
    return rows
      .map(purchaseOf)
      .filter((purchase) => states === undefined || states.includes(purchase.state));
  }

  /** What was paid or may have been, this purchase apart. */
  #spentMsat({ sinceMs, host }: SpendCap, but: string): Msat {
    const sql = `SELECT ifnull(sum(amount_msat), 0) FROM purchase
      WHERE state IN ('paying', 'paid') AND ifnull(paying_at_ms, made_at_ms) >= ?1
        AND (?2 IS NULL OR host = ?2) AND id <> ?3`;
    return int(this.#db.value(sql, sinceMs, host ?? null, but)) as Msat;
  }

  #find(column: 'id' | 'session' | 'payment_hash', value: string): Purchase | undefined {
    const sql = `SELECT * FROM purchase WHERE ${column} = ? ORDER BY position LIMIT 1`;
    const row = this.#db.row(sql, value);
    return row && purchaseOf(row);
  }
}

class PinTable {
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  pin({ host, fingerprint, pinnedAtMs }: Pin): { first: boolean; fingerprint: string } {
    return this.#db.transaction(() => {
      const pinned = this.#find(host);
      if (pinned !== undefined) return { first: false, fingerprint: pinned.fingerprint };
      this.#db.run('INSERT INTO pin VALUES (?, ?, ?)', host, fingerprint, pinnedAtMs);
      return { first: true, fingerprint };
    });
  }

  find(host: string): Pin | undefined {
    return this.#db.guarded(() => this.#find(host));
  }

  repin({ host, fingerprint, pinnedAtMs }: Pin, from: string): 'ok' | 'stale' {
    const changed = this.#db.transaction(() =>
      this.#db.run(
        'UPDATE pin SET fingerprint = ?, pinned_at_ms = ? WHERE host = ? AND fingerprint = ?',
        fingerprint,
        pinnedAtMs,
        host,
        from,
      ),
    );
    return changed === 1 ? 'ok' : 'stale';
  }

  list(): Pin[] {
    return this.#db.guarded(() => this.#db.rows('SELECT * FROM pin ORDER BY host').map(pinOf));
  }

  #find(host: string): Pin | undefined {
    const row = this.#db.row('SELECT * FROM pin WHERE host = ?', host);
    return row && pinOf(row);
  }
}
