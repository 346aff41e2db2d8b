/**
 * A refund, as the one who gets it sees it: recorded before it is asked for, asked for again until
 * it has ended, believed when the own wallet has the money.
 * @module
 */
import { toHex } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { jsonObject, textMember, type Json } from '../base/json/index.ts';
import { ZERO_MSAT, parseMsat, type Msat } from '../base/money/index.ts';
import { decodeInvoice } from '../bitcoin/bolt/index.ts';
import { refundCode } from '../pay/bundle/index.ts';
import type { PayerRefund } from '../port/store/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { printAsk } from '../wire/toll/index.ts';
import { REFUND_DEADLINE_MS, REFUND_INVOICE_SECONDS } from './limits.ts';
import type { Link, LinkParts } from './link.ts';
import { persist } from './retry.ts';

/** What to refund, and where to. */
export interface RefundOptions {
  /**
   * 1 to 64 characters: the same id is the same refund, also after a crash. Absent: a new refund.
   */
  readonly refundId?: string;
  /** BOLT 11. Absent: the payer's own wallet makes one. */
  readonly invoice?: string;
  /** Absent: what the invoice says, else all that is refundable. */
  readonly amountMsat?: Msat;
  readonly deadlineMs?: number;
  /** Ends the waiting; the refund goes on, and the same id finds out. */
  readonly signal?: AbortSignal;
}

/** A refund that has arrived. */
export interface RefundResult {
  readonly refundId: string;
  readonly paymentHash: string;
  readonly amountMsat: Msat;
}

/** What a refund works with. */
export interface RefundParts extends LinkParts {
  readonly wallet: Wallet;
}

/** The session that is refunded. */
export interface RefundSession {
  readonly session: string;
  /** The fingerprint under which it was sold. */
  readonly host: string;
  readonly codeKey: Uint8Array;
  /** What the host says is refundable now. */
  refundableMsat(): Promise<Msat>;
}

/**
 * Gets prepaid money back, or goes on with a refund that was begun.
 * @throws Fault `REFUND_FAILED`: take another id. All other `REFUND_*`, and `REFUND_PENDING` when
 * time is up: the same id finds out or tries again
 */
export async function refundSession(
  parts: RefundParts,
  link: Link,
  session: RefundSession,
  options: RefundOptions,
): Promise<RefundResult> {
  const id = options.refundId ?? toHex(parts.random.bytes(16));
  const known = await parts.store.refund(id);
  const refund = known ?? (await record(parts, session, id, options));
  if (refund.session !== session.session) throw new Fault('REFUND_HASH_USED', { refundId: id });
  const ended =
    refund.state === 'asked' ? await finish(parts, link, session, refund, options) : refund;
  if (ended.state === 'failed') {
    throw new Fault('REFUND_FAILED', { refundId: id, reason: ended.reason ?? '' });
  }
  const { paymentHash, amountMsat } = ended;
  return { refundId: id, paymentHash, amountMsat };
}

/** Writes down what will be asked for; an invoice that is not used costs nothing. */
async function record(
  { store, wallet, clock }: RefundParts,
  session: RefundSession,
  id: string,
  { invoice: given, amountMsat: wanted }: RefundOptions,
): Promise<PayerRefund> {
  const asked = given === undefined ? undefined : decodeInvoice(given);
  const amountMsat = wanted ?? asked?.amountMsat ?? (await session.refundableMsat());
  if (amountMsat === ZERO_MSAT) throw new Fault('REFUND_DUST');
  const description = `refund of session ${session.session}`;
  const expirySeconds = REFUND_INVOICE_SECONDS;
  const { invoice, paymentHash } = asked
    ? { invoice: asked.text, paymentHash: asked.paymentHash }
    : await wallet.createInvoice({ amountMsat, description, expirySeconds });
  const askedAtMs = clock.now();
  return store.insertRefund({
    id,
    session: session.session,
    invoice,
    paymentHash,
    amountMsat,
    askedAtMs,
  });
}

async function finish(
  parts: RefundParts,
  link: Link,
  session: RefundSession,
  refund: PayerRefund,
  { deadlineMs = REFUND_DEADLINE_MS, signal }: RefundOptions,
): Promise<PayerRefund> {
  const { store, wallet } = parts;
  const { id, paymentHash } = refund;
  return persist({ ...parts, deadlineMs, signal }, async () => {
    const mine = await wallet.incoming(paymentHash);
    if (mine?.state === 'paid') return store.endRefund(id, 'refunded');
    // A refusal is thrown and does not end it: a copy of the question may still be on its way.
    const answer = await ask(link, session, refund, parts);
    if (answer.state === 'failed') return store.endRefund(id, 'failed', answer.reason);
    // The host's word counts for another wallet's invoice only.
    if (answer.state === 'refunded' && mine === undefined) return store.endRefund(id, 'refunded');
    if (answer.state === 'refunded') {
      const now = await wallet.incoming(paymentHash);
      if (now?.state === 'paid') return store.endRefund(id, 'refunded');
    }
    throw new Fault('REFUND_PENDING', { refundId: id });
  });
}

async function ask(
  link: Link,
  { session, host, codeKey }: RefundSession,
  { invoice, amountMsat }: PayerRefund,
  { random }: RefundParts,
): Promise<{ readonly state: string; readonly reason?: string }> {
  const salt = random.bytes(16);
  const fields = { host, session, salt, invoice, amountMsat };
  const credential = printAsk({ session, salt, code: refundCode(codeKey, fields) });
  const params: Json = { invoice, amount_msat: amountMsat.toString() };
  const answer = jsonObject(await link.ask('toll.refund', params, credential));
  const { reason } = answer;
  return {
    state: textMember(answer, 'state'),
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}

/** What the host says is refundable. @throws Fault `HOST_MALFORMED` */
export function refundableOf(answer: Readonly<Record<string, Json>>): Msat {
  try {
    return parseMsat(answer['refundable_msat']);
  } catch {
    throw new Fault('HOST_MALFORMED', { where: 'refundable_msat' });
  }
}
