/**
 * What the wallet and the process of its node say to each other. Values keep their types on the
 * way: bigint and bytes survive the structured clone.
 * @module
 */
import type { Msat, Sat } from '../../../base/money/index.ts';
import type { Block, Coin, Submitted } from '../../chain/index.ts';
import type {
  Balance,
  Held,
  Incoming,
  InvoiceRequest,
  ListedIncoming,
  ListedOutgoing,
  NodeInfo,
  Outgoing,
  Received,
} from '../wallet.ts';

/** Where a node can be reached. */
export interface NodeAddress {
  /** Compressed public key, 33 bytes, hex. */
  readonly nodeId: string;
  readonly host: string;
  readonly port: number;
}

/** A channel to open. */
export interface ChannelRequest {
  readonly peer: NodeAddress;
  readonly amountSat: Sat;
  /** Given to the peer when the channel opens. */
  readonly pushMsat?: Msat;
  /** How long to wait until it can carry payments; `OPEN_CHANNEL_MS` when absent. */
  readonly timeoutMs?: number;
}

/** One channel. */
export interface Channel {
  /** 32 bytes, hex. */
  readonly channelId: string;
  /** 33 bytes, hex. */
  readonly peerId: string;
  readonly capacitySat: Sat;
  /** Ours, the channel reserve included. */
  readonly localMsat: Msat;
  readonly sendableMsat: Msat;
  readonly receivableMsat: Msat;
  /** The peer is there and payments can go. */
  readonly usable: boolean;
}

/** What a node needs to start. */
export interface StartOptions {
  readonly dir: string;
  readonly alias: string;
}

/** What a node says once it runs. */
export interface Started extends NodeAddress {
  /** Pays to the on-chain wallet of the node. */
  readonly fundingScript: Uint8Array;
}

/** A payment that the wallet has checked and the node carries out. */
export interface PaymentOrder {
  readonly invoice: string;
  /** 32 bytes, hex. */
  readonly paymentHash: string;
  readonly amountMsat: Msat;
  readonly maxFeeMsat: Msat;
  /** Whether the invoice leaves the amount to the payer. */
  readonly amountOpen: boolean;
}

/** What the wallet asks of the process of its node. */
export interface NodeMethods {
  start(options: StartOptions): Promise<Started>;
  /** Answers: the process is alive. */
  ping(): void;
  info(): NodeInfo;
  balance(): Promise<Balance>;
  createInvoice(request: InvoiceRequest): {
    invoice: string;
    paymentHash: string;
    expiresAtMs: number;
  };
  /** Answers once the outcome is certain. */
  pay(order: PaymentOrder): Promise<Outgoing>;
  /** Nobody waits any longer: start no new attempts. */
  giveUp(paymentHash: string): void;
  outgoing(paymentHash: string): Outgoing | undefined;
  incoming(paymentHash: string): Incoming | undefined;
  receivedAfter(cursor: bigint, limit: number): readonly Received[];
  listOutgoing(cursor: bigint, limit: number): readonly ListedOutgoing[];
  listIncoming(cursor: bigint, limit: number): readonly ListedIncoming[];
  settle(preimage: string): Promise<Incoming>;
  cancel(paymentHash: string): Incoming;
  heldAfter(cursor: bigint, limit: number): readonly Held[];
  connect(peer: NodeAddress): Promise<void>;
  openChannel(request: ChannelRequest): Promise<Channel>;
  channels(): readonly Channel[];
  closeChannel(channelId: string, force: boolean): void;
  /** Answers once the node has followed the chain to its tip. */
  chainChanged(): Promise<void>;
  stop(): void;
}

/** What the process of a node asks of the wallet. */
export interface WalletMethods {
  height(): Promise<number>;
  block(heightBlocks: number): Promise<Block | undefined>;
  submit(tx: Uint8Array): Promise<Submitted>;
  coins(script: Uint8Array): Promise<readonly Coin[]>;
  received(): void;
  held(): void;
  refused(txid: string, reason: string): void;
}
