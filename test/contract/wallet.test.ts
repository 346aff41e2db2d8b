/**
 * The wallet contract, on the fake network and on embedded nodes.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { seededRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import type { Chain } from '../../src/port/chain/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { openLdkWallet } from '../../src/port/wallet/ldk/index.ts';
import { ldkWalletWorld, movableClock } from './ldk-world.ts';
import { walletSuite } from './wallet-suite.ts';

walletSuite('fake', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-fake-'));
  const clock = movableClock();
  const options = { file: join(dir, 'network.db'), clock, random: seededRandom(7) };
  // Two connections, as two processes have them.
  const networks = { payer: openFakeNetwork(options), payee: openFakeNetwork(options) };
  const far = networks.payee.wallet('far');
  const wallets = {
    payer: networks.payer.wallet('payer'),
    payee: networks.payee.wallet('payee'),
  };
  wallets.payer.fund(msat(12_000_000_000));
  wallets.payee.fund(msat(8_000_000_000));
  far.setRouteFee(msat(1_500));
  return {
    payer: () => wallets.payer,
    payee: () => wallets.payee,
    far: () => far,
    // It has no channels: any amount goes in one part.
    multiPartMsat: msat(9_000_000_000),
    tooMuchMsat: msat(13_000_000_000),
    mine: async (blocks) => networks.payee.mine(blocks),
    passTime: (ms) => clock.move(ms),
    restart: async (who) => {
      await wallets[who].close();
      wallets[who] = networks[who].wallet(who);
    },
    close: async () => {
      networks.payer.close();
      networks.payee.close();
      rmSync(dir, { recursive: true });
    },
  };
});

walletSuite('ldk', ldkWalletWorld);

test('the embedded node refuses every network but regtest, before it does anything', async () => {
  const common = { dir: '/nonexistent', chain: {} as Chain, alias: 'x', clock: systemClock };
  for (const network of ['mainnet', 'testnet', 'signet'] as const) {
    const opening = openLdkWallet({ ...common, network, log: silentLog });
    await assert.rejects(opening, { code: 'WALLET_MAINNET' });
  }
});
