/**
 * What the wallets of a fake network own and owe, in SQLite: it outlives its user, and several
 * processes can share it.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { ZERO_MSAT, addMsat, msat, type Msat } from '../../base/money/index.ts';
import { unixMs, type UnixMs } from '../../base/time/index.ts';
import { hashOf } from './check.ts';
import { Books } from './fake-books.ts';
import { HELD_CANCEL_BLOCKS, HELD_FINAL_BLOCKS, NODE_FAIL_BACK_BLOCKS } from './limits.ts';
import { heldOf, integer, text, type Row } from './rows.ts';
import type {
  Held,
  Incoming,
  ListedIncoming,
  ListedOutgoing,
  Outgoing,
  PayFailure,
  Received,
} from './wallet.ts';

/** From the arrival of a payment to the height at which it is cancelled if it is still held. */
const HOLD_BLOCKS = HELD_FINAL_BLOCKS - NODE_FAIL_BACK_BLOCKS - HELD_CANCEL_BLOCKS;

/** A payment to book. */
export interface FakePayment {
  readonly payer: string;
  readonly paymentHash: string;
  readonly amountMsat: Msat;
  readonly feeMsat: Msat;
}

/** An invoice to keep. */
export interface FakeInvoice {
  readonly name: string;
  readonly paymentHash: string;
  /** Absent: the hash came from outside. */
  readonly preimage?: string;
  readonly amountMsat?: Msat;
  readonly expiresAtMs: UnixMs;
}

/** Where all money of a fake network is. */
export interface FakeTotals {
  readonly balancesMsat: Msat;
  /** Left its payer and has not reached its payee. */
  readonly inFlightMsat: Msat;
  /** Paid to nobody in particular. */
  readonly feesMsat: Msat;
}

/** A part of a list. */
export interface ListPage {
  readonly cursor: bigint;
  readonly limit: number;
}

/** The books of a fake network. Each method is one transaction. */
export interface FakeLedger {
  /** The key of a node (32 bytes, hex), made from `key` when it is new. */
  key(name: string, key: () => string): string;
  fund(name: string, amountMsat: Msat): void;
  balance(name: string): Msat;
  /** From now on every payment to this node costs its payer that much. */
  setRouteFee(name: string, feeMsat: Msat): void;
  /** What it costs to pay the invoice with this hash. */
  routeFee(paymentHash: string): Msat;
  /** False when the hash has been used. */
  addInvoice(invoice: FakeInvoice): boolean;
  /**
   * Takes the money from the payer, unless the payment is under way or done already. A payment that
   * failed starts afresh.
   */
  send(payment: FakePayment): Outgoing;
  /** Books a payment that fails at once. */
  refuse(payment: FakePayment, reason: PayFailure): Outgoing;
  /** Lets a pending payment arrive: paid, held, or sent back when the payee does not want it. */
  deliver(payer: string, paymentHash: string, nowMs: UnixMs): Outgoing | undefined;
  /** Sends a pending payment back. */
  fail(payer: string, paymentHash: string, reason: PayFailure): Outgoing | undefined;
  outgoing(payer: string, paymentHash: string): Outgoing | undefined;
  incoming(name: string, paymentHash: string, nowMs: UnixMs): Incoming | undefined;
  receivedAfter(name: string, cursor: bigint, limit: number): readonly Received[];
  lastReceived(name: string): bigint;
  listOutgoing(payer: string, cursor: bigint, limit: number): readonly ListedOutgoing[];
  listIncoming(name: string, page: ListPage, nowMs: UnixMs): readonly ListedIncoming[];
  /** Takes a held payment. @throws Fault `INVOICE_UNKNOWN`, `INVOICE_NOT_HELD` */
  settle(name: string, preimage: string, nowMs: UnixMs): Incoming;
  /** Sends a held payment back, or closes an open invoice. @throws Fault `INVOICE_*` */
  cancel(name: string, paymentHash: string, nowMs: UnixMs): Incoming;
  heldAfter(name: string, cursor: bigint, limit: number): readonly Held[];
  lastHeld(name: string): bigint;
  height(): number;
  /** Adds blocks, and cancels what has been held for too long. */
  mine(blocks: number): void;
  totals(): FakeTotals;
  close(): void;
}

