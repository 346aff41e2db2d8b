/**
 * A Bitcoin regtest chain in this process: bcoin's consensus, mempool and standardness, mining on
 * demand, blocks kept in a file.
 * @module
 */
import type * as bcoin from 'bcoin';
import { sha256 } from '../../../base/hash/index.ts';
import { toHex } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import type { Log } from '../../../base/log/index.ts';
import type { Clock } from '../../../base/time/index.ts';
import type { Block, Chain, Coin, Submitted } from '../chain.ts';
import { loadBcoin, type Bcoin } from './bcoin.ts';
import { openBlocksFile, type BlocksFile } from './blocks-file.ts';
import { openCoinIndex } from './coin-index.ts';
import { mineEmptyBlock, mineNextBlock } from './miner.ts';
import { activateAll, BLOCK_VERSION, regtestNetwork } from './rules.ts';

const HEADER_BYTES = 80;
const MIN_RELAY_SAT_PER_VBYTE = 1;

/** What a regtest chain needs. */
export interface RegtestOptions {
  /** Where the blocks are kept; absent: in memory only. One process at a time. */
  readonly file?: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A chain whose blocks are made on demand. */
export interface RegtestChain extends Chain {
  /**
   * Mines blocks with what the mempool holds; their times end at the clock's time.
   * @param script receives the rewards; by default nobody does
   */
  mine(count: number, script?: Uint8Array): Promise<void>;
  /**
   * Replaces the last `depth` blocks by `depth + 1` empty ones. The transactions of the blocks that
   * leave go back to the mempool.
   */
  reorg(depth: number): Promise<void>;
  /** How many transactions wait in the mempool. */
  mempoolSize(): number;
  /** Calls `wake` after a transaction entered the mempool. */
  onMempool(wake: () => void): () => void;
}

/**
 * Opens a regtest chain, at the genesis block or where its file ends.
 * @throws Fault `STORE_CORRUPT`, `STORE_FAILED`
 */
export async function openRegtest(options: RegtestOptions): Promise<RegtestChain> {
  const node = new RegtestNode(loadBcoin(), options);
  await node.open(options.file);
  return node;
}

class RegtestNode implements RegtestChain {
  readonly #bcoin: Bcoin;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #chain: bcoin.Chain;
  readonly #mempool: bcoin.Mempool;
  readonly #miner: bcoin.Miner;
  readonly #coins = openCoinIndex();
  readonly #blocks: Block[] = [];
  /** Hashes of transactions in the best chain, with their heights. */
  readonly #confirmed = new Map<string, number>();
  readonly #changeWakes = new Set<() => void>();
  readonly #mempoolWakes = new Set<() => void>();
  /** Transactions of disconnected blocks that go back to the mempool. */
  #returned: bcoin.TX[] = [];
  #file: BlocksFile | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(bcoinModule: Bcoin, { clock, log }: RegtestOptions) {
    const { Chain, Mempool, Miner } = bcoinModule;
    this.#bcoin = bcoinModule;
    this.#clock = clock;
    this.#log = log;
    const network = regtestNetwork(bcoinModule, clock);
    const chain = new Chain({ network, memory: true, checkpoints: false });
    const mempool = new Mempool({
      chain,
      memory: true,
      requireStandard: true,
      replaceByFee: true,
      maxOrphans: 0,
    });
    this.#chain = chain;
    this.#mempool = mempool;
    this.#miner = new Miner({ chain, mempool, version: BLOCK_VERSION });
  }

