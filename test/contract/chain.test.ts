/**
 * The chain contract, on the regtest chain.
 * @module
 */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, describe, test } from 'node:test';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { Transaction, p2wpkh, p2wsh } from '@scure/btc-signer';
import { sameBytes, toHex } from '../../src/base/bytes/index.ts';
import { sha256 } from '../../src/base/hash/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import type { Coin } from '../../src/port/chain/index.ts';
import { openRegtest, type RegtestChain } from '../../src/port/chain/regtest/index.ts';
import { movableClock } from './ldk-world.ts';

const KEY = new Uint8Array(32).fill(7);
const MINE = p2wpkh(secp256k1.getPublicKey(KEY)).script;
const THEIRS = p2wpkh(secp256k1.getPublicKey(new Uint8Array(32).fill(8))).script;
const MATURE_BLOCKS = 100;
const REWARD_SAT = 5_000_000_000n;

const open = (file?: string): Promise<RegtestChain> =>
  openRegtest({ clock: systemClock, log: silentLog, ...(file === undefined ? {} : { file }) });

let chain: RegtestChain;
before(async () => {
  chain = await open();
  await chain.mine(3, MINE);
  await chain.mine(MATURE_BLOCKS);
});
after(() => chain?.close());

test('blocks are linked, and their transactions and hashes are those of Bitcoin', async () => {
  const height = await chain.height();
  const block = await chain.block(height);
  const previous = await chain.block(height - 1);
  assert.ok(block && previous);
  assert.equal(block.heightBlocks, height);
  assert.equal(block.header.length, 80);
  assert.deepEqual(block.hash, sha256(sha256(block.header)));
  assert.ok(sameBytes(block.header.subarray(4, 36), previous.hash));
  assert.equal(block.txs.length, 1);
  assert.equal(await chain.block(height + 1), undefined);
});

test('block times end at the clock', async () => {
  const block = await chain.block(await chain.height());
  const seconds = Buffer.from(block?.header ?? []).readUInt32LE(68);
  assert.ok(Math.abs(seconds - systemClock.now() / 1000) < 30);
});

test('coins are those of a script, without the mempool', async () => {
  const [coin] = await chain.coins(MINE);
  assert.ok(coin);
  assert.deepEqual([coin.amountSat, coin.coinbase, coin.vout], [REWARD_SAT, true, 0]);
  const sent = await chain.submit(spend(coin));
  assert.deepEqual(sent, { ok: true, txid: sent.txid });
  assert.equal(chain.mempoolSize(), 1);
  assert.deepEqual(await chain.coins(THEIRS), []);
  assert.deepEqual(await chain.submit(spend(coin)), sent);
  await chain.mine(1);
  assert.equal(chain.mempoolSize(), 0);
  assert.deepEqual(
    (await chain.coins(THEIRS)).map(({ txid, amountSat }) => [txid, amountSat]),
    [[sent.txid, REWARD_SAT - 1_000n]],
  );
  assert.ok((await chain.coins(MINE)).every(({ txid }) => txid !== coin.txid));
  // Known and in a block: still fine.
  assert.deepEqual(await chain.submit(spend(coin)), sent);
});

test('tells of every change of the best chain, and of the mempool', async () => {
  let changes = 0;
  let arrivals = 0;
  const stop = [chain.onChange(() => changes++), chain.onMempool(() => arrivals++)];
  const coin = (await chain.coins(MINE))[0];
  assert.ok(coin);
  await chain.submit(spend(coin));
  assert.deepEqual([changes, arrivals], [0, 1]);
  await chain.mine(1);
  await chain.reorg(1);
  assert.equal(changes, 2);
  stop.forEach((end) => end());
  await chain.mine(1);
  assert.equal(changes, 2);
});

