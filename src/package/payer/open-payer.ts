/**
 * A payer from a directory and a wallet.
 * @module
 */
import { join } from 'node:path';
import { silentLog, type Log } from '../../base/log/index.ts';
import { systemRandom } from '../../base/random/index.ts';
import { systemClock } from '../../base/time/index.ts';
import { Payer } from '../../payer/index.ts';
import { payerKeyring } from '../../port/keys/index.ts';
import { openNet } from '../../port/net/index.ts';
import { openPayerStore } from '../../port/store/index.ts';
import type { Wallet } from '../../port/wallet/index.ts';

/** What a payer is opened with. */
export interface OpenPayerOptions {
  /** Keeps what was bought, in `payer.db`. Several processes may use it at once. */
  readonly dir: string;
  /** Pays. It stays open when the payer is closed. */
  readonly wallet: Wallet;
  /** Default: writes nothing. */
  readonly log?: Log;
}

/** A payer that has its store and its connections to itself. */
export class OpenPayer extends Payer {
  readonly #close: () => Promise<void>;

  /** Use `openPayer`. */
  constructor(parts: ConstructorParameters<typeof Payer>[0], close: () => Promise<void>) {
    super(parts);
    this.#close = close;
  }

  /** The same, then closes the connections and the store; the wallet is the caller's. */
  override async close(): Promise<void> {
    await super.close();
    await this.#close();
  }
}

/** Opens a payer. @throws Fault `STORE_NEWER`, `STORE_READONLY`, `STORE_CORRUPT` */
export async function openPayer(options: OpenPayerOptions): Promise<OpenPayer> {
  const { dir, wallet, log = silentLog } = options;
  const [clock, random, keyring] = [systemClock, systemRandom, payerKeyring];
  const store = await openPayerStore({ file: join(dir, 'payer.db') });
  const net = openNet();
  return new OpenPayer({ net, store, wallet, clock, random, log, keyring }, async () => {
    await net.close();
    await store.close();
  });
}
