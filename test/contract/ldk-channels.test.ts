/**
 * What an embedded node does beyond the wallet port: it opens and closes channels, says why that
 * is refused, accounts for every satoshi meanwhile, and keeps to the fee limit over a crash.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decodeInvoice } from '../../src/bitcoin/bolt/index.ts';
import { msat, sat } from '../../src/base/money/index.ts';
import type { Balance, Outgoing } from '../../src/port/wallet/index.ts';
import type { LdkWallet } from '../../src/port/wallet/ldk/index.ts';
import { openLdkWorld, routeKnown, until, usable, type LdkWorld } from './ldk-world.ts';

const CHANNEL_SAT = sat(1_000_000);
/** One coinbase of the private chain. */
const COINBASE_SAT = 5_000_000_000n;
const AMOUNT_MSAT = msat(1_000_000);

let world: LdkWorld;
let payer: LdkWallet;
let hop: LdkWallet;
let payee: LdkWallet;
before(async () => {
  world = await openLdkWorld();
  payer = await world.open('payer');
  hop = await world.open('hop');
  payee = await world.open('payee');
});
after(() => world?.close());

test('a channel without coins is refused with what is needed', async () => {
  const request = { peer: hop.address(), amountSat: CHANNEL_SAT };
  const opening = payer.openChannel(request);
  await assert.rejects(opening, { code: 'CHAIN_FUNDS' });
});

test('young coins are ours, and cannot be spent yet', async () => {
  await world.chain.mine(1, payer.fundingScript());
  const young = await payer.balance();
  assert.deepEqual([young.onchainSat, young.immatureSat], [0n, COINBASE_SAT]);
  await world.chain.mine(100);
  const old = await payer.balance();
  assert.deepEqual([old.onchainSat, old.immatureSat], [COINBASE_SAT, 0n]);
});

test('a channel that the peer or the node refuses says why, and costs nothing', async () => {
  const peer = hop.address();
  const small = payer.openChannel({ peer, amountSat: sat(900) });
  await assert.rejects(small, (error: { code: string; facts: { reason: string } }) => {
    assert.equal(error.code, 'CHANNEL_REFUSED');
    assert.match(error.facts.reason, /[a-z]{4}/);
    return true;
  });
  const pushed = payer.openChannel({ peer, amountSat: CHANNEL_SAT, pushMsat: msat(10n ** 12n) });
  await assert.rejects(pushed, { code: 'CHANNEL_REFUSED' });
  const late = payer.openChannel({ peer, amountSat: CHANNEL_SAT, timeoutMs: 0 });
  await assert.rejects(late, { code: 'CHANNEL_REFUSED' });
  assert.deepEqual(await payer.channels(), []);
  assert.equal((await payer.balance()).onchainSat, COINBASE_SAT);
  assert.equal(world.chain.mempoolSize(), 0);
});

test('a channel that waits for its block is reported as such, and opens later', async () => {
  const peer = hop.address();
  const opening = payer.openChannel({ peer, amountSat: CHANNEL_SAT, timeoutMs: 5_000 });
  await assert.rejects(opening, { code: 'CHANNEL_UNCONFIRMED' });
  assert.equal(world.chain.mempoolSize(), 1);
  const balance = await payer.balance();
  assert.deepEqual([balance.onchainSat, balance.channelsMsat], [0n, CHANNEL_SAT * 1000n]);
  await world.chain.mine(6);
  await until(async () => (await payer.channels()).some((channel) => channel.usable));
});

test('a channel that is not there cannot be closed', async () => {
  const closing = payer.closeChannel({ channelId: '00'.repeat(32), force: true });
  await assert.rejects(closing, { code: 'CHANNEL_UNKNOWN' });
});

test('killed while it opens a channel: it opens, or its coins are free again', async () => {
  const channels = (await payer.channels()).length;
  for (let round = 0; round < 3; round++) {
    const before = await payer.balance();
    const request = { peer: hop.address(), amountSat: CHANNEL_SAT };
    const opening = payer.openChannel(request).catch((error: { code: string }) => error.code);
    await payer.info();
    await payer.kill();
    assert.equal(await opening, 'WALLET_STOPPED');
    await until(async () => (await payer.channels()).every(({ usable }) => usable) || mined());
    await world.chain.mine(6);
    await usable(payer);
    const opened = (await payer.channels()).length - channels;
    const now = await payer.balance();
    const spent = before.onchainSat - now.onchainSat;
    assert.ok(opened > 0 ? spent >= CHANNEL_SAT : spent === 0n, `${opened} opened, ${spent} sat`);
    if (opened > 0) break;
  }
});

