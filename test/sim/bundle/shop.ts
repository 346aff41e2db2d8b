/**
 * A simulated shop: a host with real books, and payers that buy and call, over a lossy link. Both
 * sides crash at any await point and go on from what they wrote down.
 * @module
 */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { Fault, isFault, type FaultCode } from '../../../src/base/fault/index.ts';
import { jsonObject } from '../../../src/base/json/index.ts';
import { silentLog } from '../../../src/base/log/index.ts';
import { msat } from '../../../src/base/money/index.ts';
import { seededRandom } from '../../../src/base/random/index.ts';
import { decodeInvoice } from '../../../src/bitcoin/bolt/index.ts';
import { openBooks } from '../../../src/books/index.ts';
import { openHost, service, type HostResponse, type Service } from '../../../src/host/index.ts';
import { isBalanced, type Effect } from '../../../src/pay/ledger/index.ts';
import { Payer, type PayerSession } from '../../../src/payer/index.ts';
import type { Net, NetRequest } from '../../../src/port/net/index.ts';
import {
  openHostStore,
  openPayerStore,
  type HostStore,
  type PayerStore,
} from '../../../src/port/store/index.ts';
import {
  openFakeNetwork,
  type FakeNetwork,
  type FakeWallet,
  type Outgoing,
  type PayRequest,
  type Wallet,
} from '../../../src/port/wallet/index.ts';
import { syncHostKeys, syncKeyring } from '../../fixtures/keys.ts';
import { Link, Mailbox, type Life, type SimNode, type World } from '../world.ts';

/** What one call costs here; not a round number, so that rounding shows. */
export const PRICE_MSAT = msat(701);

/** How big a shop is. */
export interface ShopOptions {
  readonly payers: number;
  readonly bundles: number;
  readonly callsPerBundle: number;
  readonly callsAtOnce: number;
  /** Payers use a part of what they buy and get the rest back; the host's wallet is a bad one. */
  readonly refunds?: boolean;
}

/** What became of each logical call, whoever asked how often. */
type Outcome =
  | { readonly kind: 'answered'; readonly value: number }
  | { readonly kind: 'failed' | 'cut' };

/** Not charged: the host says so at once, or again when the first word was lost. */
const FAILED: ReadonlySet<FaultCode> = new Set<FaultCode>(['SERVICE_FAILED', 'CALL_FAILED']);
const HOST_URL = 'http://127.0.0.1:8402';
const TRY_TIMEOUT_MS = 5_000;
/** Below the least fee that is set aside, so that a refund can always be routed. */
const MAX_ROUTE_FEE_MSAT = 900;
const FUNDS_MSAT = msat(1_000_000_000n);

/** A small shop; the seed varies its size. */
export function shopOf(seed: number): ShopOptions {
  return { payers: 1 + (seed % 2), bundles: 2, callsPerBundle: 5 + (seed % 8), callsAtOnce: 3 };
}

/** A shop whose payers want their money back. */
export function refundingShopOf(seed: number): ShopOptions {
  return { ...shopOf(seed), refunds: true };
}

/** Runs a shop until every payer has bought and used everything, then checks every total. */
export async function runShop(world: World, options: ShopOptions): Promise<void> {
  const shop = await Shop.open(world, options);
  await shop.run();
}

class Shop {
  readonly #world: World;
  readonly #options: ShopOptions;
  readonly #network: FakeNetwork;
  readonly #hostDisk: HostStore;
  readonly #payerDisks: readonly PayerStore[];
  readonly #link: Link;
  readonly #door: Mailbox<NetRequest, HostResponse>;
  readonly #hostNode: SimNode;
  readonly #payerNodes: readonly SimNode[];
  readonly #outcomes = new Map<string, Outcome>();
  /** How often the handler of a call with effect once was begun under its number. */
  readonly #begun = new Map<string, number>();
  readonly #finished = new Set<number>();
  /** What payers were told, by refund id. */
  readonly #refunded = new Map<string, bigint>();
  /** Sessions, and which payer has them. */
  readonly #sessions = new Map<string, number>();

  static async open(world: World, options: ShopOptions): Promise<Shop> {
    const disk = await openHostStore({ file: ':memory:', thread: false });
    const payerDisks = await Promise.all(
      Array.from({ length: options.payers }, () => openPayerStore({ file: ':memory:' })),
    );
    return new Shop(world, options, disk, payerDisks);
  }

  private constructor(
    world: World,
    options: ShopOptions,
    hostDisk: HostStore,
    payerDisks: readonly PayerStore[],
  ) {
    this.#world = world;
    this.#options = options;
    this.#hostDisk = hostDisk;
    this.#payerDisks = payerDisks;
    const random = seededRandom(world.random.below(2 ** 31));
    this.#network = openFakeNetwork({ clock: world.clock, random });
    this.#link = new Link(world);
    this.#hostNode = world.node('host', (life) => this.#bootHost(life));
    this.#door = new Mailbox();
    this.#payerNodes = payerDisks.map((_, i) => {
      const wallet = this.#network.wallet(`payer-${i}`);
      wallet.fund(FUNDS_MSAT);
      wallet.setRouteFee(msat(world.random.below(MAX_ROUTE_FEE_MSAT)));
      return world.node(`payer-${i}`, (life) => this.#bootPayer(life, i));
    });
    world.invariant(() => this.#check());
  }

