/**
 * The embedded Lightning wallet: LDK in a process of its own, on regtest.
 * @module
 */
import { decodeInvoice, type Network } from '../../../bitcoin/bolt/index.ts';
import { Fault, isFault } from '../../../base/fault/index.ts';
import type { Log } from '../../../base/log/index.ts';
import { unixMs, type Clock } from '../../../base/time/index.ts';
import type { Chain } from '../../chain/index.ts';
import { checkInvoiceRequest, checkPayment } from '../check.ts';
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
  PayRequest,
  Received,
} from '../wallet.ts';
import type { Channel, ChannelRequest, NodeAddress, NodeMethods, PaymentOrder } from './api.ts';
import { openNodeProcess, type NodeProcess } from './child-process.ts';

/** What an embedded wallet needs. */
export interface LdkOptions {
  /** Holds the node's only file; one wallet at a time. */
  readonly dir: string;
  readonly network: Network;
  readonly chain: Chain;
  /** The name other nodes see. */
  readonly alias: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** An embedded wallet. */
export interface LdkWallet extends NodeWallet {
  /** Where other nodes reach this one. The port is kept over restarts unless it is taken. */
  address(): NodeAddress;
  /** Pays to the wallet's on-chain key, which funds channels. */
  fundingScript(): Uint8Array;
  /** Connects, and keeps connected from now on. @throws Fault `HOST_UNREACHABLE` */
  connect(peer: NodeAddress): Promise<void>;
  /**
   * Opens a channel; resolves once it can carry payments. The caller mines a block once the funding
   * transaction is in the mempool; others see the channel after six.
   * @throws Fault `CHAIN_FUNDS`; `CHANNEL_REFUSED` with the reason: nothing was sent, the coins are
   * free; `CHANNEL_UNCONFIRMED`: it takes longer, and goes on; `WALLET_STOPPED`: see `channels`
   */
  openChannel(request: ChannelRequest): Promise<Channel>;
  channels(): Promise<readonly Channel[]>;
  /**
   * Closes a channel: together with the peer, or by force. What is ours is swept by itself.
   * @throws Fault `CHANNEL_UNKNOWN`, `CHANNEL_REFUSED` when the peer is needed and away
   */
  closeChannel(options: { channelId: string; force: boolean }): Promise<void>;
  /** Calls `restarted` after the node's process ended unasked and runs again. */
  onRestart(restarted: () => void): () => void;
  /** For tests: ends the node's process as a power cut would. It starts again by itself. */
  kill(): Promise<void>;
  /** For tests: the node's process hangs. After `ANSWER_MS` it is ended and starts again. */
  freeze(): Promise<void>;
}

/**
 * Opens an embedded wallet.
 * @throws Fault `WALLET_MAINNET` on every network but regtest, `STORE_OWNED`, `STORE_NEWER`
 */
export async function openLdkWallet(options: LdkOptions): Promise<LdkWallet> {
  if (options.network !== 'regtest') {
    throw new Fault('WALLET_MAINNET', { network: options.network });
  }
  const wallet = new EmbeddedWallet(options);
  await wallet.open();
  return wallet;
}

class EmbeddedWallet implements LdkWallet {
  readonly #options: LdkOptions;
  readonly #receivedWakes = new Set<() => void>();
  readonly #heldWakes = new Set<() => void>();
  readonly #restartWakes = new Set<() => void>();
  #process: NodeProcess | undefined;
  #unfollow: () => void = () => undefined;

