/**
 * What an embedded node keeps when it stops, when the chain reorganises, and when a channel closes.
 * `ldk-kills.test.ts` kills it.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { msat } from '../../src/base/money/index.ts';
import type { Outgoing } from '../../src/port/wallet/index.ts';
import type { LdkWallet } from '../../src/port/wallet/ldk/index.ts';
import { openLdkWorld, until, usable, type LdkWorld } from './ldk-world.ts';

const AMOUNT_MSAT = msat(1_000_000);
const CSV_BLOCKS = 150;

let world: LdkWorld;
let payer: LdkWallet;
let payee: LdkWallet;
before(async () => {
  world = await openLdkWorld();
  payer = await world.open('payer');
  payee = await world.open('payee');
  await world.channel(payer, payee);
});
after(() => world?.close());

test('no route to a payee who is away; the payment can be asked for again', async () => {
  const away = await invoice(payee);
  await payee.close();
  await until(async () => (await payer.channels()).every((channel) => !channel.usable));
  const failed = await pay(payer, away.invoice);
  assert.deepEqual(failed, {
    state: 'failed',
    amountMsat: AMOUNT_MSAT,
    reason: 'PAYMENT_NO_ROUTE',
  });
  payee = await world.open('payee');
  await usable(payer);
  await usable(payee);
  // It failed for certain, so asking again starts again.
  assert.equal((await pay(payer, away.invoice)).state, 'paid');
});

test('follows a reorganisation and goes on paying', async () => {
  await world.chain.mine(3);
  await world.chain.reorg(4);
  const height = await world.chain.height();
  await until(async () => (await payer.info()).heightBlocks === height);
  await until(async () => (await payee.info()).heightBlocks === height);
  assert.equal((await pay(payer, (await invoice(payee)).invoice)).state, 'paid');
});

test('a reorganisation while a node is down is found when it starts', async () => {
  await world.chain.mine(2);
  await payee.close();
  await world.chain.reorg(2);
  payee = await world.open('payee');
  assert.equal((await payee.info()).heightBlocks, await world.chain.height());
  await usable(payer);
  await usable(payee);
  assert.equal((await pay(payer, (await invoice(payee)).invoice)).state, 'paid');
});

test('one database has one owner', async () => {
  await assert.rejects(world.open('payee'), { code: 'STORE_OWNED' });
});

test('a channel closes by force, and both sides sweep what is theirs', async () => {
  const mine = (await payer.channels())[0];
  assert.ok(mine);
  const before = await payer.balance();
  assert.equal((await payee.balance()).onchainSat, 0n);
  await payer.closeChannel({ channelId: mine.channelId, force: true });
  await until(async () => world.chain.mempoolSize() > 0);
  await mineUntil(world, async () => (await payee.balance()).onchainSat > 0n);
  await mineUntil(world, async () => (await payer.balance()).onchainSat > before.onchainSat);
  const feesSat = mine.capacitySat - (await swept(payer, payee)) + before.onchainSat;
  assert.ok(feesSat > 0n && feesSat < 5_000n, `fees of ${feesSat} sat`);
  assert.deepEqual(await payer.channels(), []);
});

test('a channel closes together', async () => {
  await world.channel(payer, payee);
  const before = await swept(payer, payee);
  const channelId = (await payer.channels())[0]?.channelId ?? '';
  await payer.closeChannel({ channelId, force: false });
  await mineUntil(world, async () => (await swept(payer, payee)) > before + 9_990_000n);
});

function invoice(payee: LdkWallet): ReturnType<LdkWallet['createInvoice']> {
  return payee.createInvoice({ amountMsat: AMOUNT_MSAT, description: '', expirySeconds: 600 });
}

function pay(payer: LdkWallet, text: string): Promise<Outgoing> {
  return payer.pay({ invoice: text, maxFeeMsat: msat(0), timeoutMs: 20_000 });
}

async function swept(a: LdkWallet, b: LdkWallet): Promise<bigint> {
  return (await a.balance()).onchainSat + (await b.balance()).onchainSat;
}

async function mineUntil({ chain }: LdkWorld, holds: () => Promise<boolean>): Promise<void> {
  for (let mined = 0; mined < CSV_BLOCKS && !(await holds()); mined += 10) await chain.mine(10);
  await until(async () => {
    await chain.mine(1);
    return await holds();
  });
}