/** Opens the books in a file, or in memory. */
export function openFakeLedger(file: string): FakeLedger {
  const books = new Books(file);
  const each = <A extends readonly unknown[], R>(work: (...args: A) => R) => {
    return (...args: A): R => books.atomically(() => work(...args));
  };
  return {
    key: each((name, key) => keyOf(books, name, key)),
    fund: each((name, amountMsat) => move(books, name, amountMsat)),
    balance: each((name) => balanceOf(books, name)),
    setRouteFee: each((name, feeMsat) => {
      books.run('UPDATE node SET route_fee_msat = ? WHERE name = ?', feeMsat, name);
    }),
    routeFee: each((paymentHash) => routeFee(books, paymentHash)),
    addInvoice: each((invoice) => addInvoice(books, invoice)),
    send: each((payment) => send(books, payment)),
    refuse: each((payment, reason) => refuse(books, payment, reason)),
    deliver: each((payer, paymentHash, nowMs) => deliver(books, { payer, paymentHash, nowMs })),
    fail: each((payer, paymentHash, reason) => fail(books, { payer, paymentHash, reason })),
    outgoing: each((payer, paymentHash) => outgoing(books, payer, paymentHash)),
    incoming: each((name, paymentHash, nowMs) => incoming(books, { name, paymentHash, nowMs })),
    receivedAfter: each((name, cursor, limit) => received(books, { name, cursor, limit })),
    lastReceived: each((name) => lastReceived(books, name)),
    listOutgoing: each((payer, cursor, limit) => listOutgoing(books, { payer, cursor, limit })),
    listIncoming: each((name, page, nowMs) => listIncoming(books, { name, ...page, nowMs })),
    settle: each((name, preimage, nowMs) => settle(books, { name, preimage, nowMs })),
    cancel: each((name, paymentHash, nowMs) => cancel(books, { name, paymentHash, nowMs })),
    heldAfter: each((name, cursor, limit) => heldAfter(books, { name, cursor, limit })),
    lastHeld: each((name) => lastHeld(books, name)),
    height: each(() => height(books)),
    mine: each((blocks) => mine(books, blocks)),
    totals: each(() => totals(books)),
    close: () => books.close(),
  };
}

function keyOf(books: Books, name: string, key: () => string): string {
  const row = books.get('SELECT key FROM node WHERE name = ?', name);
  if (row) return text(row, 'key');
  const made = key();
  books.run('INSERT INTO node (name, key) VALUES (?, ?)', name, made);
  return made;
}

function balanceOf(books: Books, name: string): Msat {
  return amount(books.get('SELECT balance_msat FROM node WHERE name = ?', name), 'balance_msat');
}

function routeFee(books: Books, paymentHash: string): Msat {
  const sql = `SELECT route_fee_msat FROM node JOIN invoice USING (name) WHERE payment_hash = ?`;
  return amount(books.get(sql, paymentHash), 'route_fee_msat');
}

function move(books: Books, name: string, byMsat: bigint): void {
  books.run('UPDATE node SET balance_msat = balance_msat + ? WHERE name = ?', byMsat, name);
}

function addInvoice(books: Books, invoice: FakeInvoice): boolean {
  const { paymentHash, name, preimage = null, amountMsat = null, expiresAtMs } = invoice;
  if (books.get('SELECT 1 FROM invoice WHERE payment_hash = ?', paymentHash)) return false;
  const sql = `INSERT INTO invoice (payment_hash, name, state, preimage, amount_msat, expires_at_ms)
    VALUES (?, ?, 'open', ?, ?, ?)`;
  books.run(sql, paymentHash, name, preimage, amountMsat, BigInt(expiresAtMs));
  return true;
}

function send(books: Books, payment: FakePayment): Outgoing {
  const { payer, paymentHash, amountMsat, feeMsat } = payment;
  const known = outgoing(books, payer, paymentHash);
  if (known && known.state !== 'failed') return known;
  const sendableMsat = balanceOf(books, payer);
  if (sendableMsat < amountMsat + feeMsat) {
    return insert(books, payment, 'PAYMENT_LIQUIDITY', sendableMsat);
  }
  move(books, payer, -(amountMsat + feeMsat));
  return insert(books, payment, undefined);
}

