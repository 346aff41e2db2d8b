/**
 * A simulated market: a host with real books, and payers that buy and call, over a lossy link. Both
 * sides crash at any await point and go on from what they wrote down. What the payers do and what
 * is promised to them is for the classes that extend it.
 * @module
 */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { Fault } from '../../../src/base/fault/index.ts';
import { silentLog } from '../../../src/base/log/index.ts';
import { msat } from '../../../src/base/money/index.ts';
import { seededRandom } from '../../../src/base/random/index.ts';
import { openBooks, type BooksOptions } from '../../../src/books/index.ts';
import {
  openHost,
  service,
  type HostParts,
  type HostRequest,
  type HostResponse,
  type Service,
  type ServiceOptions,
} from '../../../src/host/index.ts';
import { isBalanced, type Effect, type Sheet } from '../../../src/pay/ledger/index.ts';
import { Payer } from '../../../src/payer/index.ts';
import type { Net, NetRequest } from '../../../src/port/net/index.ts';
import {
  openHostStore,
  openPayerStore,
  type CommitGroup,
  type HostStore,
  type PayerStore,
} from '../../../src/port/store/index.ts';
import {
  openFakeNetwork,
  type FakeNetwork,
  type FakeWallet,
  type Wallet,
} from '../../../src/port/wallet/index.ts';
import { syncHostKeys, syncKeyring } from '../../fixtures/keys.ts';
import { Link, Mailbox, type Life, type SimNode, type World } from '../world.ts';
import { throughWallet } from './wallets.ts';

/** What one call costs here; not a round number, so that rounding shows. */
export const PRICE_MSAT = msat(701);
/** Where the host is. */
export const HOST_URL = 'http://127.0.0.1:8402';
const TRY_TIMEOUT_MS = 5_000;
/** Below the least fee that is set aside, so that a refund can always be routed. */
const MAX_ROUTE_FEE_MSAT = 900;
/** What each payer has in the beginning. */
export const FUNDS_MSAT = msat(1_000_000_000n);

/** How big a market is. */
export interface MarketOptions {
  readonly payers: number;
  readonly bundles: number;
  readonly callsPerBundle: number;
  readonly callsAtOnce: number;
  /** Nothing goes wrong but this: the node crashes in place of its nth event. */
  readonly crashAt?: { readonly node: string; readonly event: number };
}

/** A number that a service doubles. */
export interface Value {
  readonly value: number;
}

/** The disks of a market; they outlive every crash. */
export interface Disks {
  readonly host: HostStore;
  readonly payers: readonly PayerStore[];
}

/** Empty disks. */
export async function openDisks({ payers }: MarketOptions): Promise<Disks> {
  const open = (): Promise<PayerStore> => openPayerStore({ file: ':memory:' });
  const host = await openHostStore({ file: ':memory:', thread: false });
  return { host, payers: await Promise.all(Array.from({ length: payers }, open)) };
}

/** One market. */
export abstract class Market {
  protected readonly world: World;
  protected readonly options: MarketOptions;
  protected readonly network: FakeNetwork;
  protected readonly hostDisk: HostStore;
  protected readonly payerDisks: readonly PayerStore[];
  protected readonly hostWallet: FakeWallet;
  protected readonly payerWallets: readonly FakeWallet[];
  protected readonly hostNode: SimNode;
  protected readonly payerNodes: readonly SimNode[];
  /** How often the handler of a call with effect once was begun under its number. */
  protected readonly begun = new Map<string, number>();
  protected readonly finished = new Set<number>();
  readonly #link: Link;
  readonly #door = new Mailbox<NetRequest, HostResponse>();
  #changed = true;
  /** Payers do nothing any more. */
  #ended = false;