const coinbase = async (): Promise<Coin> => {
  const coin = (await chain.coins(MINE)).at(-1);
  assert.ok(coin);
  return coin;
};
const refusals: [string, (coin: Coin) => Uint8Array][] = [
  ['bad-txns-inputs-missingorspent', (coin) => spend({ ...coin, txid: '11'.repeat(32) })],
  ['non-mandatory-script-verify-flag', (coin) => spend(coin, { key: new Uint8Array(32).fill(9) })],
  ['min relay fee not met', (coin) => spend(coin, { feeSat: 1n })],
  ['dust', (coin) => spend(coin, { feeSat: REWARD_SAT - 10n })],
  ['non-final', (coin) => spend(coin, { lockTime: 1_000_000 })],
  ['non-BIP68-final', (coin) => spend(coin, { sequence: 500 })],
  ['tx-decode-failed', () => Uint8Array.of(1, 2, 3)],
];
for (const [reason, make] of refusals) {
  test(`refuses by name: ${reason}`, async () => {
    const answer = await chain.submit(make(await coinbase()));
    assert.equal(answer.ok, false);
    assert.equal(answer.ok ? '' : answer.reason, reason);
    assert.equal(chain.mempoolSize(), 0);
  });
}

test('refuses a second spend of a coin, and a reward that is too young', async () => {
  const coin = await coinbase();
  await chain.submit(spend(coin));
  const twice = await chain.submit(spend(coin, { feeSat: 3_000n }));
  assert.equal(twice.ok ? '' : twice.reason, 'bad-txns-inputs-spent');
  await chain.mine(1, MINE);
  const young = await chain.submit(spend(await coinbase()));
  assert.equal(young.ok ? '' : young.reason, 'bad-txns-premature-spend-of-coinbase');
});

// <8> CHECKSEQUENCEVERIFY (BIP 112) and <50> CHECKLOCKTIMEVERIFY (BIP 65).
const locks: [string, Uint8Array, LockOptions, LockOptions][] = [
  ['relative', Uint8Array.of(0x58, 0xb2), { sequence: 7 }, { sequence: 8 }],
  ['absolute', Uint8Array.of(0x01, 50, 0xb1), { lockTime: 49 }, { lockTime: 50 }],
];
for (const [name, script, early, due] of locks) {
  test(`${name} lock times in scripts are in force`, async () => {
    const locked = p2wsh({ type: 'wsh', script });
    await chain.mine(1, locked.script);
    await chain.mine(MATURE_BLOCKS);
    const [coin] = await chain.coins(locked.script);
    assert.ok(coin);
    const refused = await chain.submit(spendScript(coin, script, early));
    assert.equal(refused.ok ? '' : refused.reason, 'non-mandatory-script-verify-flag');
    assert.equal((await chain.submit(spendScript(coin, script, due))).ok, true);
  });
}

describe('chain contract: regtest reorganises', () => {
  test('blocks, coins and mempool follow the longer branch', async () => {
    const chain = await open();
    await chain.mine(1, MINE);
    await chain.mine(MATURE_BLOCKS);
    const [coin] = await chain.coins(MINE);
    assert.ok(coin);
    await chain.submit(spend(coin));
    const height = await chain.height();
    const kept = await chain.block(height - 1);
    await chain.mine(2);
    const left = await chain.block(height + 1);
    assert.deepEqual(await chain.coins(MINE), []);
    await chain.reorg(3);
    assert.equal(await chain.height(), height + 3);
    assert.deepEqual(await chain.block(height - 1), kept);
    assert.notDeepEqual((await chain.block(height + 1))?.hash, left?.hash);
    assert.deepEqual(await chain.coins(MINE), [coin]);
    assert.deepEqual(await chain.coins(THEIRS), []);
    assert.equal(chain.mempoolSize(), 1);
    await chain.mine(1);
    assert.equal((await chain.coins(THEIRS)).length, 1);
    await chain.close();
  });

  test('not below the first block', async () => {
    const chain = await open();
    await chain.mine(2);
    await assert.rejects(chain.reorg(3), { code: 'CHAIN_REFUSED' });
    await chain.reorg(2);
    assert.equal(await chain.height(), 3);
    await chain.close();
  });
});

