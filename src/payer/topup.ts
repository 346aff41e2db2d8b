/**
 * A top-up, as the payer sees it: a purchase of its own that is written down before it is sent,
 * whose quote the session's key vouches for. The same id is the same top-up, also after a crash.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import { fromHex } from '../base/bytes/index.ts';
import { jsonObject, textMember, type Json, type JsonObject } from '../base/json/index.ts';
import { ZERO_MSAT, parseMsat, type Msat } from '../base/money/index.ts';
import { openTopUpQuote, topUpCode } from '../pay/bundle/index.ts';
import type { Purchase, PurchaseChange } from '../port/store/index.ts';
import { printAsk } from '../wire/toll/index.ts';
import { ASK_DEADLINE_MS } from './limits.ts';
import type { Link } from './link.ts';
import type { PaymentParts } from './payment.ts';
import { parseRecord, printRecord, type TopUpRecord } from './record.ts';
import { persist } from './retry.ts';
import { assertNewInvoice, checkInvoice } from './setup.ts';

/** What to buy more of. */
export interface TopUpRequest {
  /** One of the session's services. */
  readonly service: string;
  readonly calls: number;
  /** The most that it may cost, routing fees left out. */
  readonly maxTotalMsat: Msat;
  /** 16 bytes, hex: the same id is the same top-up, also after a crash. Absent: a new one. */
  readonly topUpId?: string;
  readonly signal?: AbortSignal;
}

/** A top-up that is about to be written down. */
export interface TopUpOrder extends TopUpRequest {
  readonly topUpId: string;
  readonly host: string;
  readonly session: string;
  /** By the price list. */
  readonly priceMsat: Msat;
}

/**
 * Writes down what will be asked for, or finds what was.
 * @throws Fault `PAYMENT_PRICE`, `TOPUP_CONFLICT` when the id stands for something else
 */
export async function orderTopUp(
  { store, clock }: PaymentParts,
  order: TopUpOrder,
): Promise<Purchase> {
  const { topUpId: id, host, session, service, calls, maxTotalMsat, priceMsat } = order;
  if (fromHex(id, 'topUpId').length !== 16) throw new Fault('BYTES_LENGTH', { name: 'topUpId' });
  const known = await store.purchase(id);
  if (known === undefined && priceMsat > maxTotalMsat) {
    throw new Fault('PAYMENT_PRICE', { asked: `${priceMsat}`, limit: `${maxTotalMsat}` });
  }
  const record = { stage: 'topup', calls, maxTotalMsat, invoice: '', payByMs: 0 } as const;
  const named = { id, host, service, session };
  const { purchase } = await store.insertPurchase({
    ...named,
    amountMsat: ZERO_MSAT,
    madeAtMs: clock.now(),
    record: printRecord(record),
  });
  const before = parseRecord(purchase.record);
  const same = purchase.session === session && purchase.service === service;
  if (!same || before.stage !== 'topup' || before.calls !== calls) {
    throw new Fault('TOPUP_CONFLICT', { topUpId: id });
  }
  return purchase;
}

/** What the session is known by. */
export interface TopUpKey {
  readonly session: string;
  readonly host: string;
  readonly codeKey: Uint8Array;
}

/** Which top-up is asked about. */
export interface TopUpAsked {
  readonly key: TopUpKey;
  readonly purchase: Purchase;
  readonly signal: AbortSignal | undefined;
}

/**
 * Waits until the host says that it has the payment: until then it would refuse the calls.
 * @throws Fault `SESSION_UNPAID` when it does not say so in time: the same id asks again
 */
export async function awaitCounted(
  parts: PaymentParts,
  link: Link,
  asked: TopUpAsked,
): Promise<void> {
  const { signal } = asked;
  await persist({ ...parts, deadlineMs: ASK_DEADLINE_MS, signal }, async () => {
    const quote = await askTopUp(parts, link, asked);
    if (quote['paid'] !== true) throw new Fault('SESSION_UNPAID', { where: 'top-up' });
  });
}

/** The quote, once its code is checked. */
async function askTopUp(
  { random }: Pick<PaymentParts, 'random'>,
  link: Link,
  { key, purchase, signal }: TopUpAsked,
): Promise<JsonObject> {
  const { session, host, codeKey } = key;
  const { id, service } = purchase;
  const { calls } = topUpRecord(purchase);
  const salt = random.bytes(16);
  const code = topUpCode(codeKey, { host, session, salt, id, service, calls });
  const credential = printAsk({ session, salt, code });
  const answer = await link.ask('toll.topup', { id, service, calls }, credential, signal);
  return openTopUpQuote(codeKey, objectOf(answer));
}

/**
 * Asks for the quote and checks it: the code, the order, the price, the invoice.
 * @throws Fault `HOST_SIGNATURE`, `HOST_TERMS`, `PAYMENT_PRICE`, `INVOICE_*`
 */
export async function quoteTopUp(
  { wallet, store, clock, random }: PaymentParts,
  link: Link,
  asked: TopUpAsked,
): Promise<Omit<PurchaseChange, 'id' | 'version'>> {
  const { purchase, key } = asked;
  const { session } = key;
  const { id, service } = purchase;
  const record = topUpRecord(purchase);
  const { calls, maxTotalMsat } = record;
  const quote = await askTopUp({ random }, link, asked);
  const expected = { id, session, service, calls };
  for (const [name, value] of Object.entries(expected)) {
    if (quote[name] !== value) throw new Fault('HOST_TERMS', { where: name });
  }
  const totalMsat = parseMsat(quote['total_msat']);
  if (totalMsat > maxTotalMsat) {
    throw new Fault('PAYMENT_PRICE', { asked: `${totalMsat}`, limit: `${maxTotalMsat}` });
  }
  const invoice = textMember(quote, 'invoice');
  const { network } = await wallet.info();
  const { paymentHash, payByMs } = checkInvoice(invoice, totalMsat, {
    network,
    nowMs: clock.now(),
  });
  await assertNewInvoice(store, purchase, paymentHash);
  const offered = printRecord({ ...record, invoice, payByMs });
  return { paymentHash, amountMsat: totalMsat, record: offered };
}

function topUpRecord({ record }: Purchase): TopUpRecord {
  const parsed = parseRecord(record);
  if (parsed.stage !== 'topup') throw new Fault('STORE_CORRUPT', { what: 'top-up' });
  return parsed;
}

function objectOf(answer: Json): JsonObject {
  try {
    return jsonObject(answer);
  } catch {
    throw new Fault('HOST_FOREIGN', { where: 'top-up quote' });
  }
}