function refuse(books: Books, payment: FakePayment, reason: PayFailure): Outgoing {
  const known = outgoing(books, payment.payer, payment.paymentHash);
  return known && known.state !== 'failed' ? known : insert(books, payment, reason);
}

function insert(
  books: Books,
  payment: FakePayment,
  reason: PayFailure | undefined,
  sendableMsat?: Msat,
): Outgoing {
  const { payer, paymentHash, amountMsat, feeMsat } = payment;
  const state = reason === undefined ? 'pending' : 'failed';
  // A payment that failed keeps its place in the list when it starts afresh.
  const sql = `INSERT INTO payment
    (name, payment_hash, state, amount_msat, fee_msat, reason, sendable_msat)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, payment_hash) DO UPDATE SET
    state = excluded.state, amount_msat = excluded.amount_msat, fee_msat = excluded.fee_msat,
    reason = excluded.reason, sendable_msat = excluded.sendable_msat`;
  const facts = [reason ?? null, sendableMsat ?? null];
  books.run(sql, payer, paymentHash, state, amountMsat, feeMsat, ...facts);
  return outgoingOf(present(findPayment(books, payer, paymentHash)));
}

function deliver(
  books: Books,
  { payer, paymentHash, nowMs }: { payer: string; paymentHash: string; nowMs: UnixMs },
): Outgoing | undefined {
  const known = outgoing(books, payer, paymentHash);
  if (known?.state !== 'pending') return known;
  const { amountMsat } = known;
  const invoice = books.get('SELECT * FROM invoice WHERE payment_hash = ?', paymentHash);
  if (!invoice) return fail(books, { payer, paymentHash, reason: 'PAYMENT_NO_ROUTE' });
  if (invoice['state'] === 'held' && invoice['holder'] === payer) return known;
  const asked = invoice['amount_msat'] as bigint | null;
  const wanted =
    invoice['state'] === 'open' &&
    nowMs < Number(invoice['expires_at_ms']) &&
    amountMsat >= (asked ?? 0n);
  if (!wanted) return fail(books, { payer, paymentHash, reason: 'PAYMENT_REFUSED' });
  if (invoice['preimage'] === null) {
    const sql = `UPDATE invoice SET state = 'held', holder = ?, received_msat = ?
      WHERE payment_hash = ?`;
    books.run(sql, payer, amountMsat, paymentHash);
    const hold = `INSERT INTO hold (name, payment_hash, held_at_ms, cancel_height)
      VALUES (?, ?, ?, ?)`;
    const cancelHeight = height(books) + HOLD_BLOCKS;
    books.run(hold, text(invoice, 'name'), paymentHash, BigInt(nowMs), cancelHeight);
    return known;
  }
  arrive(books, { invoice, amountMsat, nowMs });
  markPaid(books, { payer, paymentHash, preimage: text(invoice, 'preimage') });
  return outgoing(books, payer, paymentHash);
}

function markPaid(
  books: Books,
  { payer, paymentHash, preimage }: { payer: string; paymentHash: string; preimage: string },
): void {
  const sql = `UPDATE payment SET state = 'paid', preimage = ? WHERE name = ? AND payment_hash = ?`;
  books.run(sql, preimage, payer, paymentHash);
}

function arrive(
  books: Books,
  { invoice, amountMsat, nowMs }: { invoice: Row; amountMsat: Msat; nowMs: UnixMs },
): void {
  const paymentHash = text(invoice, 'payment_hash');
  const name = text(invoice, 'name');
  move(books, name, amountMsat);
  const update = `UPDATE invoice SET state = 'paid', received_msat = ?, paid_at_ms = ?
    WHERE payment_hash = ?`;
  books.run(update, amountMsat, BigInt(nowMs), paymentHash);
  const insertion = `INSERT INTO received (name, payment_hash, received_msat, paid_at_ms)
    VALUES (?, ?, ?, ?)`;
  books.run(insertion, name, paymentHash, amountMsat, BigInt(nowMs));
}