describe('chain contract: regtest keeps its blocks', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tollcall-chain-'));
    file = join(dir, 'blocks.dat');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const hashes = async (chain: RegtestChain): Promise<string[]> => {
    const height = await chain.height();
    const blocks = Array.from({ length: height }, (_, i) => chain.block(i + 1));
    return (await Promise.all(blocks)).map((block) => toHex(block?.hash ?? new Uint8Array(0)));
  };

  test('and replays them, with their reorganisations', async () => {
    const first = await open(file);
    await first.mine(1, MINE);
    await first.mine(450);
    await first.reorg(3);
    const before = await hashes(first);
    const coins = await first.coins(MINE);
    await first.close();
    const second = await open(file);
    assert.deepEqual(await hashes(second), before);
    assert.deepEqual(await second.coins(MINE), coins);
    await second.mine(1);
    assert.equal(await second.height(), before.length + 1);
    await second.close();
  });

  test('up to a torn tail, which is cut off', async () => {
    const first = await open(file);
    await first.mine(5);
    const before = await hashes(first);
    await first.close();
    const whole = readFileSync(file);
    for (const torn of [whole.length - 1, whole.length - 100, whole.length - 3]) {
      writeFileSync(file, whole);
      truncateSync(file, torn);
      const again = await open(file);
      assert.deepEqual(await hashes(again), before.slice(0, -1));
      await again.mine(1);
      assert.equal(await again.height(), 5);
      await again.close();
    }
    writeFileSync(file, whole);
    appendFileSync(file, Buffer.from([0, 0, 0, 4, 1, 2, 3, 4]));
    const again = await open(file);
    assert.deepEqual(await hashes(again), before);
    await again.close();
  });

  test('and says when the file is damaged in the middle', async () => {
    const first = await open(file);
    await first.mine(5);
    await first.close();
    const bytes = readFileSync(file);
    bytes[60] = (bytes[60] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    await assert.rejects(open(file), { code: 'STORE_CORRUPT' });
  });

  test('with times of a clock that runs ahead', async () => {
    const clock = movableClock();
    const chain = await openRegtest({ clock, log: silentLog, file });
    await chain.mine(1);
    clock.move(30 * 86_400_000);
    await chain.mine(1);
    assert.equal(await chain.height(), 2);
    await chain.close();
  });
});

interface SpendOptions {
  readonly key?: Uint8Array;
  readonly feeSat?: bigint;
  readonly lockTime?: number;
  readonly sequence?: number;
}

function spend(coin: Coin, options: SpendOptions = {}): Uint8Array {
  const { key = KEY, feeSat = 1_000n, lockTime = 0, sequence = 0xfffffffd } = options;
  const script = p2wpkh(secp256k1.getPublicKey(key)).script;
  const tx = new Transaction({ version: 2, lockTime });
  const { txid, vout, amountSat } = coin;
  tx.addInput({ txid, index: vout, sequence, witnessUtxo: { script, amount: amountSat } });
  tx.addOutput({ script: THEIRS, amount: amountSat - feeSat });
  tx.sign(key);
  tx.finalize();
  return tx.extract();
}

interface LockOptions {
  readonly lockTime?: number;
  readonly sequence?: number;
}

function spendScript(
  { txid, vout, amountSat }: Coin,
  script: Uint8Array,
  { lockTime = 0, sequence = 0 }: LockOptions,
): Uint8Array {
  const tx = new Transaction({ version: 2, lockTime, allowUnknownInputs: true });
  tx.addOutput({ script: THEIRS, amount: amountSat - 1_000n });
  const witnessUtxo = { script: p2wsh({ type: 'wsh', script }).script, amount: amountSat };
  tx.addInput({ txid, index: vout, sequence, witnessUtxo, finalScriptWitness: [script] });
  return tx.extract();
}
