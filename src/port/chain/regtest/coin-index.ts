/**
 * Which unspent outputs pay to which script, kept current as blocks connect and disconnect.
 * @module
 */
import type * as bcoin from 'bcoin';
import { fromHex, toHex } from '../../../base/bytes/index.ts';
import { sat } from '../../../base/money/index.ts';
import type { Coin } from '../chain.ts';

/** An index of unspent outputs by script. */
export interface CoinIndex {
  connect(entry: bcoin.ChainEntry, block: bcoin.Block, view: bcoin.CoinView): void;
  disconnect(block: bcoin.Block, view: bcoin.CoinView): void;
  /** In the order in which they appeared. */
  coins(script: Uint8Array): readonly Coin[];
}

/** An empty index. */
export function openCoinIndex(): CoinIndex {
  const byScript = new Map<string, Map<string, Coin>>();
  const add = (script: string, coin: Coin): void => {
    const coins = byScript.get(script) ?? new Map<string, Coin>();
    byScript.set(script, coins.set(`${coin.txid}:${coin.vout}`, coin));
  };
  const remove = (script: string, outpoint: string): void => {
    const coins = byScript.get(script);
    coins?.delete(outpoint);
    if (coins?.size === 0) byScript.delete(script);
  };
  return {
    connect: (entry, block, view) => {
      for (const tx of block.txs) {
        for (const spent of spentBy(tx, view)) remove(spent.script, spent.outpoint);
        for (const made of madeBy(tx, entry.height)) add(made.script, made.coin);
      }
    },
    disconnect: (block, view) => {
      for (const tx of block.txs.toReversed()) {
        for (const { script, coin } of madeBy(tx, 0)) remove(script, `${coin.txid}:${coin.vout}`);
        for (const { script, coin } of spentBy(tx, view)) add(script, coin);
      }
    },
    coins: (script) => [...(byScript.get(toHex(script))?.values() ?? [])],
  };
}

function madeBy(tx: bcoin.TX, heightBlocks: number): { script: string; coin: Coin }[] {
  const txid = tx.txid();
  return tx.outputs.map((output, vout) => ({
    script: output.script.toRaw().toString('hex'),
    coin: { txid, vout, amountSat: sat(output.value), heightBlocks, coinbase: tx.isCoinbase() },
  }));
}

function spentBy(
  tx: bcoin.TX,
  view: bcoin.CoinView,
): { script: string; outpoint: string; coin: Coin }[] {
  if (tx.isCoinbase()) return [];
  return tx.inputs.flatMap(({ prevout }) => {
    const entry = view.getEntry(prevout);
    if (!entry) return [];
    const txid = toHex(fromHex(prevout.hash, 'hash').toReversed());
    const { height: heightBlocks, coinbase, output } = entry;
    const coin = {
      txid,
      vout: prevout.index,
      amountSat: sat(output.value),
      heightBlocks,
      coinbase,
    };
    const outpoint = `${txid}:${prevout.index}`;
    return [{ script: output.script.toRaw().toString('hex'), outpoint, coin }];
  });
}
