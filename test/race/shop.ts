/**
 * A payer of a profile on disk, as several processes open it at once.
 * @module
 */
import { join } from 'node:path';
import { silentLog } from '../../src/base/log/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { Payer } from '../../src/payer/index.ts';
import { openNet, type Net } from '../../src/port/net/index.ts';
import { openPayerStore, type PayerStore } from '../../src/port/store/index.ts';
import { openFakeNetwork, type FakeWallet } from '../../src/port/wallet/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';

/** What a process has of the profile. */
export interface OpenShop {
  readonly payer: Payer;
  readonly store: PayerStore;
  readonly wallet: FakeWallet;
  close(): Promise<void>;
}

/** Opens the profile in a folder; `around` can stand between the payer and the network. */
export async function openShop(dir: string, around = (net: Net): Net => net): Promise<OpenShop> {
  const [clock, random] = [systemClock, systemRandom];
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  const wallet = network.wallet('payer');
  const store = await openPayerStore({ file: join(dir, 'payer', 'payer.db') });
  const net = openNet();
  const parts = { clock, random, log: silentLog, keyring: fixtureKeyring() };
  return {
    payer: new Payer({ net: around(net), store, wallet, ...parts }),
    store,
    wallet,
    close: async () => {
      await net.close();
      await store.close();
      network.close();
    },
  };
}
