/**
 * The on-chain wallet of a node: one P2WPKH key that funds channels and takes what channels leave
 * behind when they close.
 * @module
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { Transaction, p2wpkh } from '@scure/btc-signer';
import {
  Option_u32Z,
  type Event_SpendableOutputs,
  type SpendableOutputDescriptor,
} from 'lightningdevkit';
import { utf8 } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import { hkdf32, sha256 } from '../../../base/hash/index.ts';
import { sat, type Sat } from '../../../base/money/index.ts';
import type { Coin } from '../../chain/index.ts';
import type { Foundation } from './lightning.ts';
import { bytes, text } from '../rows.ts';
import type { State } from './state.ts';
import { okOf } from './wasm.ts';

const COINBASE_MATURITY_BLOCKS = 100;
const FEERATE_SAT_PER_VBYTE = 2n;
const FUNDING_BASE_VBYTES = 11n + 43n + 31n;
const INPUT_VBYTES = 68n;
const DUST_SAT = 546n;
const SWEEP_FEERATE_SAT_PER_KW = 500;
/** A sweep is sent again with every block for this long. */
const SWEEP_BLOCKS = 144;

/** The on-chain wallet. */
export interface Onchain {
  readonly script: Uint8Array;
  /** Confirmed coins that can be spent now. */
  spendable(): Promise<readonly Coin[]>;
  /** Sets coins aside for a funding transaction. @throws Fault `CHAIN_FUNDS` */
  reserve(amountSat: Sat): Promise<readonly Coin[]>;
  /** A signed transaction from reserved coins; they stay locked until it is in a block. */
  fund(coins: readonly Coin[], script: Uint8Array, amountSat: Sat): Uint8Array;
  /** Gives reserved coins back. */
  release(coins: readonly Coin[]): void;
  /** Signs a transaction that takes what a closed channel left. */
  sweep(event: Event_SpendableOutputs): void;
  /** Sweeps that may not be in a block yet. */
  sweeps(heightBlocks: number): readonly Uint8Array[];
}

/** Where coins are looked up. */
export interface CoinSource {
  height(): Promise<number>;
  coins(script: Uint8Array): Promise<readonly Coin[]>;
}

/** Opens the wallet of a node with this seed. */
export function openOnchain(
  seed: Uint8Array,
  { keys, state, source }: { keys: Foundation['keys']; state: State; source: CoinSource },
): Onchain {
  const key = hkdf32(seed, new Uint8Array(0), utf8('tollcall on-chain key'));
  const { script } = p2wpkh(secp256k1.getPublicKey(key));
  const reserved = new Set<string>();
  const spendable = async (): Promise<readonly Coin[]> => {
    const [heightBlocks, coins] = await Promise.all([source.height(), source.coins(script)]);
    const locked = lockedOutpoints(state, new Set(coins.map(outpointOf)));
    const free = (coin: Coin): boolean =>
      !locked.has(outpointOf(coin)) && !reserved.has(outpointOf(coin));
    return coins.filter((coin) => mature(coin, heightBlocks) && free(coin));
  };
  return {
    script,
    spendable,
    reserve: async (amountSat) => {
      const coins = await spendable();
      // Another channel may have taken coins while we looked.
      const free = coins.filter((coin) => !reserved.has(outpointOf(coin)));
      const chosen = choose(free, amountSat);
      for (const coin of chosen) reserved.add(outpointOf(coin));
      return chosen;
    },
    fund: (coins, output, amountSat) => {
      for (const coin of coins) {
        state.run('INSERT OR REPLACE INTO coin_lock (outpoint) VALUES (?)', outpointOf(coin));
      }
      return fundingTransaction({ key, script, coins, output, amountSat });
    },
    release: (coins) => {
      for (const coin of coins) {
        reserved.delete(outpointOf(coin));
        state.run('DELETE FROM coin_lock WHERE outpoint = ?', outpointOf(coin));
      }
    },
    sweep: (event) => {
      const outputs = event.outputs.filter((output) => isNew(state, output));
      if (outputs.length === 0) return;
      const locktime = Option_u32Z.constructor_none();
      const spender = keys.as_OutputSpender();
      const rate = SWEEP_FEERATE_SAT_PER_KW;
      const result = spender.spend_spendable_outputs(outputs, [], script, rate, locktime);
      // Too little to pay its own fee: left behind.
      if (!result.is_ok()) return;
      const sql = `INSERT INTO sweep (tx, until_height)
        SELECT ?, ? + coalesce(max(height), 0) FROM block`;
      state.run(sql, okOf<Uint8Array>(result, 'sweep'), SWEEP_BLOCKS);
    },
    sweeps: (heightBlocks) => {
      const rows = state.all('SELECT tx FROM sweep WHERE until_height >= ?', heightBlocks);
      return rows.map((row) => bytes(row, 'tx'));
    },
  };
}

/** Locks of coins that are gone from the chain are dropped on the way. */
function lockedOutpoints(state: State, present: ReadonlySet<string>): ReadonlySet<string> {
  const locked = state.all('SELECT outpoint FROM coin_lock').map((row) => text(row, 'outpoint'));
  for (const outpoint of locked) {
    if (!present.has(outpoint)) state.run('DELETE FROM coin_lock WHERE outpoint = ?', outpoint);
  }
  return new Set(locked);
}

/** Each output is swept once, however often LDK reports it. */
function isNew(state: State, output: SpendableOutputDescriptor): boolean {
  const id = sha256(output.write());
  if (state.get('SELECT 1 FROM swept WHERE descriptor = ?', id)) return false;
  state.run('INSERT INTO swept (descriptor) VALUES (?)', id);
  return true;
}

/** The largest coins first, until they cover the amount and the fee. */
function choose(coins: readonly Coin[], amountSat: Sat): readonly Coin[] {
  const chosen: Coin[] = [];
  let sum = 0n;
  for (const coin of coins.toSorted((a, b) => Number(b.amountSat - a.amountSat))) {
    if (sum >= amountSat + feeSat(chosen.length)) break;
    chosen.push(coin);
    sum += coin.amountSat;
  }
  if (chosen.length === 0 || sum < amountSat + feeSat(chosen.length)) {
    throw new Fault('CHAIN_FUNDS', { neededSat: amountSat.toString(), haveSat: sum.toString() });
  }
  return chosen;
}

function fundingTransaction(options: {
  key: Uint8Array;
  script: Uint8Array;
  coins: readonly Coin[];
  output: Uint8Array;
  amountSat: Sat;
}): Uint8Array {
  const { key, script, coins, output, amountSat } = options;
  const tx = new Transaction({ version: 2, allowUnknownOutputs: true });
  let sum = 0n;
  for (const { txid, vout, amountSat: amount } of coins) {
    tx.addInput({ txid, index: vout, witnessUtxo: { script, amount } });
    sum += amount;
  }
  tx.addOutput({ script: output, amount: amountSat });
  const changeSat = sum - amountSat - feeSat(coins.length);
  if (changeSat > DUST_SAT) tx.addOutput({ script, amount: sat(changeSat) });
  tx.sign(key);
  tx.finalize();
  return tx.extract();
}

function feeSat(inputs: number): bigint {
  return (FUNDING_BASE_VBYTES + BigInt(inputs) * INPUT_VBYTES) * FEERATE_SAT_PER_VBYTE;
}

function mature(coin: Coin, heightBlocks: number): boolean {
  return !coin.coinbase || heightBlocks + 1 - coin.heightBlocks >= COINBASE_MATURITY_BLOCKS;
}

function outpointOf({ txid, vout }: Coin): string {
  return `${txid}:${vout}`;
}
