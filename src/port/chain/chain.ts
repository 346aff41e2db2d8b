/**
 * The chain port: blocks in, transactions out.
 * @module
 */
import type { Sat } from '../../base/money/index.ts';

/** A block, in the raw forms of the Bitcoin protocol. */
export interface Block {
  readonly heightBlocks: number;
  /** 32 bytes, internal byte order. */
  readonly hash: Uint8Array;
  /** 80 bytes. */
  readonly header: Uint8Array;
  /** Raw transactions with witness, the coinbase first. */
  readonly txs: readonly Uint8Array[];
}

/** The answer to a transaction that was sent. */
export type Submitted =
  | { readonly ok: true; readonly txid: string }
  /** The mempool's own name for the refusal, such as `bad-txns-inputs-missingorspent`. */
  | { readonly ok: false; readonly txid: string; readonly reason: string };

/** An unspent output. */
export interface Coin {
  /** Hex, as shown to people (reversed). */
  readonly txid: string;
  readonly vout: number;
  readonly amountSat: Sat;
  readonly heightBlocks: number;
  readonly coinbase: boolean;
}

/** A Bitcoin chain. */
export interface Chain {
  /** The height of the best block. */
  height(): Promise<number>;
  /** A block of the best chain; undefined above its tip. */
  block(heightBlocks: number): Promise<Block | undefined>;
  /** Sends a transaction; repeating one that is known is ok. */
  submit(tx: Uint8Array): Promise<Submitted>;
  /** Unspent outputs that pay to a script, mempool left out. */
  coins(script: Uint8Array): Promise<readonly Coin[]>;
  /** Calls `wake` after the best chain changed; `height` and `block` are the truth. */
  onChange(wake: () => void): () => void;
  close(): Promise<void>;
}
