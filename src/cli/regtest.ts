/**
 * A private Lightning network on this machine: a regtest chain, two nodes, a channel between them.
 * The nodes are real; the coins are worth nothing.
 * @module
 */
import { join } from 'node:path';
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

const CHANNEL_SAT = sat(1_000_000);
/** A coinbase can be spent after this many blocks. */
const MATURITY_BLOCKS = 100;
const CONFIRMATION_BLOCKS = 6;

/** Starts everything in `dir`, telling `terminal` about each step. */
export async function startRegtest(
  dir: string,
  parts: { readonly clock: Clock; readonly log: Log; readonly terminal: Terminal },
): Promise<RegtestNetwork> {
  const { clock, log, terminal } = parts;
  // Loaded on demand: an installation that only sells or buys does not carry them.
  const { openRegtest } = await import('../port/chain/regtest/index.ts');
  const { openLdkWallet } = await import('../port/wallet/ldk/index.ts');
  const chain = await terminal.step(
    'chain',
    () => openRegtest({ clock, log }),
    () => 'a private Bitcoin chain (regtest)',
  );
  const open = (alias: string): Promise<LdkWallet> =>
    openLdkWallet({ dir: join(dir, alias), network: 'regtest', chain, alias, clock, log });
  const [seller, buyer] = await terminal.step(
    'nodes',
    () => Promise.all([open('seller'), open('buyer')]),
    () => 'two Lightning nodes, seller and buyer',
  );
  await terminal.step(
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
  return {
    chain,
    seller,
    buyer,
    close: async () => {
      await Promise.all([seller.close(), buyer.close()]);
      await chain.close();
    },
  };
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