function fail(
  books: Books,
  { payer, paymentHash, reason }: { payer: string; paymentHash: string; reason: PayFailure },
): Outgoing | undefined {
  const row = findPayment(books, payer, paymentHash);
  if (row?.['state'] !== 'pending') return row && outgoingOf(row);
  const update = `UPDATE payment SET state = 'failed', reason = ?
    WHERE name = ? AND payment_hash = ?`;
  books.run(update, reason, payer, paymentHash);
  move(books, payer, addMsat(amount(row, 'amount_msat'), amount(row, 'fee_msat')));
  const release = `UPDATE invoice SET state = 'cancelled', received_msat = 0
    WHERE payment_hash = ? AND holder = ? AND state = 'held'`;
  books.run(release, paymentHash, payer);
  const ended = `DELETE FROM hold WHERE payment_hash IN
    (SELECT payment_hash FROM invoice WHERE payment_hash = ? AND state = 'cancelled')`;
  books.run(ended, paymentHash);
  return outgoing(books, payer, paymentHash);
}

function findPayment(books: Books, payer: string, paymentHash: string): Row | undefined {
  return books.get('SELECT * FROM payment WHERE name = ? AND payment_hash = ?', payer, paymentHash);
}

function outgoing(books: Books, payer: string, paymentHash: string): Outgoing | undefined {
  const row = findPayment(books, payer, paymentHash);
  return row && outgoingOf(row);
}

function outgoingOf(row: Row): Outgoing {
  const amountMsat = amount(row, 'amount_msat');
  switch (row['state']) {
    case 'paid': {
      const preimage = text(row, 'preimage');
      return { state: 'paid', amountMsat, feeMsat: amount(row, 'fee_msat'), preimage };
    }
    case 'failed': {
      const failed = { state: 'failed', amountMsat, reason: row['reason'] as PayFailure } as const;
      if (row['sendable_msat'] === null) return failed;
      const neededMsat = addMsat(amountMsat, amount(row, 'fee_msat'));
      return { ...failed, liquidity: { neededMsat, sendableMsat: amount(row, 'sendable_msat') } };
    }
    default:
      return { state: 'pending', amountMsat };
  }
}

function incoming(
  books: Books,
  { name, paymentHash, nowMs }: { name: string; paymentHash: string; nowMs: UnixMs },
): Incoming | undefined {
  const sql = 'SELECT * FROM invoice WHERE payment_hash = ? AND name = ?';
  const row = books.get(sql, paymentHash, name);
  return row && incomingOf(row, nowMs);
}

function incomingOf(row: Row, nowMs: UnixMs): Incoming {
  const state = row['state'] as Incoming['state'];
  const receivedMsat = amount(row, 'received_msat');
  if (state === 'paid') return { state, receivedMsat, paidAtMs: moment(row) };
  const expired = state === 'open' && nowMs >= Number(row['expires_at_ms']);
  return expired ? { state: 'expired', receivedMsat: ZERO_MSAT } : { state, receivedMsat };
}

function received(
  books: Books,
  { name, cursor, limit }: { name: string; cursor: bigint; limit: number },
): readonly Received[] {
  const sql = 'SELECT * FROM received WHERE name = ? AND cursor > ? ORDER BY cursor LIMIT ?';
  return books.all(sql, name, cursor, limit).map((row) => ({
    cursor: integer(row, 'cursor'),
    paymentHash: text(row, 'payment_hash'),
    receivedMsat: amount(row, 'received_msat'),
    paidAtMs: moment(row),
  }));
}

function lastReceived(books: Books, name: string): bigint {
  const sql = 'SELECT coalesce(max(cursor), 0) AS last FROM received WHERE name = ?';
  return books.get(sql, name)?.['last'] as bigint;
}

function listOutgoing(
  books: Books,
  { payer, cursor, limit }: { payer: string } & ListPage,
): readonly ListedOutgoing[] {
  const sql = 'SELECT * FROM payment WHERE name = ? AND cursor > ? ORDER BY cursor LIMIT ?';
  return books.all(sql, payer, cursor, limit).map((row) => ({
    cursor: integer(row, 'cursor'),
    paymentHash: text(row, 'payment_hash'),
    outgoing: outgoingOf(row),
  }));
}

function listIncoming(
  books: Books,
  { name, cursor, limit, nowMs }: { name: string; nowMs: UnixMs } & ListPage,
): readonly ListedIncoming[] {
  const sql = 'SELECT * FROM invoice WHERE name = ? AND cursor > ? ORDER BY cursor LIMIT ?';
  return books.all(sql, name, cursor, limit).map((row) => ({
    cursor: integer(row, 'cursor'),
    paymentHash: text(row, 'payment_hash'),
    incoming: incomingOf(row, nowMs),
  }));
}

