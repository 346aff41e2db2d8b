/**
 * Markets of honest people: payers buy, call, get refunds, until everything is used up; in the end
 * every total is known. The host may have caps, services that recover, and credit that expires.
 * @module
 */
import assert from 'node:assert/strict';
import { isFault, type FaultCode } from '../../../src/base/fault/index.ts';
import { jsonObject } from '../../../src/base/json/index.ts';
import { msat } from '../../../src/base/money/index.ts';
import type { BooksOptions } from '../../../src/books/index.ts';
import type { HostParts, ServiceOptions } from '../../../src/host/index.ts';
import { SWEEP_MS } from '../../../src/host/limits.ts';
import type { Sheet } from '../../../src/pay/ledger/index.ts';
import type { Payer, PayerSession } from '../../../src/payer/index.ts';
import type { Life, World } from '../world.ts';
import {
  HOST_URL,
  Market,
  PRICE_MSAT,
  openDisks,
  type MarketOptions,
  type Value,
} from './market.ts';
import { badWallet } from './wallets.ts';

/** What is special about a shop. */
export interface ShopOptions extends MarketOptions {
  /** Payers use a part of what they buy and get the rest back; the host's wallet is a bad one. */
  readonly refunds?: boolean;
  /**
   * The host has caps that are reached, recovers what a crash has cut, and its credit expires;
   * payers buy all their bundles at once.
   */
  readonly careful?: boolean;
  /** Payers buy less than they need, and the rest while they call. */
  readonly topUps?: boolean;
}

/** What became of each logical call, whoever asked how often. */
type Outcome =
  | { readonly kind: 'answered'; readonly value: number }
  | { readonly kind: 'failed' | 'cut' };

/** Not charged: the host says so at once, or again when the first word was lost. */
const FAILED: ReadonlySet<FaultCode> = new Set<FaultCode>(['SERVICE_FAILED', 'CALL_FAILED']);
/** A cap was reached, now or when the same order was tried before. */
const CAPPED: ReadonlySet<string> = new Set<FaultCode>([
  'SETUP_PREPAID',
  'SETUP_LIABILITY',
  'PAYMENT_FAILED',
]);
/** How often an order that reached a cap is tried again, each time as a new one. */
const ORDERS = 30;
const KEEP_DAYS = 2;
/** What a top-up adds. */
const TOP_UP_CALLS = 2;
const DAY_MS = 86_400_000;
/** Sessions live for 30 days. */
const EXPIRED_MS = (30 + KEEP_DAYS) * DAY_MS + 3_600_000;

/**
 * Runs a shop until every payer has bought and used everything, then checks every total; gives
 * the crashes of each node.
 */
export async function runShop(
  world: World,
  options: ShopOptions,
): Promise<ReadonlyMap<string, number>> {
  return new Shop(world, options, await openDisks(options)).run();
}

class Shop extends Market {
  declare protected readonly options: ShopOptions;
  readonly #outcomes = new Map<string, Outcome>();
  /** What the handlers of effect once have done, and how often, by session and number. */
  readonly #done = new Map<string, number>();
  readonly #effects = new Map<string, number>();
  /** Cut calls of which the service said that it does not know. */
  #unknown = 0;
  /** What payers were told, by refund id. */
  readonly #refunded = new Map<string, bigint>();
  /** Sessions, and which payer has them. */
  readonly #sessions = new Map<string, number>();

  protected override hostParts(_life: Life): Partial<HostParts & Pick<BooksOptions, 'limits'>> {
    if (this.options.refunds) return { wallet: badWallet(this.world, this.hostWallet) };
    if (!this.options.careful) return {};
    return { creditKeepDays: KEEP_DAYS, limits: this.#caps };
  }

  /** One payer can have one bundle and a half, all together two. */
  get #caps(): { maxPrepaidMsat: Sheet['creditMsat']; maxLiabilityMsat: Sheet['creditMsat'] } {
    const bundleMsat = PRICE_MSAT * BigInt(this.options.callsPerBundle);
    return {
      maxPrepaidMsat: msat((bundleMsat * 3n) / 2n),
      maxLiabilityMsat: msat(bundleMsat * 2n),
    };
  }

  protected override async work(life: Life, input: Value, key: string): Promise<Value> {
    const result = await super.work(life, input, key);
    this.#done.set(key, result.value);
    this.#effects.set(key, (this.#effects.get(key) ?? 0) + 1);
    return result;
  }

  protected override recover(life: Life): ServiceOptions<Value, Value>['recover'] {
    if (!this.options.careful) return undefined;
    return async ({ session, n }) => {
      await life.sleep(life.random.below(300));
      const value = this.#done.get(`${session} ${n}`);
      if (value !== undefined) return { done: { value } };
      if (life.random.below(4) > 0) return 'not-done';
      this.#unknown++;
      return 'unknown';
    };
  }

