/**
 * A Lightning network for tests: its wallets obey the contract, pay each other at once, and fail
 * when they are told to.
 * @module
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { decodeInvoice, encodeInvoice } from '../../bitcoin/bolt/index.ts';
import { fromHex, toHex } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { msat, sat, type Msat } from '../../base/money/index.ts';
import type { Random } from '../../base/random/index.ts';
import { unixMs, type Clock } from '../../base/time/index.ts';
import { checkInvoiceRequest, checkPayment, hashOf, pageSize } from './check.ts';
import { openFakeLedger, type FakeLedger, type FakeTotals } from './fake-ledger.ts';
import { HELD_FINAL_BLOCKS } from './limits.ts';
import { invoiceSigner } from './signer.ts';
import type {
  Balance,
  CreatedInvoice,
  Held,
  Incoming,
  InvoiceRequest,
  ListedIncoming,
  ListedOutgoing,
  NodeInfo,
  NodeWallet,
  Outgoing,
  PayFailure,
  PayRequest,
  Received,
} from './wallet.ts';

/** How often the files of other processes are looked at. */
const POLL_MS = 20;
/** BOLT 9: var_onion_optin and payment_secret required, basic_mpp known. */
const FEATURES = [8, 14, 17];
const RECEIVABLE_MSAT = msat(1_000_000_000_000n);

/** What a fake network needs. */
export interface FakeNetworkOptions {
  /** Shared by several processes and kept when they die; absent: in memory. */
  readonly file?: string;
  readonly clock: Clock;
  readonly random: Random;
}

/** What happens to the next payment of a wallet. */
export type FakeFault =
  /** It leaves, and its outcome stays open until `resolve`. */
  | { readonly kind: 'pending' }
  /** It arrives after a while. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** It fails for certain. */
  | { readonly kind: 'fail'; readonly reason: PayFailure };

/** A fake Lightning network. */
export interface FakeNetwork {
  /** The wallet of this name; it is made when it is new. */
  wallet(name: string): FakeWallet;
  /** Adds blocks to its chain; what is held for too long is cancelled. */
  mine(blocks: number): void;
  /** All money: what was given by `fund` is always their sum. */
  totals(): FakeTotals;
  close(): void;
}

/** A wallet of a fake network. */
export interface FakeWallet extends NodeWallet {
  /** Gives it money from nowhere. */
  fund(amountMsat: Msat): void;
  /** From now on every payment to this wallet costs its payer a routing fee. */
  setRouteFee(feeMsat: Msat): void;
  /** Decides what happens to the next payment that is not decided yet; calls queue up. */
  nextPay(fault: FakeFault): void;
  /** Ends a payment of this wallet that is pending. */
  resolve(paymentHash: string, outcome: 'paid' | PayFailure): void;
  /** From now on `onReceived` and `onHeld` stay silent, or speaks again. */
  loseWakes(lose: boolean): void;
}

/** Opens a fake network. */
export function openFakeNetwork(options: FakeNetworkOptions): FakeNetwork {
  const ledger = openFakeLedger(options.file ?? ':memory:');
  const open = new Set<Member>();
  const changed = (): void => {
    for (const member of open) member.changed();
  };
  return {
    wallet: (name) => {
      const key = ledger.key(name, () => toHex(options.random.bytes(32)));
      const leave = (): void => void open.delete(member);
      const member = new Member(name, key, { ...options, ledger, changed, leave });
      open.add(member);
      return member;
    },
    mine: (blocks) => {
      ledger.mine(blocks);
      changed();
    },
    totals: () => ledger.totals(),
    close: () => {
      for (const member of open) void member.close();
      ledger.close();
    },
  };
}

interface Surroundings extends FakeNetworkOptions {
  readonly ledger: FakeLedger;
  /** The books changed: every wallet of this process looks. */
  readonly changed: () => void;
  readonly leave: () => void;
}

class Member implements FakeWallet {
  readonly #name: string;
  readonly #key: Uint8Array;
  readonly #nodeId: string;
  readonly #around: Surroundings;
  readonly #wakes = new Set<() => void>();
  readonly #heldWakes = new Set<() => void>();
  readonly #waiters = new Set<() => void>();
  readonly #faults: FakeFault[] = [];
  #lastReceived: bigint;
  #lastHeld: bigint;
  #lose = false;
  #closed = false;
  #stopPolling: () => void = () => undefined;

