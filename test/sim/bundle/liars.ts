/**
 * Markets with liars: a host that lies about everything, or wallets that do. What an honest side
 * does may fail with any fault; what it was promised holds.
 * @module
 */
import assert from 'node:assert/strict';
import { isFault } from '../../../src/base/fault/index.ts';
import { msat } from '../../../src/base/money/index.ts';
import type { HostParts, HostResponse } from '../../../src/host/index.ts';
import type { Sheet } from '../../../src/pay/ledger/index.ts';
import type { Payer, PayerSession } from '../../../src/payer/index.ts';
import type { NetRequest } from '../../../src/port/net/index.ts';
import type { Outgoing, PayRequest, Wallet } from '../../../src/port/wallet/index.ts';
import { decodeInvoice } from '../../../src/bitcoin/bolt/index.ts';
import type { Life, World } from '../world.ts';
import { Liar } from './liar.ts';
import {
  FUNDS_MSAT,
  HOST_URL,
  Market,
  PRICE_MSAT,
  openDisks,
  type Disks,
  type MarketOptions,
} from './market.ts';
import { lyingHostWallet, lyingPayerWallet, withMethods } from './wallets.ts';

/** Who lies. */
export interface LiarOptions extends MarketOptions {
  readonly liar: 'host' | 'wallets';
}

/** Runs a market until every payer has tried everything, then checks what was promised. */
export async function runLiars(world: World, options: LiarOptions): Promise<void> {
  await new LiarMarket(world, options, await openDisks(options)).run();
}

/** Tries of one purchase: what it says may be another thing each time. */
const TRIES = 3;
/** What a payer allows for routing: 1 %, at least 5 sat. */
const FEE_LIMIT_MSAT = 5_000n;

class LiarMarket extends Market {
  declare protected readonly options: LiarOptions;
  readonly #liar: Liar;
  /** By payer and payment hash: the purchase that was paid for with it. */
  readonly #paidFor = new Map<string, string>();
  /** Calls that were answered, by the first answer. */
  readonly #answers = new Map<string, string>();

  constructor(world: World, options: LiarOptions, disks: Disks) {
    super(world, options, disks);
    this.#liar = new Liar(world.random, this.hostWallet);
  }

  protected override hostParts(): Partial<HostParts> {
    if (this.options.liar === 'host') return {};
    return { wallet: lyingHostWallet(this.world, this.hostWallet) };
  }

  protected override payerWallet(index: number): Wallet {
    const honest = super.payerWallet(index);
    const wallet =
      this.options.liar === 'host'
        ? honest
        : lyingPayerWallet(this.world, this.payerWallets[index] ?? assert.fail());
    const pay = async (request: PayRequest): Promise<Outgoing> => {
      await this.#checkPayment(index, request);
      return wallet.pay(request);
    };
    return withMethods(wallet, { pay });
  }

  protected override answer(
    handle: () => Promise<HostResponse>,
    request: NetRequest,
  ): Promise<HostResponse> {
    return this.options.liar === 'host' ? this.#liar.answer(handle, request) : handle();
  }

  protected override async checkBooks(sheet: Sheet): Promise<void> {
    await super.checkBooks(sheet);
    assert(sheet.servedMsat <= sheet.receivedMsat, 'nothing is served that was not paid');
  }