  async run(): Promise<void> {
    this.#start(this.#hostNode);
    for (const node of this.#payerNodes) this.#start(node);
    const { clock, random } = this.#world;
    // Crashes, until the payers have had enough of them; then everything may end in peace.
    for (let i = 0; i < 12 && this.#finished.size < this.#options.payers; i++) {
      await clock.sleep(50 + random.below(3_000));
      const nodes = [this.#hostNode, ...this.#payerNodes];
      const victim = nodes[random.below(nodes.length)];
      if (victim) this.#restart(victim);
    }
    // What has arrived may not be booked yet: that is in the hands of the host.
    while (
      this.#finished.size < this.#options.payers ||
      (await this.#hostDisk.openRefunds()).length > 0
    ) {
      await clock.sleep(500);
      for (const node of [this.#hostNode, ...this.#payerNodes]) {
        if (!node.life) node.start();
      }
    }
    await this.#checkTotals();
  }

  /** Starts a node; sometimes it dies soon, in place of some event. */
  #start(node: SimNode): void {
    const { random } = this.#world;
    if (random.below(2) === 0) node.start();
    else
      node.start({ crashAfterEvents: 1 + random.below(300), skewMs: random.below(2_000) - 1_000 });
  }

  #restart(node: SimNode): void {
    node.crash();
    this.#world.at(this.#world.random.below(2_000), node.name, () => {
      if (!node.life) this.#start(node);
    });
  }

  async #bootHost(life: Life): Promise<void> {
    const store = life.through(this.#hostDisk);
    const parts = { clock: life, random: life.random, log: silentLog };
    const books = await openBooks({
      store,
      ...parts,
      limits: { refundAfterMs: 2_000 },
      onBroken: () => this.#world.fail('books broke'),
    });
    const own = this.#network.wallet('host');
    const bad = this.#options.refunds === true ? badWallet(this.#world, own) : own;
    const wallet = throughWallet(life, bad);
    const services = [this.#work('none', life), this.#work('once', life)];
    const host = await openHost({ keys: syncHostKeys(), wallet, books, services, ...parts });
    this.#door.serve(life, ({ method, url, headers, body }) =>
      host.handle({
        method,
        path: new URL(url).pathname,
        header: (name) => headers[name],
        body: body ?? new Uint8Array(0),
        address: '127.0.0.1',
      }),
    );
  }