function settle(
  books: Books,
  { name, preimage, nowMs }: { name: string; preimage: string; nowMs: UnixMs },
): Incoming {
  const paymentHash = hashOf(preimage);
  const invoice = findInvoice(books, name, paymentHash);
  const known = incomingOf(invoice, nowMs);
  if (known.state === 'paid') return known;
  if (known.state !== 'held') throw new Fault('INVOICE_NOT_HELD', { state: known.state });
  arrive(books, { invoice, amountMsat: known.receivedMsat, nowMs });
  books.run('DELETE FROM hold WHERE payment_hash = ?', paymentHash);
  markPaid(books, { payer: text(invoice, 'holder'), paymentHash, preimage });
  return incomingOf(findInvoice(books, name, paymentHash), nowMs);
}

function cancel(
  books: Books,
  { name, paymentHash, nowMs }: { name: string; paymentHash: string; nowMs: UnixMs },
): Incoming {
  const invoice = findInvoice(books, name, paymentHash);
  const known = incomingOf(invoice, nowMs);
  if (known.state === 'paid') throw new Fault('INVOICE_SETTLED');
  if (known.state === 'held') sendBack(books, invoice);
  if (known.state === 'open') {
    books.run(`UPDATE invoice SET state = 'cancelled' WHERE payment_hash = ?`, paymentHash);
  }
  return incomingOf(findInvoice(books, name, paymentHash), nowMs);
}

function sendBack(books: Books, invoice: Row): void {
  const paymentHash = text(invoice, 'payment_hash');
  fail(books, { payer: text(invoice, 'holder'), paymentHash, reason: 'PAYMENT_REFUSED' });
}

function findInvoice(books: Books, name: string, paymentHash: string): Row {
  const sql = 'SELECT * FROM invoice WHERE payment_hash = ? AND name = ?';
  const row = books.get(sql, paymentHash, name);
  if (!row) throw new Fault('INVOICE_UNKNOWN');
  return row;
}

function heldAfter(
  books: Books,
  { name, cursor, limit }: { name: string } & ListPage,
): readonly Held[] {
  const sql = `SELECT hold.*, received_msat FROM hold JOIN invoice USING (payment_hash)
    WHERE hold.name = ? AND hold.cursor > ? ORDER BY hold.cursor LIMIT ?`;
  return books.all(sql, name, cursor, limit).map(heldOf);
}

function lastHeld(books: Books, name: string): bigint {
  const sql = 'SELECT coalesce(max(cursor), 0) AS last FROM hold WHERE name = ?';
  return books.get(sql, name)?.['last'] as bigint;
}

function height(books: Books): number {
  return Number(integer(present(books.get('SELECT height FROM chain')), 'height'));
}

function mine(books: Books, blocks: number): void {
  books.run('UPDATE chain SET height = height + ?', blocks);
  const due = `SELECT invoice.* FROM invoice JOIN hold USING (payment_hash)
    WHERE cancel_height <= ?`;
  for (const invoice of books.all(due, height(books))) sendBack(books, invoice);
}

function present(row: Row | undefined): Row {
  if (!row) throw new Fault('STORE_CORRUPT');
  return row;
}

function totals(books: Books): FakeTotals {
  const sum = (sql: string): Msat => amount(books.get(sql), 'sum');
  const inFlight = `SELECT coalesce(sum(amount_msat + fee_msat), 0) AS sum FROM payment
    WHERE state = 'pending'`;
  const fees = `SELECT coalesce(sum(fee_msat), 0) AS sum FROM payment WHERE state = 'paid'`;
  return {
    balancesMsat: sum('SELECT coalesce(sum(balance_msat), 0) AS sum FROM node'),
    inFlightMsat: sum(inFlight),
    feesMsat: sum(fees),
  };
}

function amount(row: Row | undefined, column: string): Msat {
  return msat((row?.[column] ?? 0n) as bigint);
}

function moment(row: Row): UnixMs {
  return unixMs(Number(row['paid_at_ms']));
}
