/**
 * Paying for a purchase or a top-up: the store knows before the wallet is asked, the wallet has the
 * last word, and the caps on what is spent hold over all processes of a profile.
 * @module
 */
import { fromHex, toHex } from '../base/bytes/index.ts';
import { Fault, isFault } from '../base/fault/index.ts';
import { sha256 } from '../base/hash/index.ts';
import type { Log } from '../base/log/index.ts';
import { maxMsat, msat, mulDivCeil, type Msat } from '../base/money/index.ts';
import { unixMs } from '../base/time/index.ts';
import type { Purchase, PurchaseChange, SpendCap } from '../port/store/index.ts';
import type { Outgoing, Wallet } from '../port/wallet/index.ts';
import {
  INVOICE_MARGIN_MS,
  MAX_FEE_MILLIONTHS,
  MIN_FEE_LIMIT_MSAT,
  PAY_TIMEOUT_MS,
} from './limits.ts';
import type { LinkParts } from './link.ts';
import { parseRecord } from './record.ts';

/** The most that a profile may spend, routing fees left out. */
export interface SpendLimit {
  readonly limitMsat: Msat;
  /** Counted over this long, up to now. Absent: ever. */
  readonly windowMs?: number;
  /** Counted for each host by itself. Absent: for all together. */
  readonly perHost?: boolean;
}

/** What payments work with. */
export interface PaymentParts extends LinkParts {
  readonly wallet: Wallet;
  readonly log: Log;
  /** All of them hold. Every process of a profile should set the same. */
  readonly spendLimits?: readonly SpendLimit[];
}

/** The payments of a payer. */
export class Payments {
  readonly #parts: PaymentParts;

  constructor(parts: PaymentParts) {
    this.#parts = parts;
  }

  /**
   * From now on a wallet may be asked; the amount counts as spent.
   * @throws Fault `PAYMENT_SPENT` above a cap
   */
  async begin(purchase: Purchase): Promise<Purchase> {
    const { clock, spendLimits = [] } = this.#parts;
    const atMs = clock.now();
    const caps = spendLimits.map(({ limitMsat, windowMs, perHost }): SpendCap => {
      const sinceMs = unixMs(windowMs === undefined ? 0 : Math.max(0, atMs - windowMs));
      return { limitMsat, sinceMs, ...(perHost === true ? { host: purchase.host } : {}) };
    });
    return this.update(purchase, { state: 'paying', spend: { atMs, caps } });
  }

  /** Pays the invoice; what the wallet knows already is not paid again. */
  async pay(purchase: Purchase): Promise<Purchase> {
    const { wallet, log } = this.#parts;
    const { paymentHash = '', amountMsat } = purchase;
    const known = await wallet.outgoing(paymentHash);
    const outcome = known && known.state !== 'pending' ? known : await this.#start(purchase);
    switch (outcome.state) {
      case 'paid':
        assertProof(outcome.preimage, paymentHash);
        log.info('bundle paid', { paymentHash, amountMsat, feeMsat: outcome.feeMsat });
        return this.update(purchase, { state: 'paid' });
      case 'failed':
        await this.update(purchase, { state: 'failed' });
        throw new Fault(outcome.reason, { purchase: purchase.id });
      case 'pending':
        throw new Fault('PAYMENT_UNKNOWN', { purchase: purchase.id });
    }
  }

  /** The wallet has the last word: a payment that failed here may have succeeded from elsewhere. */
  async lookAgain(purchase: Purchase): Promise<Purchase> {
    const { paymentHash, id } = purchase;
    const known =
      paymentHash === undefined ? undefined : await this.#parts.wallet.outgoing(paymentHash);
    if (known?.state === 'paid') {
      assertProof(known.preimage, paymentHash);
      return this.update(purchase, { state: 'paid' });
    }
    if (known?.state === 'pending') throw new Fault('PAYMENT_UNKNOWN', { purchase: id });
    throw new Fault(known?.reason ?? 'PAYMENT_FAILED', { purchase: id });
  }

  /**
   * Writes a change. If another process was faster, its state is what counts; but that it was paid
   * always does.
   * @throws Fault `PAYMENT_SPENT`
   */
  async update(
    purchase: Purchase,
    change: Omit<PurchaseChange, 'id' | 'version'>,
  ): Promise<Purchase> {
    const { id, version } = purchase;
    const updated = await this.#parts.store.updatePurchase({ id, version, ...change });
    if (updated.kind === 'unknown') throw new Fault('STORE_CORRUPT', { what: 'purchase' });
    if (updated.kind === 'capped') throw spent(purchase, updated);
    const overtaken = updated.kind === 'stale' && change.state === 'paid';
    if (overtaken && updated.purchase.state !== 'paid')
      return this.update(updated.purchase, change);
    return updated.purchase;
  }

  async #start(purchase: Purchase): Promise<Outgoing> {
    const { wallet, clock } = this.#parts;
    const { invoice, payByMs } = invoiceOf(purchase);
    try {
      if (unixMs(payByMs - INVOICE_MARGIN_MS) < clock.now()) throw new Fault('INVOICE_EXPIRED');
      return await wallet.pay({
        invoice,
        maxFeeMsat: feeLimitMsat(purchase.amountMsat),
        timeoutMs: PAY_TIMEOUT_MS,
      });
    } catch (error) {
      // A refusal before anything was sent ends the purchase, unless an earlier try is still open.
      const refused = isFault(error) && error.row.money === 'unspent';
      const open = await wallet.outgoing(purchase.paymentHash ?? '');
      if (open) return open;
      if (refused) await this.update(purchase, { state: 'failed' });
      throw error;
    }
  }
}

/** @throws Fault `WALLET_BROKEN` when the preimage is not that of the payment */
function assertProof(preimage: string, paymentHash: string | undefined): void {
  if (toHex(sha256(fromHex(preimage, 'preimage'))) !== paymentHash) {
    throw new Fault('WALLET_BROKEN', { where: 'preimage' });
  }
}

function spent(
  { amountMsat }: Purchase,
  { cap, spentMsat }: { readonly cap: SpendCap; readonly spentMsat: Msat },
): Fault {
  const facts = { asked: `${amountMsat}`, spent: `${spentMsat}`, limit: `${cap.limitMsat}` };
  return new Fault('PAYMENT_SPENT', cap.host === undefined ? facts : { ...facts, host: cap.host });
}

function invoiceOf({ record }: Purchase): { readonly invoice: string; readonly payByMs: number } {
  const parsed = parseRecord(record);
  if (parsed.stage === 'setup' || parsed.invoice === '') {
    throw new Fault('STORE_CORRUPT', { what: 'purchase record' });
  }
  return parsed;
}

/** The most that routing may cost. */
export function feeLimitMsat(amountMsat: Msat): Msat {
  return maxMsat(mulDivCeil(amountMsat, MAX_FEE_MILLIONTHS, 1_000_000n), msat(MIN_FEE_LIMIT_MSAT));
}
