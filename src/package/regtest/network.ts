/**
 * A private Lightning network on this machine: a regtest chain, two nodes, a channel between them.
 * The nodes are real; the coins are worth nothing.
 * @module
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isFault, Fault } from '../../base/fault/index.ts';
import { silentLog, type Log } from '../../base/log/index.ts';
import { ZERO_MSAT, sat } from '../../base/money/index.ts';
import { systemClock, type Clock } from '../../base/time/index.ts';
import { openRegtest, type RegtestChain } from '../../port/chain/regtest/index.ts';
import { openLdkWallet, type LdkWallet } from '../../port/wallet/ldk/index.ts';

/** Two nodes that can pay each other. */
export interface RegtestNetwork {
  readonly chain: RegtestChain;
  readonly seller: LdkWallet;
  /** Has the coins. */
  readonly buyer: LdkWallet;
  /** Stops the nodes, then the chain. */
  close(): Promise<void>;
}

/** Runs a step of the start, and may tell about it: its name, and what to say when it is done. */
export type Step = <T>(
  name: string,
  run: () => Promise<T>,
  say: (value: T) => string,
) => Promise<T>;

/** What a network is opened with. */
export interface NetworkOptions {
  /**
   * Where it is kept: started anew the first time, and as it was from then on. One process at a
   * time.
   */
  readonly dir: string;
  /** False: nothing is kept, and `dir` must be new. Default: true. */
  readonly keep?: boolean;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly step?: Step;
}

type Parts = Required<Omit<NetworkOptions, 'keep'>>;

const CHANNEL_SAT = sat(1_000_000);
/** A coinbase can be spent after this many blocks. */
const MATURITY_BLOCKS = 100;
const CONFIRMATION_BLOCKS = 6;
/** The nodes of a process that was killed end by themselves, a moment later. */
const NODE_RELEASE_MS = 5_000;
const CHANNEL_WAIT_MS = 30_000;
/** What stands in a directory that is kept. */
const OWNER_FILE = 'owner.db';
const UNFINISHED = 'unfinished';
const CHAIN_FILE = 'chain.blocks';
const [SELLER, BUYER] = ['seller', 'buyer'] as const;

/**
 * Opens a network; ten seconds, or two when it was there.
 * @throws Fault `STORE_OWNED` when another process has it
 */
export async function openNetwork(options: NetworkOptions): Promise<RegtestNetwork> {
  const { dir, keep = true, clock = systemClock, log = silentLog } = options;
  const parts = { dir, clock, log, step: options.step ?? ((_, run) => run()) };
  return keep ? keepNetwork(parts) : startNetwork(parts);
}

async function startNetwork(parts: Parts): Promise<RegtestNetwork> {
  const network = await openNodes(parts, undefined);
  try {
    await openChannel(network, parts);
    return network;
  } catch (error) {
    await network.close();
    throw error;
  }
}

async function keepNetwork(parts: Parts): Promise<RegtestNetwork> {
  const { dir } = parts;
  const release = own(dir);
  try {
    const unfinished = join(dir, UNFINISHED);
    // It was cut in its first start: nothing was sold yet, so there is nothing to keep.
    const fresh = existsSync(unfinished) || !existsSync(join(dir, SELLER));
    if (fresh) {
      clear(dir);
      writeFileSync(unfinished, '', { flush: true });
    }
    const network = await openNodes(parts, join(dir, CHAIN_FILE));
    const close = async (): Promise<void> => {
      await network.close();
      release();
    };
    try {
      if (fresh) await openChannel(network, parts);
      else await reconnect(network, parts);
      rmSync(unfinished, { force: true });
      return { ...network, close };
    } catch (error) {
      await network.close();
      throw error;
    }
  } catch (error) {
    release();
    throw error;
  }
}

/** Takes the directory for this process; gives what releases it. @throws Fault `STORE_OWNED` */
function own(dir: string): () => void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, OWNER_FILE);
  writeFileSync(file, '', { flag: 'a', mode: 0o600 });
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;');
    return () => database.close();
  } catch (error) {
    database.close();
    throw new Fault('STORE_OWNED', { dir }, error);
  }
}

/** Removes what is ours, and nothing else: it may be a folder with other things in it. */
function clear(dir: string): void {
  for (const name of [UNFINISHED, CHAIN_FILE, SELLER, BUYER]) {
    rmSync(join(dir, name), { recursive: true, force: true });
  }
}

async function openNodes(parts: Parts, file: string | undefined): Promise<RegtestNetwork> {
  const { dir, clock, log, step } = parts;
  const chain = await step(
    'chain',
    () => openRegtest({ clock, log, ...(file === undefined ? {} : { file }) }),
    () => 'a private Bitcoin chain (regtest)',
  );
  const open = (alias: string): Promise<LdkWallet> =>
    released(clock, () =>
      openLdkWallet({ dir: join(dir, alias), network: 'regtest', chain, alias, clock, log }),
    );
  try {
    const [seller, buyer] = await step(
      'nodes',
      () => Promise.all([open(SELLER), open(BUYER)]),
      () => 'two Lightning nodes, seller and buyer',
    );
    const close = async (): Promise<void> => {
      await Promise.all([seller.close(), buyer.close()]);
      await chain.close();
    };
    return { chain, seller, buyer, close };
  } catch (error) {
    await chain.close();
    throw error;
  }
}

/** Tries again while the file belongs to a process that is about to end. */
async function released<T>(clock: Clock, open: () => Promise<T>): Promise<T> {
  const endMs = clock.monotonicMs() + NODE_RELEASE_MS;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const owned = isFault(error) && error.code === 'STORE_OWNED';
      if (!owned || clock.monotonicMs() > endMs) throw error;
      await clock.sleep(100);
    }
  }
}

function openChannel(network: RegtestNetwork, { clock, step }: Parts): Promise<void> {
  const { chain, seller, buyer } = network;
  return step(
    'channel',
    async () => {
      await chain.mine(1, buyer.fundingScript());
      await chain.mine(MATURITY_BLOCKS);
      await buyer.connect(seller.address());
      const usable = buyer.openChannel({
        peer: seller.address(),
        amountSat: CHANNEL_SAT,
        pushMsat: ZERO_MSAT,
      });
      await mineUntil(chain, clock, usable);
    },
    () => `${CHANNEL_SAT.toLocaleString('en-US')} sat, from buyer to seller`,
  );
}

function reconnect(network: RegtestNetwork, { clock, step }: Parts): Promise<void> {
  const { seller, buyer } = network;
  return step(
    'channel',
    async () => {
      // A port may have been taken meanwhile: the node is told where its peer is now. If that
      // crosses its own attempt, it goes on by itself.
      await buyer.connect(seller.address()).catch(() => undefined);
      const endMs = clock.monotonicMs() + CHANNEL_WAIT_MS;
      while (!(await buyer.channels()).some(({ usable }) => usable)) {
        if (clock.monotonicMs() > endMs) {
          throw new Fault('WALLET_BROKEN', {
            problem: 'the channel does not come back',
            next: 'start in a new directory',
          });
        }
        await clock.sleep(50);
      }
    },
    () => 'from buyer to seller, as before',
  );
}

/** Confirms the funding transaction once it is in the mempool. */
async function mineUntil(
  chain: RegtestChain,
  clock: Clock,
  usable: Promise<unknown>,
): Promise<void> {
  let open = false;
  const done = usable.finally(() => (open = true));
  while (!open) {
    if (chain.mempoolSize() > 0) await chain.mine(CONFIRMATION_BLOCKS);
    await Promise.race([clock.sleep(20), done]);
  }
  await done;
}
