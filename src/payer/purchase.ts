/**
 * What a purchase is: a bundle or a top-up, with or without a quote.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { PayerKeyring } from '../port/keys/index.ts';
import type { Purchase, PurchaseChange } from '../port/store/index.ts';
import type { Link } from './link.ts';
import type { PaymentParts } from './payment.ts';
import { parseRecord, printRecord, type SessionRecord } from './record.ts';
import type { SessionKey } from './session.ts';
import { assertNewInvoice, openReply } from './setup.ts';
import { setupKey } from './trust.ts';

/** True for more calls of a session, false for a bundle. */
export function isTopUp({ record }: Purchase): boolean {
  return parseRecord(record).stage === 'topup';
}

/** What an order is sent with. */
export interface OrderParts extends PaymentParts {
  readonly keyring: PayerKeyring;
}

/**
 * Sends the order and checks the quote.
 * @throws Fault `SETUP_*`, `HOST_SIGNATURE`, `HOST_TERMS`, `PAYMENT_PRICE`, `INVOICE_*`
 */
export async function quoteSetUp(
  { wallet, keyring, clock, store }: OrderParts,
  link: Link,
  asked: {
    readonly purchase: Purchase;
    readonly byHand: boolean;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Omit<PurchaseChange, 'id' | 'version'>> {
  const { purchase, byHand, signal } = asked;
  const record = parseRecord(purchase.record);
  if (record.stage !== 'setup') throw new Fault('STORE_CORRUPT', { what: 'purchase record' });
  const host = setupKey(link, record.request.host, clock.now());
  const reply = await link.ask('toll.setup', record.request, undefined, signal);
  // The wallet that pays by hand is not ours: it says no to an invoice of another network.
  const { network } = byHand ? link.description : await wallet.info();
  const { service } = purchase;
  const check = { host, service, network, nowMs: clock.now(), keyring };
  const quote = await openReply(reply, record, check);
  const other = await store.purchaseBySession(quote.session);
  // The host chooses the session's id; it must not name what another host has sold.
  if (other && other.id !== purchase.id) throw new Fault('HOST_TERMS', { where: 'session' });
  await assertNewInvoice(store, purchase, quote.paymentHash);
  return {
    session: quote.session,
    paymentHash: quote.paymentHash,
    amountMsat: quote.totalMsat,
    record: printRecord(byHand ? { ...quote.record, byHand } : quote.record),
  };
}

/** What a session is used with. @throws Fault `STORE_CORRUPT` */
export function sessionKey(link: Link, purchase: Purchase): SessionKey {
  const { codeKey, lines, host = link.key.fingerprint } = sessionRecord(purchase);
  const { session, service, paymentHash } = purchase;
  if (session === undefined || paymentHash === undefined) {
    throw new Fault('STORE_CORRUPT', { what: 'purchase record' });
  }
  const services = lines?.map((line) => line.service) ?? [service];
  return { session, services, host, codeKey, paymentHash };
}

/** What is kept of a purchase that has a quote. @throws Fault `STORE_CORRUPT` */
export function sessionRecord({ record }: Purchase): SessionRecord {
  const parsed = parseRecord(record);
  if (parsed.stage !== 'session') throw new Fault('STORE_CORRUPT', { what: 'purchase record' });
  return parsed;
}
