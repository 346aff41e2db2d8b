/**
 * A hundred kills (SIGKILL) of embedded nodes under load: plain and held payments in both
 * directions, over two channels. (A multi-part payment of which a part has arrived fails only after
 * the payee has waited for the rest, some minutes; the contract suite covers those.)
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom, type Random } from '../../src/base/random/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import type { LdkWallet } from '../../src/port/wallet/ldk/index.ts';
import { startTraffic, type Outcome } from './ldk-traffic.ts';
import { openLdkWorld, until, usable } from './ldk-world.ts';

const KILLS = 100;
const SEED = 20_260_101;
const WORKERS = 4;
const AMOUNTS = [1_000n, 50_000n, 1_000_000n, 70_000_000n].map((n) => msat(n));
/** After the channels carry payments again, or after the process runs again. */
const MAX_DELAY_MS = 80;
const MAX_EARLY_DELAY_MS = 300;

test('killed at any moment: outcomes become certain, and no channel is lost', async (context) => {
  const random = seededRandom(SEED);
  const world = await openLdkWorld();
  try {
    await (await world.open('left')).close();
    const [left, right] = [await world.open('left'), await world.open('right')];
    await world.channel(left, right);
    await world.channel(right, left);
    const channels = await idsOf(left);
    const before = [await localMsat(left), await localMsat(right)];
    const traffic = startTraffic(random, {
      wallets: [left, right],
      workers: WORKERS,
      amounts: AMOUNTS,
    });
    const duringPayments = await kill(random, [left, right], traffic);
    await traffic.finish();
    await noHtlcLeft(left, right);
    const { outcomes } = traffic;
    for (const wallet of [left, right]) {
      await agrees(wallet, outcomes);
      assert.deepEqual(await idsOf(wallet), channels);
      assert.deepEqual(await wallet.heldAfter(0n, 10), []);
    }
    assert.equal(world.chain.mempoolSize(), 0);
    const moved = (await localMsat(left)) - (before[0] ?? 0n);
    assert.equal(moved, receivedBy(left, outcomes) - receivedBy(right, outcomes));
    const reasons = Object.groupBy(outcomes, ({ reason = 'paid' }) => reason);
    const counts = Object.entries(reasons).map(([name, list]) => `${list?.length} ${name}`);
    context.diagnostic(`${KILLS} kills, ${duringPayments} during payments: ${counts.join(', ')}`);
  } finally {
    await world.close();
  }
});

/** Kills one side, the other, or both; sometimes before they have found each other again. */
async function kill(
  random: Random,
  wallets: readonly [LdkWallet, LdkWallet],
  traffic: { underway(): number },
): Promise<number> {
  let duringPayments = 0;
  let kills = 0;
  while (kills < KILLS) {
    if (random.below(4) > 0) for (const wallet of wallets) await usable(wallet);
    await systemClock.sleep(random.below(random.below(2) ? MAX_DELAY_MS : MAX_EARLY_DELAY_MS));
    const chosen = random.below(8);
    const victims = chosen < 1 ? [wallets[0]] : chosen < 2 ? [wallets[1]] : wallets;
    if (traffic.underway() > 0) duringPayments += victims.length;
    await Promise.all(victims.map((victim) => victim.kill()));
    kills += victims.length;
  }
  return duringPayments;
}

/** What the wallet says of each payment is what its workers saw, on both sides. */
async function agrees(wallet: LdkWallet, outcomes: readonly Outcome[]): Promise<void> {
  for (const { payer, payee, paymentHash, state, amountMsat } of outcomes) {
    if (wallet === payer) {
      const outgoing = await payer.outgoing(paymentHash);
      assert.equal(outgoing?.state, state === 'paid' ? 'paid' : 'failed');
      assert.ok(outgoing.state !== 'paid' || outgoing.feeMsat === 0n);
    }
    if (wallet !== payee) continue;
    const incoming = await payee.incoming(paymentHash);
    assert.equal(incoming?.state, state);
    assert.equal(incoming.receivedMsat, state === 'paid' ? amountMsat : 0n);
  }
  const received = await wallet.receivedAfter(0n, 1000);
  const paid = outcomes.filter(({ payee, state }) => payee === wallet && state === 'paid');
  assert.deepEqual(
    received.map(({ paymentHash }) => paymentHash).toSorted(),
    paid.map(({ paymentHash }) => paymentHash).toSorted(),
  );
  const listed = await wallet.listOutgoing(0n, 1000);
  assert.deepEqual(
    listed.filter(({ outgoing }) => outgoing.state === 'pending'),
    [],
  );
}

function receivedBy(wallet: LdkWallet, outcomes: readonly Outcome[]): bigint {
  return outcomes
    .filter(({ payee, state }) => payee === wallet && state === 'paid')
    .reduce((sum, { amountMsat }) => sum + amountMsat, 0n);
}

async function idsOf(wallet: LdkWallet): Promise<string[]> {
  return (await wallet.channels()).map(({ channelId }) => channelId).toSorted();
}

async function localMsat(wallet: LdkWallet): Promise<bigint> {
  return (await wallet.channels()).reduce((sum, channel) => sum + channel.localMsat, 0n);
}

/** Both sides together own all of the channels again. */
async function noHtlcLeft(left: LdkWallet, right: LdkWallet): Promise<void> {
  await usable(left);
  const channels = await left.channels();
  const capacityMsat = channels.reduce((sum, { capacitySat }) => sum + capacitySat * 1000n, 0n);
  await until(async () => (await localMsat(left)) + (await localMsat(right)) === capacityMsat);
}