  constructor(name: string, key: string, around: Surroundings) {
    this.#name = name;
    this.#key = fromHex(key, 'key');
    this.#nodeId = toHex(secp256k1.getPublicKey(this.#key));
    this.#around = around;
    this.#lastReceived = around.ledger.lastReceived(name);
    this.#lastHeld = around.ledger.lastHeld(name);
  }

  async info(): Promise<NodeInfo> {
    this.#assertOpen();
    return { nodeId: this.#nodeId, network: 'regtest', heightBlocks: this.#around.ledger.height() };
  }

  async balance(): Promise<Balance> {
    this.#assertOpen();
    const sendableMsat = this.#around.ledger.balance(this.#name);
    const onchain = { onchainSat: sat(0), immatureSat: sat(0), closingSat: sat(0) };
    const channelsMsat = sendableMsat;
    return { sendableMsat, receivableMsat: RECEIVABLE_MSAT, channelsMsat, ...onchain };
  }

  async createInvoice(request: InvoiceRequest): Promise<CreatedInvoice> {
    this.#assertOpen();
    checkInvoiceRequest(request);
    const { clock, random, ledger } = this.#around;
    const { amountMsat, description, expirySeconds } = request;
    const preimage = toHex(random.bytes(32));
    const own = request.paymentHash === undefined ? { preimage } : {};
    const asked = amountMsat === undefined ? {} : { amountMsat };
    const paymentHash = request.paymentHash ?? hashOf(preimage);
    const nowMs = clock.now();
    const expiresAtMs = unixMs(nowMs + expirySeconds * 1000);
    const draft = {
      network: 'regtest' as const,
      timestampSeconds: Math.floor(nowMs / 1000),
      expirySeconds,
      paymentHash,
      paymentSecret: toHex(random.bytes(32)),
      description,
      features: FEATURES,
      ...(request.paymentHash === undefined ? {} : { minFinalCltvExpiryBlocks: HELD_FINAL_BLOCKS }),
      ...asked,
    };
    const invoice = encodeInvoice(draft, invoiceSigner(this.#key));
    const kept = { name: this.#name, paymentHash, expiresAtMs, ...asked, ...own };
    if (!ledger.addInvoice(kept)) throw new Fault('INVOICE_HASH_USED');
    return { invoice, paymentHash, expiresAtMs };
  }

  async pay(request: PayRequest): Promise<Outgoing> {
    this.#assertOpen();
    const { clock, ledger } = this.#around;
    const invoice = decodeInvoice(request.invoice);
    const { paymentHash } = invoice;
    const known = ledger.outgoing(this.#name, paymentHash);
    const facts = { nodeId: this.#nodeId, network: 'regtest' as const, nowMs: clock.now(), known };
    const amountMsat = checkPayment(invoice, request, facts);
    if (!known || known.state === 'failed') {
      const feeMsat = ledger.routeFee(paymentHash);
      const payment = { payer: this.#name, paymentHash, amountMsat, feeMsat };
      if (feeMsat > request.maxFeeMsat) ledger.refuse(payment, 'PAYMENT_FEE');
      else this.#start(payment);
      this.#around.changed();
    }
    return await this.#outcome(paymentHash, request.timeoutMs, amountMsat);
  }

  async outgoing(paymentHash: string): Promise<Outgoing | undefined> {
    this.#assertOpen();
    return this.#around.ledger.outgoing(this.#name, paymentHash);
  }

  async incoming(paymentHash: string): Promise<Incoming | undefined> {
    this.#assertOpen();
    const { ledger, clock } = this.#around;
    return ledger.incoming(this.#name, paymentHash, clock.now());
  }

  async receivedAfter(cursor: bigint, limit: number): Promise<readonly Received[]> {
    this.#assertOpen();
    return this.#around.ledger.receivedAfter(this.#name, cursor, pageSize(limit));
  }

  async listOutgoing(cursor: bigint, limit: number): Promise<readonly ListedOutgoing[]> {
    this.#assertOpen();
    return this.#around.ledger.listOutgoing(this.#name, cursor, pageSize(limit));
  }

  async listIncoming(cursor: bigint, limit: number): Promise<readonly ListedIncoming[]> {
    this.#assertOpen();
    const { ledger, clock } = this.#around;
    return ledger.listIncoming(this.#name, { cursor, limit: pageSize(limit) }, clock.now());
  }

  async settle(preimage: string): Promise<Incoming> {
    this.#assertOpen();
    const { ledger, clock } = this.#around;
    const settled = ledger.settle(this.#name, preimage, clock.now());
    this.#around.changed();
    return settled;
  }

  async cancel(paymentHash: string): Promise<Incoming> {
    this.#assertOpen();
    const { ledger, clock } = this.#around;
    const cancelled = ledger.cancel(this.#name, paymentHash, clock.now());
    this.#around.changed();
    return cancelled;
  }

  async heldAfter(cursor: bigint, limit: number): Promise<readonly Held[]> {
    this.#assertOpen();
    return this.#around.ledger.heldAfter(this.#name, cursor, pageSize(limit));
  }

  onHeld(wake: () => void): () => void {
    return this.#subscribe(this.#heldWakes, wake);
  }

  onReceived(wake: () => void): () => void {
    return this.#subscribe(this.#wakes, wake);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopPolling();
    this.#around.leave();
    for (const wake of this.#waiters) wake();
  }

  fund(amountMsat: Msat): void {
    this.#around.ledger.fund(this.#name, amountMsat);
  }

  setRouteFee(feeMsat: Msat): void {
    this.#around.ledger.setRouteFee(this.#name, feeMsat);
  }

  nextPay(fault: FakeFault): void {
    this.#faults.push(fault);
  }

  resolve(paymentHash: string, outcome: 'paid' | PayFailure): void {
    const { ledger, clock, changed } = this.#around;
    if (outcome === 'paid') ledger.deliver(this.#name, paymentHash, clock.now());
    else ledger.fail(this.#name, paymentHash, outcome);
    changed();
  }

  loseWakes(lose: boolean): void {
    this.#lose = lose;
  }

  /** Something in the books changed. */
  changed(): void {
    for (const wake of this.#waiters) wake();
    const { ledger } = this.#around;
    const received = ledger.lastReceived(this.#name);
    if (received !== this.#lastReceived) this.#tell(this.#wakes);
    this.#lastReceived = received;
    const held = ledger.lastHeld(this.#name);
    if (held > this.#lastHeld) this.#tell(this.#heldWakes);
    this.#lastHeld = held;
  }

  #tell(wakes: ReadonlySet<() => void>): void {
    if (!this.#lose) for (const wake of wakes) queueMicrotask(wake);
  }

  #subscribe(wakes: Set<() => void>, wake: () => void): () => void {
    const subscribed = (): number => this.#wakes.size + this.#heldWakes.size;
    wakes.add(wake);
    if (subscribed() === 1) this.#poll();
    return () => {
      wakes.delete(wake);
      if (subscribed() === 0) this.#stopPolling();
    };
  }

  #start(payment: Parameters<FakeLedger['send']>[0]): void {
    const { ledger, clock, changed } = this.#around;
    const fault = this.#faults.shift();
    if (fault?.kind === 'fail') return void ledger.refuse(payment, fault.reason);
    ledger.send(payment);
    const arrive = (): void => {
      ledger.deliver(this.#name, payment.paymentHash, clock.now());
    };
    if (fault === undefined) return arrive();
    if (fault.kind === 'pending') return;
    clock.timer(fault.delayMs, () => {
      if (this.#closed) return;
      arrive();
      changed();
    });
  }

  /** Waits for the outcome; another process may bring it, so the books are read again and again. */
  async #outcome(paymentHash: string, timeoutMs: number, amountMsat: Msat): Promise<Outgoing> {
    const { clock, ledger } = this.#around;
    const untilMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      if (this.#closed) return { state: 'pending', amountMsat };
      const outcome = ledger.outgoing(this.#name, paymentHash);
      const leftMs = untilMs - clock.monotonicMs();
      if (outcome && (outcome.state !== 'pending' || leftMs <= 0)) return outcome;
      await this.#changeOr(Math.min(POLL_MS, leftMs));
    }
  }

  async #changeOr(ms: number): Promise<void> {
    const changed = new AbortController();
    const wake = (): void => changed.abort();
    this.#waiters.add(wake);
    await this.#around.clock.sleep(ms, changed.signal).catch(() => undefined);
    this.#waiters.delete(wake);
  }

  #poll(): void {
    // In memory nobody else can change the books.
    if (this.#closed || this.#around.file === undefined) return;
    this.#stopPolling = this.#around.clock.timer(POLL_MS, () => {
      this.changed();
      this.#poll();
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw new Fault('WALLET_STOPPED');
  }
}