  constructor(options: LdkOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { dir, alias, chain, clock, log } = this.#options;
    this.#process = await openNodeProcess({
      start: { dir, alias },
      local: {
        height: () => chain.height(),
        block: (heightBlocks) => chain.block(heightBlocks),
        submit: (tx) => chain.submit(tx),
        coins: (script) => chain.coins(script),
        received: () => this.#receivedWakes.forEach((wake) => wake()),
        held: () => this.#heldWakes.forEach((wake) => wake()),
        refused: (txid, reason) => log.info('transaction refused', { txid, reason }),
      },
      clock,
      log,
      onRestart: () => {
        this.#restartWakes.forEach((wake) => wake());
        this.#receivedWakes.forEach((wake) => wake());
        this.#heldWakes.forEach((wake) => wake());
        void this.#tellChainChanged();
      },
    });
    this.#unfollow = chain.onChange(() => void this.#tellChainChanged());
    await this.#tellChainChanged();
  }

  address(): NodeAddress {
    const { nodeId, host, port } = this.#node().started;
    return { nodeId, host, port };
  }

  fundingScript(): Uint8Array {
    return this.#node().started.fundingScript;
  }

  info(): Promise<NodeInfo> {
    return this.#ask('info');
  }

  balance(): Promise<Balance> {
    return this.#ask('balance');
  }

  async createInvoice(request: InvoiceRequest): Promise<CreatedInvoice> {
    checkInvoiceRequest(request);
    const made = await this.#ask('createInvoice', request);
    return { ...made, expiresAtMs: unixMs(made.expiresAtMs) };
  }

  async pay(request: PayRequest): Promise<Outgoing> {
    const invoice = decodeInvoice(request.invoice);
    const { text, paymentHash } = invoice;
    const amountMsat = checkPayment(invoice, request, {
      nodeId: this.address().nodeId,
      network: this.#options.network,
      nowMs: this.#options.clock.now(),
      known: await this.outgoing(paymentHash),
    });
    const { maxFeeMsat, timeoutMs } = request;
    const amountOpen = invoice.amountMsat === undefined;
    const order = { invoice: text, paymentHash, amountMsat, maxFeeMsat, amountOpen };
    return await this.#payWithin(order, timeoutMs);
  }

  outgoing(paymentHash: string): Promise<Outgoing | undefined> {
    return this.#ask('outgoing', paymentHash);
  }

  incoming(paymentHash: string): Promise<Incoming | undefined> {
    return this.#ask('incoming', paymentHash);
  }

  receivedAfter(cursor: bigint, limit: number): Promise<readonly Received[]> {
    return this.#ask('receivedAfter', cursor, limit);
  }

  listOutgoing(cursor: bigint, limit: number): Promise<readonly ListedOutgoing[]> {
    return this.#ask('listOutgoing', cursor, limit);
  }

  listIncoming(cursor: bigint, limit: number): Promise<readonly ListedIncoming[]> {
    return this.#ask('listIncoming', cursor, limit);
  }

  settle(preimage: string): Promise<Incoming> {
    return this.#ask('settle', preimage);
  }

  cancel(paymentHash: string): Promise<Incoming> {
    return this.#ask('cancel', paymentHash);
  }

  heldAfter(cursor: bigint, limit: number): Promise<readonly Held[]> {
    return this.#ask('heldAfter', cursor, limit);
  }

  onHeld(wake: () => void): () => void {
    this.#heldWakes.add(wake);
    return () => this.#heldWakes.delete(wake);
  }

  onReceived(wake: () => void): () => void {
    this.#receivedWakes.add(wake);
    return () => this.#receivedWakes.delete(wake);
  }

  connect(peer: NodeAddress): Promise<void> {
    return this.#ask('connect', peer);
  }

  openChannel(request: ChannelRequest): Promise<Channel> {
    return this.#ask('openChannel', request);
  }

  channels(): Promise<readonly Channel[]> {
    return this.#ask('channels');
  }

  closeChannel({ channelId, force }: { channelId: string; force: boolean }): Promise<void> {
    return this.#ask('closeChannel', channelId, force);
  }

  onRestart(restarted: () => void): () => void {
    this.#restartWakes.add(restarted);
    return () => this.#restartWakes.delete(restarted);
  }

  kill(): Promise<void> {
    return this.#node().kill();
  }

  freeze(): Promise<void> {
    return this.#node().freeze();
  }

  async close(): Promise<void> {
    this.#unfollow();
    await this.#process?.close();
  }

  async #payWithin(order: PaymentOrder, timeoutMs: number): Promise<Outgoing> {
    const pending: Outgoing = { state: 'pending', amountMsat: order.amountMsat };
    const line = await this.#node().line();
    const outcome = line.call('pay', order).catch((error: unknown) => {
      // The process ended while it paid: the outcome is looked up after its restart.
      if (isFault(error) && error.code === 'WALLET_STOPPED') return pending;
      throw error;
    });
    return await new Promise<Outgoing>((resolve, reject) => {
      const cancel = this.#options.clock.timer(timeoutMs, () => {
        line.call('giveUp', order.paymentHash).catch(() => undefined);
        resolve(pending);
      });
      outcome.then(resolve, reject).finally(cancel);
    });
  }

  async #ask<M extends keyof NodeMethods>(
    method: M,
    ...args: Parameters<NodeMethods[M]>
  ): Promise<Awaited<ReturnType<NodeMethods[M]>>> {
    const line = await this.#node().line();
    return await line.call(method, ...args);
  }

  async #tellChainChanged(): Promise<void> {
    await this.#ask('chainChanged').catch((error: unknown) => {
      // A node that is down reads the chain when it starts.
      if (isFault(error) && error.code === 'WALLET_STOPPED') return;
      this.#options.log.warn('wallet does not follow the chain', {}, error);
    });
  }

  #node(): NodeProcess {
    if (!this.#process) throw new Fault('WALLET_STOPPED');
    return this.#process;
  }
}