  async open(file: string | undefined): Promise<void> {
    this.#listen();
    await this.#chain.open();
    activateAll(this.#bcoin, this.#chain);
    await this.#mempool.open();
    await this.#miner.open();
    if (file === undefined) return;
    const accept = async (raw: Uint8Array): Promise<void> => {
      await this.#chain.add(this.#bcoin.Block.fromRaw(Buffer.from(raw)));
    };
    this.#file = await openBlocksFile(file, accept);
    this.#returned = [];
    this.#log.info('regtest chain opened', { height: this.#chain.height });
  }

  height(): Promise<number> {
    return Promise.resolve(this.#blocks.length);
  }

  block(heightBlocks: number): Promise<Block | undefined> {
    return Promise.resolve(this.#blocks[heightBlocks - 1]);
  }

  coins(script: Uint8Array): Promise<readonly Coin[]> {
    return Promise.resolve(this.#coins.coins(script));
  }

  async submit(raw: Uint8Array): Promise<Submitted> {
    this.#assertOpen();
    const tx = this.#decode(raw);
    if (!tx) return { ok: false, txid: txidOfBytes(raw), reason: 'tx-decode-failed' };
    const txid = tx.txid();
    const hash = tx.hash('hex');
    if (this.#mempool.has(hash) || this.#confirmed.has(hash)) return { ok: true, txid };
    const reason = await this.#refusal(tx);
    return reason === undefined ? { ok: true, txid } : { ok: false, txid, reason };
  }

  mempoolSize(): number {
    return this.#mempool.map.size;
  }

  onMempool(wake: () => void): () => void {
    this.#mempoolWakes.add(wake);
    return () => this.#mempoolWakes.delete(wake);
  }

  onChange(wake: () => void): () => void {
    this.#changeWakes.add(wake);
    return () => this.#changeWakes.delete(wake);
  }

  mine(count: number, script?: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      const mined: bcoin.Block[] = [];
      for (let left = count - 1; left >= 0; left--) {
        const template = await this.#miner.createBlock(this.#chain.tip);
        const earliest = (await this.#chain.getMedianTime(this.#chain.tip)) + 1;
        const timeSeconds = Math.max(earliest, Math.floor(this.#clock.now() / 1000) - left);
        const block = mineNextBlock(this.#bcoin, template, { timeSeconds, script });
        await this.#chain.add(block);
        mined.push(block);
      }
      this.#accepted(mined);
    });
  }

  reorg(depth: number): Promise<void> {
    return this.#inTurn(async () => {
      const branch: bcoin.Block[] = [];
      let previous = await this.#chain.getEntry(this.#chain.height - depth);
      for (let i = 0; i <= depth; i++) {
        if (!previous) throw new Fault('CHAIN_REFUSED', { reason: 'reorg below the first block' });
        const medianTimeSeconds = await this.#chain.getMedianTime(previous);
        const timeSeconds = Math.max(medianTimeSeconds + 1, Math.floor(this.#clock.now() / 1000));
        const options = {
          previous,
          medianTimeSeconds,
          timeSeconds,
          flags: this.#chain.state.flags,
        };
        const block = mineEmptyBlock(this.#bcoin, options);
        previous = await this.#chain.add(block);
        branch.push(block);
      }
      await this.#resubmit();
      this.#accepted(branch);
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#inTurn(() => Promise.resolve());
    this.#closed = true;
    this.#file?.close();
    await this.#miner.close();
    await this.#mempool.close();
    await this.#chain.close();
  }

  #listen(): void {
    const broken = (error: Error): void => this.#log.error('regtest chain failed', {}, error);
    this.#chain.on('error', broken);
    this.#mempool.on('error', broken);
    this.#mempool.on('tx', () => this.#mempoolWakes.forEach((wake) => wake()));
    this.#chain.on('connect', async (entry, block, view) => {
      this.#coins.connect(entry, block, view);
      this.#blocks.push(portBlock(entry, block));
      for (const tx of block.txs) this.#confirmed.set(tx.hash('hex'), entry.height);
      await this.#mempool._addBlock(entry, block.txs);
    });
    this.#chain.on('disconnect', async (entry, block, view) => {
      this.#coins.disconnect(block, view);
      this.#blocks.pop();
      for (const tx of block.txs) this.#confirmed.delete(tx.hash('hex'));
      this.#returned.unshift(...block.txs.filter((tx) => !tx.isCoinbase()));
      await this.#mempool._removeBlock(entry, block.txs);
    });
    this.#chain.on('reorganize', () => this.#mempool._handleReorg());
  }

  /** Blocks become known to others only once they are durable. */
  #accepted(blocks: readonly bcoin.Block[]): void {
    this.#file?.append(blocks.map((block) => block.toRaw()));
    this.#changeWakes.forEach((wake) => wake());
  }

  async #resubmit(): Promise<void> {
    const returned = this.#returned;
    this.#returned = [];
    for (const tx of returned) {
      if (!this.#mempool.has(tx.hash('hex'))) await this.#refusal(tx);
    }
  }

  /** Offers a transaction to the mempool: the name of the refusal, or undefined once it is in. */
  async #refusal(tx: bcoin.TX): Promise<string | undefined> {
    try {
      if (await this.#isTooCheap(tx)) return 'min relay fee not met';
      const missing = await this.#mempool.addTX(tx);
      return missing === null ? undefined : 'bad-txns-inputs-missingorspent';
    } catch (error) {
      if (!(error instanceof Error && 'reason' in error && typeof error.reason === 'string'))
        throw error;
      return error.reason;
    }
  }

  /** bcoin still relays old coins for free, which nobody has done for years. */
  async #isTooCheap(tx: bcoin.TX): Promise<boolean> {
    const view = await this.#mempool.getCoinView(tx);
    const feeSat = tx.getInputValue(view) - tx.getOutputValue();
    return feeSat >= 0 && feeSat < tx.getVirtualSize() * MIN_RELAY_SAT_PER_VBYTE;
  }

  #decode(raw: Uint8Array): bcoin.TX | undefined {
    try {
      return this.#bcoin.TX.fromRaw(Buffer.from(raw));
    } catch {
      return undefined;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #assertOpen(): void {
    if (this.#closed) throw new Fault('WALLET_STOPPED');
  }
}

function portBlock(entry: bcoin.ChainEntry, block: bcoin.Block): Block {
  return {
    heightBlocks: entry.height,
    hash: Uint8Array.from(block.hash()),
    // bcoin appends the count of transactions that follow a header in a message: none.
    header: Uint8Array.from(block.toHeaders().toRaw().subarray(0, HEADER_BYTES)),
    txs: block.txs.map((tx) => Uint8Array.from(tx.toRaw())),
  };
}

function txidOfBytes(raw: Uint8Array): string {
  return toHex(sha256(sha256(raw)).toReversed());
}