  protected override async checkBooks(sheet: Sheet): Promise<void> {
    if (!this.options.careful) return super.checkBooks(sheet);
    // A call that was cut before it did anything is begun again; its effect takes place once.
    const begun = new Map(this.begun);
    this.begun.clear();
    await super.checkBooks(sheet);
    for (const [key, count] of begun) this.begun.set(key, count);
    for (const key of begun.keys()) assert((this.#effects.get(key) ?? 0) <= 1, `${key} ran twice`);
    const { maxPrepaidMsat, maxLiabilityMsat } = this.#caps;
    const owedMsat = sheet.creditMsat + sheet.reservedMsat + sheet.refundingMsat;
    assert(owedMsat <= maxLiabilityMsat, 'all together');
    for (const payer of await this.#payers()) {
      assert((await this.hostDisk.prepaidMsat(payer)) <= maxPrepaidMsat, 'one payer');
    }
  }

  async #payers(): Promise<ReadonlySet<string>> {
    const { rows } = await this.hostDisk.sessionsAfter(0n, 100);
    return new Set(rows.map(({ terms }) => terms.payer));
  }

  protected override async atRest(): Promise<boolean> {
    return (await this.hostDisk.openRefunds()).length === 0;
  }

  /**
   * The same after each start: what was bought and answered before is not bought or asked again.
   */
  protected override async program(payer: Payer, index: number, life: Life): Promise<void> {
    const link = await untilDone(() => payer.connect(HOST_URL));
    const { bundles, careful = false } = this.options;
    const use = async (b: number): Promise<void> => {
      const bought = await this.#buy((id) => {
        const service = (index + b) % 2 === 0 ? 'work-none' : 'work-once';
        const { callsPerBundle, topUps } = this.options;
        const calls = callsPerBundle - (topUps === true ? TOP_UP_CALLS : 0);
        const maxTotalMsat = msat(PRICE_MSAT * BigInt(calls));
        const purchaseId = `${index}${b}${id}`.padStart(32, '0');
        return untilDone(() => payer.buy(link, { service, calls, maxTotalMsat, purchaseId }));
      }, life);
      if (bought === undefined) return;
      this.#sessions.set(bought.session, index);
      await this.#use(bought, b);
    };
    if (careful) await Promise.all(Array.from({ length: bundles }, (_, b) => use(b)));
    else for (let b = 0; b < bundles; b++) await use(b);
  }

  /** Buys a bundle; where a cap is reached, later. */
  async #buy(
    order: (id: string) => Promise<PayerSession>,
    life: Life,
  ): Promise<PayerSession | undefined> {
    for (let i = 0; i < ORDERS; i++) {
      try {
        return await order(`f${i}`);
      } catch (error) {
        const capped = this.options.careful && isFault(error) && CAPPED.has(error.code);
        if (!capped) throw error;
        await life.sleep(500);
      }
    }
    return undefined;
  }

  async #use(session: PayerSession, b: number): Promise<void> {
    const { callsPerBundle, callsAtOnce, refunds = false, topUps = false } = this.options;
    let next = 0;
    // Of a bundle that is refunded a part is left.
    const calls = refunds ? callsPerBundle >> 1 : callsPerBundle;
    let bought = topUps ? calls - TOP_UP_CALLS : calls;
    const name = session.session;
    const caller = async (): Promise<void> => {
      while (next < bought) await this.#call(session, `${name}-${next}`, next++);
    };
    const work = Array.from({ length: callsAtOnce }, caller);
    if (topUps) {
      const topUpId = session.session.replaceAll(/^./g, 'e');
      const request = { calls: TOP_UP_CALLS, maxTotalMsat: msat(PRICE_MSAT * 2n), topUpId };
      await untilDone(() => session.topUp(request));
      bought = calls;
      work.push(...Array.from({ length: callsAtOnce }, caller));
    }
    if (refunds && b % 2 === 0) work.push(this.#refund(session, `${name}-early`));
    await Promise.all(work);
    if (refunds) await this.#refund(session, `${name}-late`);
    await this.#checkReceipt(session);
  }

  /** Gets everything back that is not used. One that failed is followed by another one. */
  async #refund(session: PayerSession, name: string): Promise<void> {
    for (let i = 0; ; i++) {
      const refundId = `${name}-${i}`;
      try {
        const { amountMsat } = await untilDone(() => session.refund({ refundId }));
        const before = this.#refunded.get(refundId);
        assert(before === undefined || before === amountMsat, 'the same id is the same refund');
        this.#refunded.set(refundId, amountMsat);
        return;
      } catch (error) {
        if (!isFault(error)) throw error;
        if (error.code === 'REFUND_DUST') return;
        assert(['REFUND_FAILED', 'REFUND_EXCEEDS', 'REFUND_EXPIRED'].includes(error.code));
      }
    }
  }

  /** Waits until the host says of a session what the payer knows. */
  async #checkReceipt(session: PayerSession): Promise<void> {
    for (;;) {
      const { facts } = await untilDone(() => session.receipt());
      const { servedMsat, refundedMsat, refundFeesMsat, creditMsat, paidMsat } = facts;
      const sum = servedMsat + refundedMsat + refundFeesMsat + creditMsat;
      assert(sum <= paidMsat);
      if (sum === paidMsat && refundedMsat === (await this.#arrivedMsat(session.session))) return;
      // The host has yet to hear from its wallet, or a call is under way for nobody.
      await this.world.clock.sleep(1_000);
    }
  }

  /** What the payer's wallet has received of a session's refunds. */
  async #arrivedMsat(session: string): Promise<bigint> {
    const index = this.#sessions.get(session) ?? 0;
    let arrived = 0n;
    for (const { id, paymentHash } of (await this.payerDisks[index]?.refunds(session)) ?? []) {
      const incoming = await this.payerWallets[index]?.incoming(paymentHash);
      if (incoming?.state === 'paid') arrived += incoming.receivedMsat;
      assert(!this.#refunded.has(id) || incoming?.receivedMsat === this.#refunded.get(id));
    }
    return arrived;
  }

  async #call(session: PayerSession, callId: string, value: number): Promise<void> {
    const outcome = await untilDone(async (): Promise<Outcome> => {
      try {
        const { result } = await session.call({ value }, { callId });
        return { kind: 'answered', value: Number(jsonObject(result)['value']) };
      } catch (error) {
        if (!isFault(error)) throw error;
        if (FAILED.has(error.code)) return { kind: 'failed' };
        if (error.code === 'CALL_OUTCOME_UNKNOWN') return { kind: 'cut' };
        if (error.code === 'SESSION_EXHAUSTED' && this.options.refunds === true) {
          return { kind: 'failed' };
        }
        throw error;
      }
    });
    if (outcome.kind === 'answered') assert.equal(outcome.value, value * 2);
    const cut = [...this.#outcomes.values(), outcome].some(({ kind }) => kind === 'cut');
    assert(!cut || !this.options.careful || this.#unknown > 0, 'only what nobody knows is cut');
    const before = this.#outcomes.get(callId);
    if (before?.kind === 'answered') assert.deepEqual(outcome, before, 'an answer does not change');
    else this.#outcomes.set(callId, outcome);
  }

  protected override async checkTotals(): Promise<void> {
    const { payers, bundles, callsPerBundle } = this.options;
    assert(this.options.careful || this.#sessions.size === payers * bundles);
    const sheet = await this.hostDisk.sheet();
    const answered = [...this.#outcomes.values()].filter(({ kind }) => kind === 'answered').length;
    const bought = BigInt(this.#sessions.size * callsPerBundle) * PRICE_MSAT;
    assert.equal(sheet.receivedMsat, bought, 'each bundle was paid once');
    assert.equal(sheet.servedMsat, BigInt(answered) * PRICE_MSAT, 'each answer was charged once');
    assert.equal(sheet.reservedMsat, 0n, 'nothing stays reserved');
    const { refundedMsat, refundFeesMsat, refundingMsat } = sheet;
    const left = bought - sheet.servedMsat - refundedMsat - refundFeesMsat;
    assert.equal(sheet.creditMsat, left, 'the rest is credit');
    assert.equal(refundingMsat, 0n, 'every refund has ended');
    let arrived = 0n;
    for (const session of this.#sessions.keys()) arrived += await this.#arrivedMsat(session);
    assert.equal(refundedMsat, arrived, 'each refund was paid once');
    const { sendableMsat } = await this.hostWallet.balance();
    assert.equal(sendableMsat, bought - refundedMsat - refundFeesMsat, 'the wallet has the rest');
    const calls = this.options.refunds === true ? callsPerBundle >> 1 : callsPerBundle;
    assert.equal(this.#outcomes.size, this.#sessions.size * calls);
    if (this.options.careful) await this.#expire(left);
  }

  /** A month later the rest is owed no more; the host may crash while it sweeps. */
  async #expire(left: bigint): Promise<void> {
    const { clock, random, seed } = this.world;
    const { hostNode } = this;
    assert.equal((await this.hostDisk.sheet()).expiredMsat, 0n, 'nothing expires before its day');
    if (seed % 25 === 0 && hostNode.life) {
      // It notices by itself, with the next sweep.
      hostNode.life.skewMs = EXPIRED_MS;
      await clock.sleep(SWEEP_MS + 60_000);
    }
    while ((await this.hostDisk.sheet()).expiredMsat < left) {
      hostNode.crash();
      hostNode.start({ skewMs: EXPIRED_MS, crashAfterEvents: 10 + random.below(60) });
      await clock.sleep(1_000);
    }
    const { expiredMsat, creditMsat } = await this.hostDisk.sheet();
    assert.deepEqual([expiredMsat, creditMsat], [left, 0n]);
  }
}

/** A payer does not give up: what is unknown or passing is asked again, under the same id. */
async function untilDone<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isFault(error) || error.row.retry !== 'same') throw error;
    }
  }
}