  constructor(world: World, options: MarketOptions, disks: Disks) {
    this.world = world;
    this.options = options;
    this.payerDisks = disks.payers;
    const commit = (groups: readonly CommitGroup[]): ReturnType<HostStore['commit']> => {
      this.#changed = true;
      return disks.host.commit(groups);
    };
    const commitLanes: HostStore['commitLanes'] = (images, extra) => {
      this.#changed = true;
      return disks.host.commitLanes(images, extra);
    };
    this.hostDisk = { ...disks.host, commit, commitLanes };
    const random = seededRandom(world.random.below(2 ** 31));
    this.network = openFakeNetwork({ clock: world.clock, random });
    const ideal = { lossPercent: 0, duplicatePercent: 0 };
    this.#link = new Link(world, options.crashAt ? ideal : {});
    this.hostWallet = this.network.wallet('host');
    this.payerWallets = disks.payers.map((_, i) => this.#fundedWallet(i));
    this.hostNode = world.node('host', (life) => this.#bootHost(life));
    this.payerNodes = disks.payers.map((_, i) =>
      world.node(`payer-${i}`, (life) => this.#bootPayer(life, i)),
    );
    world.invariant(() => this.#check());
  }

  /** What a payer does, from the start again after each crash of it. */
  protected abstract program(payer: Payer, index: number, life: Life): Promise<void>;

  /** What must hold in the end. */
  protected abstract checkTotals(): Promise<void>;

  /** Called twice a second while payers have not finished. */
  protected waits(): void {
    // Most markets come to an end by themselves.
  }

  /** Is nothing under way that could change a total? */
  protected async atRest(): Promise<boolean> {
    return true;
  }

  /** What the host has instead of its honest parts. */
  protected hostParts(_life: Life): Partial<HostParts & Pick<BooksOptions, 'limits'>> {
    return {};
  }

  /** What a payer's wallet is instead of an honest one. */
  protected payerWallet(index: number): Wallet {
    return this.payerWallets[index] ?? assert.fail();
  }

  /** The host answers. */
  protected async answer(
    handle: () => Promise<HostResponse>,
    _request: NetRequest,
  ): Promise<HostResponse> {
    return handle();
  }

  /** How the handlers do their work; `key` names the call. */
  protected async work(life: Life, { value }: Value, _key: string): Promise<Value> {
    await life.sleep(life.random.below(300));
    if (value % 7 === 6) throw new Error('every seventh one fails');
    return { value: value * 2 };
  }

  /** What becomes of a call that was cut; none: nobody knows. */
  protected recover(_life: Life): ServiceOptions<Value, Value>['recover'] {
    return undefined;
  }

  /** What must hold whenever something was written. */
  protected async checkBooks(sheet: Sheet): Promise<void> {
    assert(isBalanced(sheet), 'conservation');
    for (const [key, count] of this.begun) assert.equal(count, 1, `${key} ran twice`);
  }

  /** Runs until every payer is done, then checks every total; gives the crashes of each node. */
  async run(): Promise<ReadonlyMap<string, number>> {
    const { clock, random } = this.world;
    const nodes = [this.hostNode, ...this.payerNodes];
    for (const node of nodes) this.startNode(node);
    // Crashes, until the payers have had enough of them; then everything may end in peace.
    const crashes = this.options.crashAt ? 0 : 12;
    for (let i = 0; i < crashes && this.finished.size < this.payerNodes.length; i++) {
      await clock.sleep(50 + random.below(3_000));
      const victim = nodes[random.below(nodes.length)];
      if (victim) this.#restart(victim);
    }
    while (this.finished.size < this.payerNodes.length) {
      await clock.sleep(500);
      this.waits();
      for (const node of nodes) if (!node.life) node.start();
    }
    this.#ended = true;
    const crashed = new Map(nodes.map(({ name, crashes }) => [name, crashes]));
    for (const node of this.payerNodes) node.crash();
    // What has arrived may not be booked yet: that is in the hands of the host.
    do {
      if (!this.hostNode.life) this.hostNode.start();
      await clock.sleep(10_000);
    } while (!(await this.atRest()));
    await this.checkTotals();
    assert.deepEqual(await this.hostDisk.audit(), []);
    return crashed;
  }

  /** Starts a node; sometimes it dies soon, in place of some event. */
  protected startNode(node: SimNode): void {
    const { random } = this.world;
    const { crashAt } = this.options;
    if (crashAt?.node === node.name) node.start({ crashAfterEvents: crashAt.event });
    else if (crashAt || random.below(2) === 0) node.start();
    else
      node.start({ crashAfterEvents: 1 + random.below(300), skewMs: random.below(2_000) - 1_000 });
  }

  #restart(node: SimNode): void {
    node.crash();
    this.world.at(this.world.random.below(2_000), node.name, () => {
      if (!node.life && !this.#ended) this.startNode(node);
    });
  }

  #fundedWallet(index: number): FakeWallet {
    const wallet = this.network.wallet(`payer-${index}`);
    wallet.fund(FUNDS_MSAT);
    wallet.setRouteFee(msat(this.world.random.below(MAX_ROUTE_FEE_MSAT)));
    return wallet;
  }

  async #bootHost(life: Life): Promise<void> {
    const store = life.through(this.hostDisk);
    const { limits, wallet = this.hostWallet, ...own } = this.hostParts(life);
    const parts = { clock: life, random: life.random, log: silentLog };
    const books = await openBooks({
      store,
      ...parts,
      limits: { refundAfterMs: 2_000, ...limits },
      onBroken: () => this.world.fail(new Error('books broke')),
    });
    const host = await openHost({
      keys: syncHostKeys(),
      wallet: throughWallet(life, wallet),
      books,
      services: [this.#service('none', life), this.#service('once', life)],
      ...parts,
      ...own,
    });
    this.#door.serve(life, (request) =>
      this.answer(() => host.handle(requestOf(request)), request),
    );
  }

  #service(effect: Effect, life: Life): Service {
    const value = z.strictObject({ value: z.number().int() });
    const recover = effect === 'once' ? this.recover(life) : undefined;
    return service(`work-${effect}`, {
      description: 'Doubles a number; fails on every seventh.',
      input: value,
      output: value,
      price: { kind: 'each', priceMsat: PRICE_MSAT },
      effect,
      handler: (input, { session, n }) => {
        const key = `${session} ${n}`;
        if (effect === 'once') this.begun.set(key, (this.begun.get(key) ?? 0) + 1);
        return this.work(life, input, key);
      },
      ...(recover ? { recover } : {}),
    });
  }

  async #bootPayer(life: Life, index: number): Promise<void> {
    const disk = this.payerDisks[index];
    assert(disk);
    const lost = (): Fault => new Fault('CALL_UNANSWERED');
    const send = this.#door.caller(life, this.#link, { timeoutMs: TRY_TIMEOUT_MS, lost });
    const net: Net = { send, close: async () => undefined };
    const wallet = throughWallet(life, this.payerWallet(index));
    const keyring = syncKeyring(index % 2 === 0 ? 0 : 1);
    const parts = { clock: life, random: life.random, log: silentLog, keyring };
    const payer = new Payer({ net, store: life.through(disk), wallet, ...parts });
    await this.program(payer, index, life);
    this.finished.add(index);
    life.note('has finished');
  }

  /** The sheet is a view of what is durable: it changes with a commit and not otherwise. */
  #check(): void {
    if (!this.#changed) return;
    this.#changed = false;
    void this.hostDisk
      .sheet()
      .then((sheet) => this.checkBooks(sheet))
      .catch((error: unknown) => this.world.fail(error));
  }
}

function requestOf({ method, url, headers, body }: NetRequest): HostRequest {
  return {
    method,
    path: new URL(url).pathname,
    header: (name) => headers[name],
    body: body ?? new Uint8Array(0),
    address: '127.0.0.1',
  };
}
