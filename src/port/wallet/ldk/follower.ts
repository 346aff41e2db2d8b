/**
 * Follows the best chain: tells LDK about each block that joins it and each transaction that
 * left it.
 * @module
 */
import { TwoTuple_usizeTransactionZ, type ChannelMonitor } from 'lightningdevkit';
import { sameBytes, toHex } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import type { Block } from '../../chain/index.ts';
import type { Foundation, Lightning } from './lightning.ts';
import { bytes } from '../rows.ts';
import type { State } from './state.ts';
import { optionalBytes } from './wasm.ts';

/** How many blocks are remembered to find the way back from a branch that was left. */
const HISTORY_BLOCKS = 2016;
/** Blocks between two commits while catching up. */
const BLOCKS_PER_COMMIT = 100;

/** A block by hash (internal byte order) and height. */
interface Position {
  readonly hash: Uint8Array;
  readonly heightBlocks: number;
}

/** Where blocks come from. */
export interface BlockSource {
  block(heightBlocks: number): Promise<Block | undefined>;
}

type TxData = TwoTuple_usizeTransactionZ[];

/** What learns of blocks. */
interface Listener {
  best(): Position;
  /** Transactions it depends on, with the block in which it saw them. */
  relevant(): readonly { readonly txid: Uint8Array; readonly blockHash: Uint8Array | undefined }[];
  unconfirmed(txid: Uint8Array): void;
  connected(block: Block, txs: TxData): void;
}

/** A running follower. */
export interface Follower {
  /** Brings a monitor that LDK does not watch yet to where the manager will be. */
  catchUp(monitor: ChannelMonitor): Promise<void>;
  /** Brings manager and watched monitors to the tip; calls at the same time share the work. */
  follow(): Promise<void>;
}

/** How the follower works. */
export interface FollowerOptions {
  readonly lightning: Lightning;
  readonly state: State;
  readonly source: BlockSource;
  /** A stretch of blocks is applied: commit it. */
  readonly applied: () => void;
}

/** Makes a follower. */
export function openFollower({ lightning, state, source, applied }: FollowerOptions): Follower {
  const remember = (block: Block): void => {
    const previous = block.header.subarray(4, 36);
    const sql = 'INSERT OR REPLACE INTO block (hash, height, previous) VALUES (?, ?, ?)';
    state.run(sql, block.hash, block.heightBlocks, previous);
    state.run('DELETE FROM block WHERE height < ?', block.heightBlocks - HISTORY_BLOCKS);
  };
  let running: Promise<void> | undefined;
  let again = false;
  const run = async (): Promise<void> => {
    do {
      again = false;
      await bringToTip({ listener: live(lightning), state, source, applied, remember });
    } while (again);
  };
  return {
    catchUp: (monitor) =>
      bringToTip({ listener: alone(lightning, monitor), state, source, applied, remember }),
    follow: () => {
      again = true;
      running ??= run().finally(() => {
        running = undefined;
      });
      return running;
    },
  };
}

async function bringToTip(options: {
  listener: Listener;
  state: State;
  source: BlockSource;
  applied: () => void;
  remember: (block: Block) => void;
}): Promise<void> {
  const { listener, source, applied, remember } = options;
  const fork = await findFork(listener.best(), options);
  if (fork.left.size > 0) unconfirm(listener, fork.left);
  let height = fork.heightBlocks;
  let hash = fork.hash;
  for (;;) {
    const block = await source.block(height + 1);
    // Another reorganisation while we read: the next wake-up finds it.
    if (!block || !sameBytes(block.header.subarray(4, 36), hash)) break;
    const txs = block.txs.map((tx, i) => TwoTuple_usizeTransactionZ.constructor_new(i, tx));
    listener.connected(block, txs);
    remember(block);
    height = block.heightBlocks;
    hash = block.hash;
    if (height % BLOCKS_PER_COMMIT === 0) applied();
  }
  applied();
}

/** The last block that is still in the best chain, and the hashes of those that left it. */
async function findFork(
  best: Position,
  { state, source }: { state: State; source: BlockSource },
): Promise<Position & { left: ReadonlySet<string> }> {
  const left = new Set<string>();
  let { hash, heightBlocks } = best;
  while (heightBlocks > 0) {
    const block = await source.block(heightBlocks);
    if (block && sameBytes(block.hash, hash)) break;
    left.add(toHex(hash));
    const row = state.get('SELECT previous FROM block WHERE hash = ?', hash);
    if (!row) throw new Fault('STORE_CORRUPT', { name: 'block history' });
    hash = bytes(row, 'previous');
    heightBlocks--;
  }
  return { hash, heightBlocks, left };
}

function unconfirm(listener: Listener, left: ReadonlySet<string>): void {
  for (const { txid, blockHash } of listener.relevant()) {
    if (blockHash && left.has(toHex(blockHash))) listener.unconfirmed(txid);
  }
}

/** Manager and watched monitors, once the node runs. */
function live({ manager, chainMonitor }: Lightning): Listener {
  const parts = [chainMonitor.as_Confirm(), manager.as_Confirm()];
  return {
    best: () => positionOf(manager.current_best_block()),
    relevant: () => parts.flatMap((part) => relevantOf(part.get_relevant_txids())),
    unconfirmed: (txid) => {
      for (const part of parts) part.transaction_unconfirmed(txid);
    },
    connected: (block, txs) => {
      for (const part of parts) {
        part.transactions_confirmed(block.header, txs, block.heightBlocks);
        part.best_block_updated(block.header, block.heightBlocks);
      }
    },
  };
}

/** One monitor that was read from disk: monitors may be some blocks behind the manager. */
function alone({ broadcaster, fees, logger }: Foundation, monitor: ChannelMonitor): Listener {
  return {
    best: () => positionOf(monitor.current_best_block()),
    relevant: () => relevantOf(monitor.get_relevant_txids()),
    unconfirmed: (txid) => monitor.transaction_unconfirmed(txid, broadcaster, fees, logger),
    connected: ({ header, heightBlocks }, txs) => {
      monitor.transactions_confirmed(header, txs, heightBlocks, broadcaster, fees, logger);
      monitor.best_block_updated(header, heightBlocks, broadcaster, fees, logger);
    },
  };
}

function positionOf(best: { get_block_hash(): Uint8Array; get_height(): number }): Position {
  return { hash: best.get_block_hash(), heightBlocks: best.get_height() };
}

function relevantOf(
  list: ReturnType<ChannelMonitor['get_relevant_txids']>,
): ReturnType<Listener['relevant']> {
  return list.map((entry) => ({ txid: entry.get_a(), blockHash: optionalBytes(entry.get_c()) }));
}
