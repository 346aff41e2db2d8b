/**
 * Wallets of a simulated market: on their word, moody, and lying.
 * @module
 */
import { Fault } from '../../../src/base/fault/index.ts';
import { msat } from '../../../src/base/money/index.ts';
import type { Random } from '../../../src/base/random/index.ts';
import { decodeInvoice } from '../../../src/bitcoin/bolt/index.ts';
import type {
  CreatedInvoice,
  FakeWallet,
  Incoming,
  InvoiceRequest,
  Outgoing,
  PayRequest,
  Received,
  Wallet,
} from '../../../src/port/wallet/index.ts';
import type { Life, World } from '../world.ts';

/**
 * A wallet whose wake-ups come as they are: they are hints, and one of a dead life goes nowhere.
 */
export function throughWallet(life: Life, wallet: Wallet): Wallet {
  const onReceived = (wake: () => void): (() => void) =>
    wallet.onReceived(() => life.ifAlive(wake));
  return withMethods(life.through(wallet), { onReceived });
}

/**
 * A wallet whose payments hang, fail, or end either way after a while, whoever still waits for
 * them; and which sometimes does not answer, before or after it does what it was asked.
 */
export function badWallet(world: World, wallet: FakeWallet): Wallet {
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
    const paymentHash = hashOf(request.invoice);
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
  return withMethods(wallet, { pay, outgoing });
}

/**
 * The wallet of a host that cannot trust it: it reports payments twice, out of order, with other
 * amounts, from further back, without end; it sells one hash twice; it says that a payment failed,
 * or nothing, and it arrives later.
 */
export function lyingHostWallet(world: World, wallet: FakeWallet): Wallet {
  const { random } = world;
  const made: CreatedInvoice[] = [];
  const createInvoice = async (request: InvoiceRequest): Promise<CreatedInvoice> => {
    const old = made[random.below(Math.max(1, made.length))];
    if (old !== undefined && random.below(6) === 0) return old;
    const amountMsat = msat((request.amountMsat ?? 1n) * (random.below(8) === 0 ? 3n : 1n));
    const invoice = await wallet.createInvoice({ ...request, amountMsat });
    made.push(invoice);
    return invoice;
  };
  const receivedAfter = async (cursor: bigint, limit: number): Promise<readonly Received[]> => {
    const list = await wallet.receivedAfter(random.below(4) === 0 ? 0n : cursor, limit);
    const lie = pick(random, LISTS);
    return lie === undefined ? list : lie(list, limit);
  };
  return withMethods(wallet, { createInvoice, receivedAfter, ...payer(world, wallet) });
}

/** What lists of payments are made of the true ones. */
const LISTS: readonly (
  | ((list: readonly Received[], limit: number) => readonly Received[])
  | undefined
)[] = [
  undefined,
  undefined,
  (list) => list.flatMap((payment) => [payment, payment]),
  (list) => list.toReversed(),
  (list) => list.map((payment) => ({ ...payment, receivedMsat: msat(payment.receivedMsat * 2n) })),
  (list) => list.map((payment) => ({ ...payment, receivedMsat: msat(1) })),
  (list) => list.map((payment) => ({ ...payment, cursor: 0n })),
  (list) => list.map((payment) => ({ ...payment, paymentHash: '77'.repeat(32) })),
  ([first], limit) => (first ? Array.from({ length: limit }, () => first) : []),
];

/** The wallet of a payer that cannot trust it: what it says of its payments is not what they do. */
export function lyingPayerWallet(world: World, wallet: FakeWallet): Wallet {
  const incoming = async (paymentHash: string): Promise<Incoming | undefined> => {
    if (world.random.below(4) === 0) return { state: 'open', receivedMsat: msat(0) };
    return wallet.incoming(paymentHash);
  };
  return withMethods(wallet, { incoming, ...payer(world, wallet) });
}

/** Pays as it is asked, and says something else. */
function payer(world: World, wallet: FakeWallet): Pick<Wallet, 'pay' | 'outgoing'> {
  const { random } = world;
  const lie = (truth: Outgoing): Outgoing => {
    const { amountMsat } = truth;
    const lies: readonly Outgoing[] = [
      { state: 'failed', amountMsat, reason: 'PAYMENT_NO_ROUTE' },
      { state: 'pending', amountMsat },
      { state: 'paid', amountMsat, feeMsat: msat(0), preimage: '00'.repeat(32) },
      { state: 'paid', amountMsat: msat(1), feeMsat: msat(FEES_MSAT), preimage: '?' },
    ];
    return random.below(3) === 0 ? (lies[random.below(lies.length)] ?? truth) : truth;
  };
  const pay = async (request: PayRequest): Promise<Outgoing> => {
    const paymentHash = hashOf(request.invoice);
    if (random.below(3) === 0 && (await wallet.outgoing(paymentHash)) === undefined) {
      wallet.nextPay({ kind: 'pending' });
      // It stays pending for ever, or ends one day.
      const outcome = random.below(3) === 0 ? 'PAYMENT_REFUSED' : 'paid';
      const end = (): void => wallet.resolve(paymentHash, outcome);
      if (random.below(3) > 0) world.at(random.below(60_000), 'lightning', end);
    }
    const truth = await wallet.pay({ ...request, timeoutMs: random.below(2_000) });
    if (random.below(12) === 0) return new Promise(() => undefined);
    return lie(truth);
  };
  const outgoing = async (paymentHash: string): Promise<Outgoing | undefined> => {
    const truth = await wallet.outgoing(paymentHash);
    return truth === undefined || random.below(8) === 0 ? undefined : lie(truth);
  };
  return { pay, outgoing };
}

/** More than anybody allows. */
const FEES_MSAT = 10_000_000;

/** Invoices are read once: to recover their signers takes most of the time of a world. */
const hashes = new Map<string, string>();

function hashOf(invoice: string): string {
  const known = hashes.get(invoice) ?? decodeInvoice(invoice).paymentHash;
  hashes.set(invoice, known);
  return known;
}

function pick<T>(random: Random, list: readonly T[]): T | undefined {
  return list[random.below(list.length)];
}

/** The same wallet with some methods of its own. */
export function withMethods<W extends Wallet>(wallet: W, methods: Partial<Wallet>): W {
  return new Proxy(wallet, {
    get: (target, key) => {
      const own: unknown = Reflect.get(methods, key);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