  #work(effect: Effect, life: Life): Service {
    const value = z.strictObject({ value: z.number().int() });
    return service(`work-${effect}`, {
      description: 'Doubles a number; fails on every seventh.',
      input: value,
      output: value,
      price: { kind: 'each', priceMsat: PRICE_MSAT },
      effect,
      handler: async ({ value: x }, { session, n }) => {
        const key = `${session} ${n}`;
        if (effect === 'once') this.#begun.set(key, (this.#begun.get(key) ?? 0) + 1);
        await life.sleep(life.random.below(300));
        if (x % 7 === 6) {
          throw new Error('every seventh one fails');
        }
        return { value: x * 2 };
      },
    });
  }

  async #bootPayer(life: Life, index: number): Promise<void> {
    const disk = this.#payerDisks[index];
    assert(disk);
    const lost = (): Fault => new Fault('CALL_UNANSWERED');
    const send = this.#door.caller(life, this.#link, { timeoutMs: TRY_TIMEOUT_MS, lost });
    const net: Net = { send, close: async () => undefined };
    const wallet = throughWallet(life, this.#network.wallet(`payer-${index}`));
    const parts = { clock: life, random: life.random, log: silentLog, keyring: syncKeyring() };
    const payer = new Payer({ net, store: life.through(disk), wallet, ...parts });
    await this.#program(payer, index);
    this.#finished.add(index);
    life.note('has finished');
  }

  /**
   * The same after each start: what was bought and answered before is not bought or asked again.
   */
  async #program(payer: Payer, index: number): Promise<void> {
    const { bundles, callsPerBundle, callsAtOnce, refunds = false } = this.#options;
    const link = await untilDone(() => payer.connect(HOST_URL));
    for (let b = 0; b < bundles; b++) {
      const purchaseId = `${index}${b}`.padStart(32, '0');
      const request = {
        service: (index + b) % 2 === 0 ? 'work-none' : 'work-once',
        calls: callsPerBundle,
        maxTotalMsat: msat(PRICE_MSAT * BigInt(callsPerBundle)),
        purchaseId,
      };
      const session = await untilDone(() => payer.buy(link, request));
      this.#sessions.set(session.session, index);
      let next = 0;
      // Of a bundle that is refunded a part is left.
      const calls = refunds ? callsPerBundle >> 1 : callsPerBundle;
      const caller = async (): Promise<void> => {
        while (next < calls) await this.#call(session, `${purchaseId}-${next}`, next++);
      };
      const work = Array.from({ length: callsAtOnce }, caller);
      if (refunds && b % 2 === 0) work.push(this.#refund(session, `${purchaseId}-early`));
      await Promise.all(work);
      if (refunds) await this.#refund(session, `${purchaseId}-late`);
      await this.#checkReceipt(session);
    }
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
      await this.#world.clock.sleep(1_000);
    }
  }

  /** What the payer's wallet has received of a session's refunds. */
  async #arrivedMsat(session: string): Promise<bigint> {
    const index = this.#sessions.get(session) ?? 0;
    const wallet = this.#network.wallet(`payer-${index}`);
    let arrived = 0n;
    for (const { id, paymentHash } of (await this.#payerDisks[index]?.refunds(session)) ?? []) {
      const incoming = await wallet.incoming(paymentHash);
      if (incoming?.state === 'paid') arrived += incoming.receivedMsat;
      assert(!this.#refunded.has(id) || incoming?.receivedMsat === this.#refunded.get(id));
    }
    await wallet.close();
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
        if (error.code === 'SESSION_EXHAUSTED' && this.#options.refunds === true) {
          return { kind: 'failed' };
        }
        throw error;
      }
    });
    if (outcome.kind === 'answered') assert.equal(outcome.value, value * 2);
    const before = this.#outcomes.get(callId);
    if (before?.kind === 'answered') assert.deepEqual(outcome, before, 'an answer does not change');
    else this.#outcomes.set(callId, outcome);
  }

  #check(): void {
    for (const [key, count] of this.#begun) assert.equal(count, 1, `${key} ran twice`);
    this.#hostDisk.sheet().then(
      (sheet) => {
        if (!isBalanced(sheet)) this.#world.fail(new Error('conservation'));
      },
      (error: unknown) => this.#world.fail(error),
    );
  }

  async #checkTotals(): Promise<void> {
    const { payers, bundles, callsPerBundle } = this.#options;
    assert.deepEqual(await this.#hostDisk.audit(), []);
    const sheet = await this.#hostDisk.sheet();
    const answered = [...this.#outcomes.values()].filter(({ kind }) => kind === 'answered').length;
    const bought = BigInt(payers * bundles * callsPerBundle) * PRICE_MSAT;
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
    const { sendableMsat } = await this.#network.wallet('host').balance();
    assert.equal(sendableMsat, bought - refundedMsat - refundFeesMsat, 'the wallet has the rest');
    const calls = this.#options.refunds === true ? callsPerBundle >> 1 : callsPerBundle;
    assert.equal(this.#outcomes.size, payers * bundles * calls);
  }
}

/**
 * A wallet whose wake-ups come as they are: they are hints, and one of a dead life goes nowhere.
 */
function throughWallet(life: Life, wallet: Wallet): Wallet {
  const through = life.through(wallet);
  return new Proxy(through, {
    get: (target, key) =>
      key === 'onReceived'
        ? (wake: () => void) => wallet.onReceived(() => life.ifAlive(wake))
        : (Reflect.get(target, key) as unknown),
  });
}

/**
 * A wallet whose payments hang, fail, or end either way after a while, whoever still waits for
 * them; and which sometimes does not answer, before or after it does what it was asked.
 */
function badWallet(world: World, wallet: FakeWallet): Wallet {
  const { random } = world;
  const moody = async <T>(work: () => Promise<T>): Promise<T> => {
    const mood = random.below(16);
    if (mood === 0) throw new Fault('WALLET_STOPPED');
    if (mood === 2) {
      // It says that it is down, and does what it was asked a little later.
      world.at(random.below(3_000), 'lightning', () => void work().catch(() => undefined));
      throw new Fault('WALLET_STOPPED');
    }
    const done = await work();
    if (mood === 1) throw new Fault('WALLET_BROKEN');
    return done;
  };
  const start = async (request: PayRequest): Promise<Outgoing> => {
    const { paymentHash } = decodeInvoice(request.invoice);
    // What was started once is decided already.
    const fate = (await wallet.outgoing(paymentHash)) === undefined ? random.below(5) : 5;
    if (fate === 0) wallet.nextPay({ kind: 'fail', reason: 'PAYMENT_NO_ROUTE' });
    if (fate === 1) wallet.nextPay({ kind: 'delay', delayMs: random.below(3_000) });
    if (fate === 2) wallet.nextPay({ kind: 'pending' });
    // Whatever hangs ends one day; what has ended is not touched by it.
    const outcome = random.below(2) === 0 ? 'paid' : 'PAYMENT_REFUSED';
    const end = (): void => wallet.resolve(paymentHash, outcome);
    if (fate < 5) world.at(3_000 + random.below(17_000), 'lightning', end);
    return wallet.pay({ ...request, timeoutMs: 1_000 });
  };
  const pay = (request: PayRequest): Promise<Outgoing> => moody(() => start(request));
  const outgoing = (paymentHash: string): Promise<Outgoing | undefined> =>
    moody(() => wallet.outgoing(paymentHash));
  return new Proxy<Wallet>(wallet, {
    get: (target, key) => {
      if (key === 'pay') return pay;
      if (key === 'outgoing') return outgoing;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
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
