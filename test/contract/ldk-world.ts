/**
 * Three embedded nodes on a chain of their own: payer and payee share a channel, and the far one
 * is reached through the payee.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/base/log/index.ts';
import { msat, sat } from '../../src/base/money/index.ts';
import { systemClock, unixMs, type Clock } from '../../src/base/time/index.ts';
import { openRegtest, type RegtestChain } from '../../src/port/chain/regtest/index.ts';
import { openLdkWallet, type LdkWallet } from '../../src/port/wallet/ldk/index.ts';
import { ANSWER_MS } from '../../src/port/wallet/limits.ts';
import type { WalletWorld } from './wallet-world.ts';

const CHANNEL_SAT = sat(10_000_000);
const PUSH_MSAT = msat(4_000_000_000);
/** Six blocks make a channel known to others. */
const ANNOUNCED_BLOCKS = 6;
/** Generous: it bounds a failure, and the machine may be busy with other things. */
const WAIT_MS = 60_000;

/**
 * The machine's clock, which a test can move ahead. With `answerMs` that is how long a node's
 * process may take to answer.
 */
export function movableClock(answerMs = ANSWER_MS): Clock & { move(ms: number): void } {
  let aheadMs = 0;
  return {
    ...systemClock,
    timer: (ms, fire) => systemClock.timer(ms === ANSWER_MS ? answerMs : ms, fire),
    now: () => unixMs(systemClock.now() + aheadMs),
    move: (ms) => {
      aheadMs += ms;
    },
  };
}

/** Nodes on a chain. */
export interface LdkWorld {
  readonly chain: RegtestChain;
  readonly clock: ReturnType<typeof movableClock>;
  /** Opens the node of this name, on what it has stored. */
  open(name: string): Promise<LdkWallet>;
  /** Opens a channel and waits until others know it. */
  channel(from: LdkWallet, to: LdkWallet): Promise<void>;
  close(): Promise<void>;
}

/** Makes a chain on which nodes can be opened; everything goes with `close`. */
export async function openLdkWorld(answerMs?: number): Promise<LdkWorld> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-ldk-'));
  // The processes of the nodes inherit it: those after the first one to end start twice as fast.
  process.env['NODE_COMPILE_CACHE'] = join(dir, 'compiled');
  const clock = movableClock(answerMs);
  const chain = await openRegtest({ clock, log: silentLog });
  const opened = new Set<LdkWallet>();
  return {
    chain,
    clock,
    open: async (name) => {
      const common = { network: 'regtest' as const, chain, clock, log: silentLog };
      const wallet = await openLdkWallet({ dir: join(dir, name), alias: name, ...common });
      opened.add(wallet);
      return wallet;
    },
    channel: async (from, to) => {
      await chain.mine(1, from.fundingScript());
      await chain.mine(100);
      const funded = new Promise<void>((resolve) => {
        const stop = chain.onMempool(() => {
          stop();
          resolve();
        });
      });
      const request = { peer: to.address(), amountSat: CHANNEL_SAT, pushMsat: PUSH_MSAT };
      const opening = from.openChannel(request);
      await Promise.race([funded, opening]);
      await chain.mine(ANNOUNCED_BLOCKS);
      await opening;
    },
    close: async () => {
      await Promise.all([...opened].map((wallet) => wallet.close()));
      await chain.close();
      rmSync(dir, { recursive: true });
    },
  };
}

/** Waits until something that no event announces is the case. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(WAIT_MS);
  while (!(await holds())) await systemClock.sleep(5, deadline);
}

/** All channels of the wallet are usable. */
export async function usable(wallet: LdkWallet): Promise<void> {
  await until(async () => (await wallet.channels()).every((channel) => channel.usable));
}

/** The world of the contract suite. */
export async function ldkWalletWorld(): Promise<WalletWorld> {
  const world = await openLdkWorld();
  try {
    const names = ['payer', 'payee', 'far'];
    const [payer, payee, far] = await Promise.all(names.map((name) => world.open(name)));
    if (!payer || !payee || !far) throw new Error('three nodes');
    await world.channel(payer, payee);
    await world.channel(payer, payee);
    await world.channel(payee, far);
    await routeKnown(world.chain, payer, far);
    const wallets = { payer, payee };
    return {
      payer: () => wallets.payer,
      payee: () => wallets.payee,
      far: () => far,
      multiPartMsat: msat(9_000_000_000),
      tooMuchMsat: msat(13_000_000_000),
      mine: async (blocks) => {
        await world.chain.mine(blocks);
        const height = await world.chain.height();
        for (const wallet of Object.values(wallets)) {
          await until(async () => (await wallet.info()).heightBlocks === height);
        }
      },
      passTime: (ms) => world.clock.move(ms),
      restart: async (who) => {
        await wallets[who].close();
        wallets[who] = await world.open(who);
        await usable(wallets.payer);
        await usable(wallets.payee);
      },
      close: () => world.close(),
    };
  } catch (error) {
    await world.close();
    throw error;
  }
}

/** Gossip has reached the payer; with each block the nodes tell again of channels that are new. */
export async function routeKnown(
  chain: RegtestChain,
  payer: LdkWallet,
  far: LdkWallet,
): Promise<void> {
  await until(async () => {
    await chain.mine(1);
    const request = { amountMsat: msat(1_000), description: '', expirySeconds: 600 };
    const { invoice } = await far.createInvoice(request);
    const common = { maxFeeMsat: msat(100_000), timeoutMs: WAIT_MS };
    return (await payer.pay({ invoice, ...common })).state === 'paid';
  });
}