test('routing fees stay within the limit, over a crash and asking again', async () => {
  await world.channel(hop, payee);
  await routeKnown(world.chain, payer, payee);
  const free = await payFor(await invoice(), { maxFeeMsat: 100_000n });
  assert.ok(free.state === 'paid' && free.feeMsat > 0n);
  const { feeMsat } = free;
  const refused = await invoice();
  const failed = await payFor(refused, { maxFeeMsat: feeMsat - 1n });
  assert.equal(failed.state === 'failed' ? failed.reason : '', 'PAYMENT_FEE');
  const exact = await invoice();
  const paying = payFor(exact, { maxFeeMsat: feeMsat });
  const { paymentHash } = decodeInvoice(exact);
  await until(async () => (await payer.outgoing(paymentHash)) !== undefined);
  await payer.kill();
  await paying;
  await usable(payer);
  await usable(hop);
  // What is known of other nodes is learnt again after a start.
  await routeKnown(world.chain, payer, payee);
  // A higher limit does not reach a payment that is under way; one that failed starts with it.
  let outcome = await payFor(exact, { maxFeeMsat: feeMsat });
  while (outcome.state !== 'paid') outcome = await payFor(exact, { maxFeeMsat: feeMsat });
  assert.ok(outcome.feeMsat <= feeMsat);
  assert.equal((await payFor(refused, { maxFeeMsat: feeMsat - 1n })).state, 'failed');
  assert.equal((await payFor(refused, { maxFeeMsat: feeMsat })).state, 'paid');
});

test('a deadline ends the waiting, not the payment', async () => {
  const paymentHash = 'ab'.repeat(32);
  const request = { amountMsat: AMOUNT_MSAT, description: '', expirySeconds: 600, paymentHash };
  const { invoice: text } = await payee.createInvoice(request);
  const pending = { state: 'pending', amountMsat: AMOUNT_MSAT };
  assert.deepEqual(await payFor(text, { maxFeeMsat: 100_000n, timeoutMs: 300 }), pending);
  await until(async () => (await payee.heldAfter(0n, 1)).length === 1);
  assert.deepEqual(await payFor(text, { maxFeeMsat: 100_000n, timeoutMs: 0 }), pending);
  await payee.cancel(paymentHash);
  await until(async () => (await payer.outgoing(paymentHash))?.state === 'failed');
});

test('a channel that closes is accounted for until its coins are back', async () => {
  const [channel] = await payer.channels();
  assert.ok(channel);
  const before = await payer.balance();
  await payer.closeChannel({ channelId: channel.channelId, force: true });
  const closing = await payer.balance();
  const localSat = channel.localMsat / 1000n;
  assert.ok(closing.closingSat > localSat - 2_000n && closing.closingSat <= localSat + 1n);
  assert.equal(before.channelsMsat - closing.channelsMsat, channel.localMsat);
  const moments: Balance[] = [];
  await until(async () => {
    await world.chain.mine(10);
    const tip = await world.chain.height();
    // The node follows meanwhile, one block after the other.
    await until(async () => {
      moments.push(await payer.balance());
      return (await payer.info()).heightBlocks === tip;
    });
    return moments.at(-1)?.closingSat === 0n;
  });
  // At every moment, also between two blocks of a stretch, it is in one of the two places.
  const highest = before.onchainSat + localSat;
  const sums = moments.map(({ onchainSat, closingSat }) => onchainSat + closingSat);
  assert.deepEqual(
    sums.filter((sum) => sum <= highest - 5_000n || sum > highest),
    [],
  );
});

async function invoice(): Promise<string> {
  const request = { amountMsat: AMOUNT_MSAT, description: '', expirySeconds: 600 };
  return (await payee.createInvoice(request)).invoice;
}

function payFor(
  text: string,
  { maxFeeMsat, timeoutMs = 60_000 }: { maxFeeMsat: bigint; timeoutMs?: number },
): Promise<Outgoing> {
  return payer.pay({ invoice: text, maxFeeMsat: msat(maxFeeMsat), timeoutMs });
}

function mined(): boolean {
  return world.chain.mempoolSize() > 0;
}