  /** One payment for one purchase, never above its limit, and written down before. */
  async #checkPayment(index: number, { invoice, maxFeeMsat }: PayRequest): Promise<void> {
    const { paymentHash, amountMsat = 0n } = decodeInvoice(invoice);
    const purchase = await this.payerDisks[index]?.purchaseByPaymentHash(paymentHash);
    assert(purchase?.state === 'paying', 'what is paid was written down');
    const payment = `${index} ${paymentHash}`;
    const before = this.#paidFor.get(payment) ?? purchase.id;
    assert.equal(before, purchase.id, 'one payment for one purchase');
    this.#paidFor.set(payment, purchase.id);
    assert.equal(new Set(this.#paidFor.values()).size, this.#paidFor.size, 'paid once');
    assert.equal(amountMsat, purchase.amountMsat);
    assert(amountMsat <= this.#limitMsat, 'never above the limit');
    assert(maxFeeMsat <= FEE_LIMIT_MSAT + amountMsat / 100n);
  }

  /** Whoever waits for a wallet that never answers is stopped and started again one day. */
  protected override waits(): void {
    const stuck = this.payerNodes.find((_, index) => !this.finished.has(index));
    if (this.world.random.below(400) === 0) stuck?.crash();
  }

  get #limitMsat(): bigint {
    return PRICE_MSAT * BigInt(this.options.callsPerBundle);
  }

  protected override async program(payer: Payer, index: number, life: Life): Promise<void> {
    const link = await this.#try(TRIES * 10, life, () => payer.connect(HOST_URL));
    if (link === undefined) return;
    for (let b = 0; b < this.options.bundles; b++) {
      const order = {
        service: (index + b) % 2 === 0 ? 'work-none' : 'work-once',
        calls: this.options.callsPerBundle,
        maxTotalMsat: msat(this.#limitMsat),
        purchaseId: `${index}${b}`.padStart(32, '0'),
      };
      const session = await this.#try(TRIES, life, () => payer.buy(link, order));
      if (session) await this.#use(session, life);
    }
    await this.#try(1, life, () => payer.resume(link));
    await this.#try(1, life, () => payer.sessions(link));
  }

  async #use(session: PayerSession, life: Life): Promise<void> {
    const { callsPerBundle } = this.options;
    const name = session.session;
    const call = async (i: number): Promise<void> => {
      const callId = `${name}-${i}`;
      const options = { callId, deadlineMs: 4_000 };
      const answer = await this.#try(2, life, () => session.call({ value: i }, options));
      if (answer === undefined) return;
      const text = JSON.stringify(answer.result);
      const before = this.#answers.get(callId) ?? text;
      assert.equal(before, text, 'what was answered is kept');
      this.#answers.set(callId, text);
    };
    for (let i = 0; i < callsPerBundle; i += 2) await Promise.all([call(i), call(i + 1)]);
    const receipt = await this.#try(1, life, () => session.receipt());
    assert(receipt === undefined || receipt.facts.session === session.session);
    await this.#try(1, life, () => session.status());
    await this.#try(2, life, () => session.refund({ refundId: name, deadlineMs: 20_000 }));
  }

  /** Any fault may come; anything else is a defect. */
  async #try<T>(tries: number, life: Life, attempt: () => Promise<T>): Promise<T | undefined> {
    for (let i = 0; i < tries; i++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isFault(error)) throw error;
        life.note(error.code);
      }
    }
    return undefined;
  }

  protected override async checkTotals(): Promise<void> {
    for (const index of this.payerDisks.keys()) await this.#checkPayer(index);
    const sheet = await this.hostDisk.sheet();
    const paid = this.#paidFor.size;
    assert(paid <= this.options.payers * this.options.bundles, 'one payment for one purchase');
    if (this.options.liar === 'wallets') return;
    // The liar's books are honest: what its payers believe they paid is what came in.
    assert(sheet.receivedMsat <= BigInt(paid) * this.#limitMsat);
  }

  /** What a payer has written down, against what its wallet really did. */
  async #checkPayer(index: number): Promise<void> {
    const [disk, wallet] = [this.payerDisks[index], this.payerWallets[index]];
    assert(disk && wallet);
    let spent = 0n;
    for (const { paymentHash = '', state, amountMsat } of await disk.purchases({})) {
      const real = await wallet.outgoing(paymentHash);
      if (real?.state === 'paid') spent += real.amountMsat + real.feeMsat;
      if (real?.state === 'pending') spent += real.amountMsat + FEE_LIMIT_MSAT;
      if (state === 'paid') assert.deepEqual([real?.state, real?.amountMsat], ['paid', amountMsat]);
      const honest = this.options.liar === 'host';
      assert(!(honest && state === 'failed' && real?.state === 'paid'), 'what is paid is known');
    }
    const paid = (await disk.purchases({ states: ['paid'] })).map(({ paymentHash }) => paymentHash);
    assert.equal(new Set(paid).size, paid.length, 'one payment for one purchase');
    let arrived = 0n;
    for (const session of await disk.purchases({ states: ['paid'] })) {
      for (const refund of await disk.refunds(session.session ?? '')) {
        const incoming = await wallet.incoming(refund.paymentHash);
        arrived += incoming?.receivedMsat ?? 0n;
        assert(refund.state !== 'refunded' || incoming?.state === 'paid', 'a refund is money');
      }
    }
    const { sendableMsat } = await wallet.balance();
    assert(sendableMsat >= FUNDS_MSAT + arrived - spent, 'nothing else left the wallet');
  }
}
