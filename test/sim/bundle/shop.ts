/**
 * A simulated shop: a host with real books, and payers that buy and call, over a lossy link. Both
 * sides crash at any await point and go on from what they wrote down.
 * @module
 */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { Fault, isFault } from '../../../src/base/fault/index.ts';
import { jsonObject } from '../../../src/base/json/index.ts';
import { silentLog } from '../../../src/base/log/index.ts';
import { msat } from '../../../src/base/money/index.ts';
import { seededRandom } from '../../../src/base/random/index.ts';
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
import { openFakeNetwork, type FakeNetwork, type Wallet } from '../../../src/port/wallet/index.ts';
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
}

/** What became of each logical call, whoever asked how often. */
type Outcome =
  | { readonly kind: 'answered'; readonly value: number }
  | { readonly kind: 'failed' | 'cut' };

const HOST_URL = 'http://127.0.0.1:8402';
const TRY_TIMEOUT_MS = 5_000;
const FUNDS_MSAT = msat(1_000_000_000n);

/** A small shop; the seed varies its size. */
export function shopOf(seed: number): ShopOptions {
  return { payers: 1 + (seed % 2), bundles: 2, callsPerBundle: 5 + (seed % 8), callsAtOnce: 3 };
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
  /** How often the handler of a call with effect once was begun and did not fail. */
  readonly #begun = new Map<string, number>();
  readonly #finished = new Set<number>();

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
      this.#network.wallet(`payer-${i}`).fund(FUNDS_MSAT);
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
    while (this.#finished.size < this.#options.payers) {
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
      onBroken: () => this.#world.fail('books broke'),
    });
    const wallet = throughWallet(life, this.#network.wallet('host'));
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
          // A call that failed leaves nothing: the same request may run it again.
          this.#begun.delete(key);
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
    const { bundles, callsPerBundle, callsAtOnce } = this.#options;
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
      let next = 0;
      const caller = async (): Promise<void> => {
        while (next < callsPerBundle) await this.#call(session, `${purchaseId}-${next}`, next++);
      };
      await Promise.all(Array.from({ length: callsAtOnce }, caller));
      const { facts } = await untilDone(() => session.receipt());
      assert(facts.servedMsat <= facts.paidMsat);
    }
  }

  async #call(session: PayerSession, callId: string, value: number): Promise<void> {
    const outcome = await untilDone(async (): Promise<Outcome> => {
      try {
        const { result } = await session.call({ value }, { callId });
        return { kind: 'answered', value: Number(jsonObject(result)['value']) };
      } catch (error) {
        if (!isFault(error)) throw error;
        if (error.code === 'SERVICE_FAILED') return { kind: 'failed' };
        if (error.code === 'CALL_OUTCOME_UNKNOWN') return { kind: 'cut' };
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
    assert.equal(sheet.creditMsat, bought - sheet.servedMsat, 'the rest is credit');
    assert.equal(this.#outcomes.size, payers * bundles * callsPerBundle);
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
