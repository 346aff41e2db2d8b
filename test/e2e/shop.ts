/**
 * A real host behind a real door, with a fake Lightning network, for tests over HTTP.
 * @module
 */
import { z } from 'zod';
import { Fault } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, type Clock } from '../../src/base/time/index.ts';
import { openBooks, type Books, type BooksLimits } from '../../src/books/index.ts';
import { openHttpDoor } from '../../src/door/http/index.ts';
import {
  openHost,
  service,
  type Host,
  type HostLimits,
  type PageMaker,
  type Service,
} from '../../src/host/index.ts';
import { Payer } from '../../src/payer/index.ts';
import { openNet } from '../../src/port/net/index.ts';
import {
  openHostStore,
  openPayerStore,
  type HostStore,
  type PayerStore,
} from '../../src/port/store/index.ts';
import { openFakeNetwork, type FakeWallet } from '../../src/port/wallet/index.ts';
import { fixtureHostKeys, fixtureKeyring } from '../fixtures/keys.ts';

/** What one call costs. */
export const PRICE_MSAT = msat(1000);

/** Everything that a test needs of a shop. */
export interface TestShop {
  readonly url: string;
  readonly books: Books;
  readonly host: Host;
  readonly payer: Payer;
  readonly payerStore: PayerStore;
  readonly payerWallet: FakeWallet;
  readonly hostWallet: FakeWallet;
  /** How often each handler was begun, by service. */
  readonly begun: Map<string, number>;
  readonly services: readonly Service[];
  readonly store: HostStore;
  close(): Promise<void>;
}

const text = z.strictObject({ text: z.string().max(100) });

/** What a test may set. */
export interface TestShopOptions {
  readonly limits?: Partial<BooksLimits>;
  readonly hostLimits?: Partial<HostLimits>;
  readonly creditKeepDays?: number;
  readonly page?: PageMaker;
  /** Absent: the system's. */
  readonly clock?: Clock;
  /** Sold besides the usual ones. */
  readonly services?: readonly Service[];
  /** What the books have instead of their store. */
  readonly wrap?: (store: HostStore) => HostStore;
}

/** Opens a shop that sells `echo`, `fail`, `slow`, `liar` and `once`. */
export async function openShop(options: TestShopOptions = {}): Promise<TestShop> {
  const { limits = {}, hostLimits = {}, services: more = [], wrap, ...terms } = options;
  const [clock, random, log] = [options.clock ?? systemClock, systemRandom, silentLog];
  const network = openFakeNetwork({ clock, random });
  const hostWallet = network.wallet('host');
  const payerWallet = network.wallet('payer');
  payerWallet.fund(msat(1_000_000_000n));
  const store = await openHostStore({ file: ':memory:', thread: false });
  const kept = wrap?.(store) ?? store;
  const books = await openBooks({ store: kept, clock, log, limits, onBroken: () => undefined });
  const begun = new Map<string, number>();
  const common = { description: 'For tests.', input: text, output: text };
  const price = { kind: 'each', priceMsat: PRICE_MSAT } as const;
  const count = (name: string): void => void begun.set(name, (begun.get(name) ?? 0) + 1);
  const services = [
    service('echo', { ...common, price, handler: (input) => (count('echo'), input) }),
    service('once', {
      ...common,
      price,
      effect: 'once',
      handler: (input) => (count('once'), input),
    }),
    service('fail', {
      ...common,
      price,
      handler: ({ text: reason }) => {
        if (reason === 'fault') throw new Fault('SERVICE_FAILED', { reason: 'as asked' });
        throw new Error(`a secret of the handler: ${reason}`);
      },
    }),
    service('slow', {
      ...common,
      price,
      timeoutMs: 500,
      handler: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('cut')), { once: true });
        }),
    }),
    service('liar', { ...common, price, handler: () => ({ other: 1 }) as never }),
    ...more,
  ];
  const keys = await fixtureHostKeys();
  const limited = { ...terms, limits: hostLimits };
  const parts = { keys, wallet: hostWallet, books, services, clock, random, log, ...limited };
  const host = await openHost(parts);
  const door = await openHttpDoor(host, { address: '127.0.0.1', port: 0 }, log);
  const payerStore = await openPayerStore({ file: ':memory:' });
  const net = openNet();
  const payer = new Payer({
    net,
    store: payerStore,
    wallet: payerWallet,
    clock,
    random,
    log,
    keyring: fixtureKeyring(),
  });
  return {
    url: door.url,
    books,
    host,
    payer,
    payerStore,
    payerWallet,
    hostWallet,
    begun,
    services,
    store,
    close: async () => {
      await net.close();
      await door.close();
      await host.close();
      await payerStore.close();
      network.close();
    },
  };
}
