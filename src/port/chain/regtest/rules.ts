/**
 * The rules of the regtest chain: those of Bitcoin Core's regtest, where every soft fork up to
 * segwit is in force from the first block. Taproot is not: bcoin does not know it.
 * @module
 */
import type * as bcoin from 'bcoin';
import type { Clock } from '../../../base/time/index.ts';
import type { Bcoin } from './bcoin.ts';

/** The version bits of a block that signals nothing (BIP 9). */
export const BLOCK_VERSION = 0x20000000;
/** Long enough that a chain that mines for weeks still pays its miners (Core's regtest: 150). */
const HALVING_INTERVAL_BLOCKS = 210_000;
const LOCK_FLAGS = { sequence: 1, medianTimePast: 2 } as const;

/** A network of its own with the genesis block of regtest, whose time is that of `clock`. */
export function regtestNetwork({ Network, networks }: Bcoin, clock: Clock): bcoin.Network {
  const network = new Network({
    ...networks.regtest,
    type: 'tollcall-regtest',
    halvingInterval: HALVING_INTERVAL_BLOCKS,
  });
  network.time.now = () => Math.floor(clock.now() / 1000);
  return network;
}

/** Puts every soft fork in force from block 1, so that none has to be waited for. */
export function activateAll({ Script }: Bcoin, chain: bcoin.Chain): void {
  const { flags } = Script;
  const state = chain.state;
  for (const name of SOFT_FORKS) state.flags |= flags[name] ?? 0;
  state.lockFlags |= LOCK_FLAGS.sequence | LOCK_FLAGS.medianTimePast;
  state.bip34 = true;
  chain.getDeployments = () => Promise.resolve(state);
}

const SOFT_FORKS = [
  'VERIFY_P2SH',
  'VERIFY_DERSIG',
  'VERIFY_CHECKLOCKTIMEVERIFY',
  'VERIFY_CHECKSEQUENCEVERIFY',
  'VERIFY_WITNESS',
  'VERIFY_NULLDUMMY',
] as const;
