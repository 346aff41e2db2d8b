/**
 * What the wallet contract needs of the wallets it is run on.
 * @module
 */
import type { Msat } from '../../src/base/money/index.ts';
import type { NodeWallet } from '../../src/port/wallet/index.ts';

/** Two wallets that can pay each other directly, with at least 1,000,000 sat on either side. */
export interface WalletWorld {
  payer(): NodeWallet;
  payee(): NodeWallet;
  /** A payee that the payer reaches for a routing fee of 1 to 100 sat only. */
  far(): NodeWallet;
  /** An amount that the payer can send, but over no single channel. */
  readonly multiPartMsat: Msat;
  /** An amount that the payer has, but cannot send. */
  readonly tooMuchMsat: Msat;
  /** Closes a wallet and opens it again on what it has stored. */
  restart(who: 'payer' | 'payee'): Promise<void>;
  /** Moves the clock of all wallets. */
  passTime(ms: number): void;
  /** Adds blocks to the chain; resolves once both wallets have seen them. */
  mine(blocks: number): Promise<void>;
  close(): Promise<void>;
}
