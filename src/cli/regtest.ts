/**
 * A private Lightning network on this machine: a regtest chain, two nodes, a channel between them.
 * The nodes are real; the coins are worth nothing.
 * @module
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isFault, Fault } from '../base/fault/index.ts';
import type { Log } from '../base/log/index.ts';
import { ZERO_MSAT, sat } from '../base/money/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { RegtestChain } from '../port/chain/regtest/index.ts';
import type { LdkWallet } from '../port/wallet/ldk/index.ts';
import type { Terminal } from './terminal.ts';

/** Two nodes that can pay each other. */
export interface RegtestNetwork {
  readonly chain: RegtestChain;
  readonly seller: LdkWallet;
  readonly buyer: LdkWallet;
  /** Stops the nodes, then the chain. */
  close(): Promise<void>;
}

/** What the network works with. */
export interface RegtestParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly terminal: Terminal;
}

const CHANNEL_SAT = sat(1_000_000);
/** A coinbase can be spent after this many blocks. */
const MATURITY_BLOCKS = 100;
const CONFIRMATION_BLOCKS = 6;
/** The nodes of a process that was killed end by themselves, a moment later. */
const NODE_RELEASE_MS = 5_000;
const CHANNEL_WAIT_MS = 30_000;

/** Starts everything new in `dir`, telling `terminal` about each step. */
export async function startRegtest(dir: string, parts: RegtestParts): Promise<RegtestNetwork> {
  const network = await openParts(dir, parts, undefined);
  try {
    await openChannel(network, parts);
    return network;
  } catch (error) {
    await network.close();
    throw error;
  }
}

/**
 * The same, kept in `dir`: started anew the first time, and as it was from then on. One process at
 * a time; the caller sees to that.
 */
export async function keepRegtest(dir: string, parts: RegtestParts): Promise<RegtestNetwork> {
  const unfinished = join(dir, 'unfinished');
  // It was cut in its first start: nothing was sold yet, so there is nothing to keep.
  if (existsSync(unfinished)) rmSync(dir, { recursive: true });
  const fresh = !existsSync(dir);
  if (fresh) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileSync(unfinished, '', { flush: true });
  }
  const network = await openParts(dir, parts, join(dir, 'chain.blocks'));
  try {
    if (fresh) await openChannel(network, parts);
    else await reconnect(network, parts);
    rmSync(unfinished, { force: true });
    return network;
  } catch (error) {
    await network.close();
    throw error;
  }
}

async function openParts(
  dir: string,
  { clock, log, terminal }: RegtestParts,
  file: string | undefined,
): Promise<RegtestNetwork> {
  // Loaded on demand: an installation that only sells or buys does not carry them.
  const { openRegtest } = await import('../port/chain/regtest/index.ts');
  const { openLdkWallet } = await import('../port/wallet/ldk/index.ts');
  const chain = await terminal.step(
    'chain',
    () => openRegtest({ clock, log, ...(file === undefined ? {} : { file }) }),
    () => 'a private Bitcoin chain (regtest)',
  );
  const open = (alias: string): Promise<LdkWallet> =>
    released(clock, () =>
      openLdkWallet({ dir: join(dir, alias), network: 'regtest', chain, alias, clock, log }),
    );
  try {
    const [seller, buyer] = await terminal.step(
      'nodes',
      () => Promise.all([open('seller'), open('buyer')]),
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

function openChannel(network: RegtestNetwork, { clock, terminal }: RegtestParts): Promise<void> {
  const { chain, seller, buyer } = network;
  return terminal.step(
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

function reconnect(network: RegtestNetwork, { clock, terminal }: RegtestParts): Promise<void> {
  const { seller, buyer } = network;
  return terminal.step(
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
            next: 'start in a new directory with --dir',
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
