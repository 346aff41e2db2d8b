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
import { fromHex, toHex, utf8 } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import { hkdf32, sha256 } from '../../../base/hash/index.ts';
import { sat, type Sat } from '../../../base/money/index.ts';
import type { Coin } from '../../chain/index.ts';
import type { Foundation } from './lightning.ts';
import { bytes, integer, text } from '../rows.ts';
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
  /** Our coins as the chain has them: one look after the other, so none is older than another. */
  look(): Promise<Look>;
  /** What is ours on the chain by the latest look, and what a sweep is bringing there. */
  balance(look: Look): OnchainBalance;
  /** Sets coins aside for a funding transaction. @throws Fault `CHAIN_FUNDS` */
  reserve(amountSat: Sat): Promise<readonly Coin[]>;
  /** A signed transaction from reserved coins; they stay locked until it is in a block. */
  fund(coins: readonly Coin[], script: Uint8Array, amountSat: Sat): Uint8Array;
  /** Gives coins back whose funding transaction was not sent. */
  release(coins: readonly Coin[]): void;
  /**
   * Gives back the coins of an opening that a crash cut before its transaction was sent: LDK keeps
   * a monitor from the moment when it may be. Called once, when the node starts.
   */
  unlockUnsent(): void;
  /** Fundings that both signed and that may be in no block: a crash may have cut the sending. */
  fundings(): readonly Uint8Array[];
  /** Signs a transaction that takes what a closed channel left. */
  sweep(event: Event_SpendableOutputs): void;
  /** Sweeps that may not be in a block yet. */
  sweeps(heightBlocks: number): readonly Uint8Array[];
}

/** What one look at the chain has found. */
export interface Look {
  readonly heightBlocks: number;
  readonly coins: readonly Coin[];
}

/** The money of the on-chain wallet. */
export interface OnchainBalance {
  readonly spendableSat: Sat;
  readonly immatureSat: Sat;
  /** In sweeps that are in no block yet. */
  readonly sweepingSat: Sat;
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
  const look = looker(script, source);
  const freeOf = ({ heightBlocks, coins }: Look): readonly Coin[] => {
    const locked = lockedOutpoints(state, new Set(coins.map(outpointOf)));
    return coins.filter(
      (coin) =>
        mature(coin, heightBlocks) &&
        !locked.has(outpointOf(coin)) &&
        !reserved.has(outpointOf(coin)),
    );
  };
  return {
    script,
    look,
    balance: (seen) => {
      confirmSweeps(state, seen.coins);
      const sql = `SELECT coalesce(sum(amount_sat), 0) AS sum FROM sweep WHERE confirmed = 0`;
      const sweeping = state.get(sql);
      return {
        spendableSat: sumOf(freeOf(seen)),
        immatureSat: sumOf(seen.coins.filter((coin) => !mature(coin, seen.heightBlocks))),
        sweepingSat: sat(sweeping ? integer(sweeping, 'sum') : 0n),
      };
    },
    reserve: async (amountSat) => {
      const seen = await look();
      confirmSweeps(state, seen.coins);
      const chosen = choose(freeOf(seen), amountSat);
      for (const coin of chosen) reserved.add(outpointOf(coin));
      return chosen;
    },
    fund: (coins, output, amountSat) => {
      const tx = fundingTransaction({ key, script, coins, output, amountSat });
      lock(state, coins, tx);
      return tx.extract();
    },
    release: (coins) => {
      for (const coin of coins) {
        reserved.delete(outpointOf(coin));
        state.run('DELETE FROM coin_lock WHERE outpoint = ?', outpointOf(coin));
      }
    },
    unlockUnsent: () => unlockUnsent(state),
    fundings: () => unconfirmedFundings(state),
    sweep: (event) => {
      const outputs = event.outputs.filter((output) => isNew(state, output));
      if (outputs.length === 0) return;
      const locktime = Option_u32Z.constructor_none();
      const spender = keys.as_OutputSpender();
      const rate = SWEEP_FEERATE_SAT_PER_KW;
      const result = spender.spend_spendable_outputs(outputs, [], script, rate, locktime);
      // Too little to pay its own fee: left behind.
      if (!result.is_ok()) return;
      insertSweep(state, okOf<Uint8Array>(result, 'sweep'));
    },
    sweeps: (heightBlocks) => {
      const rows = state.all('SELECT tx FROM sweep WHERE until_height >= ?', heightBlocks);
      return rows.map((row) => bytes(row, 'tx'));
    },
  };
}

/** One look at the chain after the other. */
function looker(script: Uint8Array, source: CoinSource): () => Promise<Look> {
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const next = last.then(async () => {
      const [heightBlocks, coins] = await Promise.all([source.height(), source.coins(script)]);
      return { heightBlocks, coins };
    });
    last = next.catch(() => undefined);
    return next;
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

function lock(state: State, coins: readonly Coin[], tx: Transaction): void {
  const sql = 'INSERT OR REPLACE INTO coin_lock (outpoint, funding, tx) VALUES (?, ?, ?)';
  for (const coin of coins) state.run(sql, outpointOf(coin), tx.id, tx.extract());
}

function unconfirmedFundings(state: State): readonly Uint8Array[] {
  const funded = new Set(fundingTxids(state));
  const rows = state.all(`SELECT funding, min(tx) AS tx FROM coin_lock
    WHERE funding IS NOT NULL GROUP BY funding`);
  return rows.filter((row) => funded.has(text(row, 'funding'))).map((row) => bytes(row, 'tx'));
}

function unlockUnsent(state: State): void {
  const funded = new Set(fundingTxids(state));
  for (const row of state.all('SELECT * FROM coin_lock WHERE funding IS NOT NULL')) {
    if (funded.has(text(row, 'funding'))) continue;
    state.run('DELETE FROM coin_lock WHERE outpoint = ?', text(row, 'outpoint'));
  }
}

/** The transactions, as shown to people, whose outputs have a monitor. */
function fundingTxids(state: State): string[] {
  return state.all('SELECT funding FROM monitor').map((row) => {
    const [txid = ''] = text(row, 'funding').split(':');
    return toHex(fromHex(txid, 'funding').toReversed());
  });
}

function insertSweep(state: State, tx: Uint8Array): void {
  const read = Transaction.fromRaw(tx, { allowUnknownInputs: true, allowUnknownOutputs: true });
  const sql = `INSERT INTO sweep (tx, txid, amount_sat, until_height)
    SELECT ?, ?, ?, ? + coalesce(max(height), 0) FROM block`;
  state.run(sql, tx, read.id, read.getOutput(0).amount ?? 0n, SWEEP_BLOCKS);
}

/**
 * Coins that a sweep has brought. Nothing spends a coin before this has seen it, so none is missed.
 */
function confirmSweeps(state: State, coins: readonly Coin[]): void {
  const present = new Set(coins.map(({ txid }) => txid));
  for (const row of state.all('SELECT txid FROM sweep WHERE confirmed = 0 AND txid IS NOT NULL')) {
    const txid = text(row, 'txid');
    if (present.has(txid)) state.run('UPDATE sweep SET confirmed = 1 WHERE txid = ?', txid);
  }
}

function sumOf(coins: readonly Coin[]): Sat {
  return sat(coins.reduce((total, { amountSat }) => total + amountSat, 0n));
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
}): Transaction {
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
  return tx;
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
