/**
 * A host's wallet on a private chain, and a payer beside it who can pay: for trying things on.
 * @module
 */
import { join } from 'node:path';
import type { Log } from '../base/log/index.ts';
import { formatMsat, type Msat } from '../base/money/index.ts';
import { offerWallet } from '../package/payer/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { writeProfile } from './profile.ts';
import { openTerminalNetwork } from './regtest.ts';
import type { Terminal } from './terminal.ts';

/** Where its parts are kept. */
export interface RegtestPlaces {
  /** The chain and the two nodes. */
  readonly network: string;
  /** The profile of the payer. */
  readonly payer: string;
}

/** An open private chain. */
export interface RegtestWallet {
  /** Of the host. */
  readonly wallet: Wallet;
  /** Offers the payer's wallet at its profile; gives what it can spend. */
  offerPayer(): Promise<Msat>;
  close(): Promise<void>;
}

/** Opens it, telling `terminal` about each step. @throws Fault `STORE_OWNED`, `REGTEST_MISSING` */
export async function openRegtestWallet(
  places: RegtestPlaces,
  log: Log,
  terminal: Terminal,
): Promise<RegtestWallet> {
  const network = await openTerminalNetwork({ dir: places.network, keep: true, log, terminal });
  const closers = [() => network.close()];
  return {
    wallet: network.seller,
    offerPayer: () =>
      terminal.step(
        'payer',
        async () => {
          const path = 'wallet.sock';
          writeProfile(places.payer, { version: 1, wallet: { kind: 'socket', path } });
          const socket = await offerWallet(join(places.payer, path), network.buyer, log);
          closers.push(() => socket.close());
          return (await network.buyer.balance()).sendableMsat;
        },
        (sendableMsat) => `can spend ${formatMsat(sendableMsat)}`,
      ),
    close: async () => {
      for (const close of closers.splice(0).toReversed()) await close();
    },
  };
}
