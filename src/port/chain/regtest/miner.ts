/**
 * Finds blocks. At regtest's difficulty every second hash is one.
 * @module
 */
import type * as bcoin from 'bcoin';
import type { Bcoin } from './bcoin.ts';
import { BLOCK_VERSION } from './rules.ts';

/** OP_RETURN: an output that nobody can spend. */
const NOBODY = Uint8Array.of(0x6a);
const MAX_NONCE = 0xffffffff;

/** The block that the template describes, with the reward paid to `script`. */
export function mineNextBlock(
  bcoinModule: Bcoin,
  template: bcoin.BlockTemplate,
  options: { timeSeconds: number; script?: Uint8Array | undefined },
): bcoin.Block {
  const { Script, mining } = bcoinModule;
  const createCoinbase = template.createCoinbase.bind(template);
  template.createCoinbase = (commitment) => {
    const coinbase = createCoinbase(commitment);
    const [reward] = coinbase.outputs;
    if (reward) reward.script = Script.fromRaw(Buffer.from(options.script ?? NOBODY));
    coinbase.refresh();
    return coinbase;
  };
  template.time = options.timeSeconds;
  template.refresh();
  const header = template.getHeader(template.getRoot(0, 0), template.time, 0);
  const nonce = mining.mine(header, template.target, 0, MAX_NONCE);
  return template.commit(template.getProof(0, 0, template.time, nonce));
}

/** A block on top of any block, with nothing but its coinbase. */
export function mineEmptyBlock(
  bcoinModule: Bcoin,
  options: {
    previous: bcoin.ChainEntry;
    medianTimeSeconds: number;
    timeSeconds: number;
    flags: number;
  },
): bcoin.Block {
  const { mining, networks } = bcoinModule;
  const template = new mining.BlockTemplate({
    prevBlock: options.previous.hash,
    height: options.previous.height + 1,
    version: BLOCK_VERSION,
    time: options.timeSeconds,
    bits: networks.regtest.pow.bits,
    mtp: options.medianTimeSeconds,
    locktime: options.medianTimeSeconds,
    flags: options.flags,
    coinbaseFlags: Buffer.from('tollcall'),
    witness: true,
    interval: Number.MAX_SAFE_INTEGER,
  });
  return mineNextBlock(bcoinModule, template, options);
}
