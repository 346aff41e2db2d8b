/** The few parts of bcoin 1.0.2 that the regtest chain uses. bcoin ships no types. */
declare module 'bcoin' {
  interface Output {
    script: Script;
    readonly value: number;
  }

  interface Prevout {
    /** Hex, internal byte order. */
    readonly hash: string;
    readonly index: number;
  }

  export class TX {
    static fromRaw(raw: Buffer): TX;
    readonly inputs: readonly { readonly prevout: Prevout }[];
    readonly outputs: Output[];
    /** Hex, internal byte order. */
    hash(encoding: 'hex'): string;
    /** Hex, as shown to people. */
    txid(): string;
    toRaw(): Buffer;
    /** What its inputs hold, as far as the view knows them. */
    getInputValue(view: CoinView): number;
    getOutputValue(): number;
    getVirtualSize(): number;
    isCoinbase(): boolean;
    /** Forgets cached encodings after a change. */
    refresh(): void;
  }

  export class Script {
    static readonly flags: { readonly [name: string]: number };
    static fromRaw(raw: Buffer): Script;
    toRaw(): Buffer;
  }

  export class Block {
    static fromRaw(raw: Buffer): Block;
    readonly txs: readonly TX[];
    hash(): Buffer;
    hash(encoding: 'hex'): string;
    toRaw(): Buffer;
    toHeaders(): { toRaw(): Buffer };
  }

  export class ChainEntry {
    /** Hex, internal byte order. */
    readonly hash: string;
    readonly height: number;
    readonly time: number;
  }

  export interface CoinView {
    getEntry(prevout: Prevout): {
      readonly height: number;
      readonly coinbase: boolean;
      readonly output: Output;
    } | null;
  }

  export interface DeploymentState {
    flags: number;
    lockFlags: number;
    bip34: boolean;
  }

  type BlockListener = (entry: ChainEntry, block: Block, view: CoinView) => Promise<void>;

  export class Chain {
    constructor(options: { network: Network; memory: boolean; checkpoints: boolean });
    readonly tip: ChainEntry;
    readonly height: number;
    state: DeploymentState;
    getDeployments: (time: number, prev: ChainEntry) => Promise<DeploymentState>;
    open(): Promise<void>;
    close(): Promise<void>;
    add(block: Block): Promise<ChainEntry | null>;
    getEntry(height: number): Promise<ChainEntry | null>;
    getMedianTime(prev: ChainEntry): Promise<number>;
    on(event: 'connect' | 'disconnect', listener: BlockListener): void;
    on(event: 'reorganize', listener: () => Promise<void>): void;
    on(event: 'error', listener: (error: Error) => void): void;
  }

  export class Mempool {
    constructor(options: {
      chain: Chain;
      memory: boolean;
      requireStandard: boolean;
      replaceByFee: boolean;
      maxOrphans: number;
    });
    readonly map: ReadonlyMap<string, unknown>;
    open(): Promise<void>;
    close(): Promise<void>;
    has(hash: string): boolean;
    getCoinView(tx: TX): Promise<CoinView>;
    /** The hashes of missing inputs, or null once it is in. Throws a VerifyError. */
    addTX(tx: TX): Promise<readonly string[] | null>;
    _addBlock(entry: ChainEntry, txs: readonly TX[]): Promise<void>;
    _removeBlock(entry: ChainEntry, txs: readonly TX[]): Promise<void>;
    _handleReorg(): Promise<void>;
    on(event: 'tx', listener: () => void): void;
    on(event: 'error', listener: (error: Error) => void): void;
  }

  export interface BlockTemplate {
    time: number;
    readonly target: Buffer;
    createCoinbase: (hash: Buffer) => TX;
    /** Makes the coinbase and the Merkle tree again. */
    refresh(): void;
    getRoot(nonce1: number, nonce2: number): Buffer;
    getHeader(root: Buffer, time: number, nonce: number): Buffer;
    getProof(nonce1: number, nonce2: number, time: number, nonce: number): unknown;
    commit(proof: unknown): Block;
  }

  export const mining: {
    readonly BlockTemplate: new (options: {
      prevBlock: string;
      height: number;
      version: number;
      time: number;
      bits: number;
      mtp: number;
      locktime: number;
      flags: number;
      coinbaseFlags: Buffer;
      witness: boolean;
      interval: number;
    }) => BlockTemplate;
    /** The first nonce that meets the target, or -1. */
    readonly mine: (header: Buffer, target: Buffer, min: number, max: number) => number;
  };

  export class Miner {
    constructor(options: { chain: Chain; mempool: Mempool; version: number });
    open(): Promise<void>;
    close(): Promise<void>;
    createBlock(tip: ChainEntry): Promise<BlockTemplate>;
  }

  export interface NetworkOptions {
    readonly [name: string]: unknown;
    readonly pow: { readonly bits: number };
    readonly halvingInterval: number;
  }

  export class Network {
    constructor(options: NetworkOptions);
    readonly time: { now: () => number };
  }

  export const networks: { readonly regtest: NetworkOptions };
}
