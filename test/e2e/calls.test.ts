/**
 * Calls over HTTP, from purchase to receipt: what is charged and what is not.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import type { PayerSession } from '../../src/payer/index.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

let shop: TestShop;
before(async () => {
  shop = await openShop();
});
after(() => shop.close());

async function buy(service: string, calls: number): Promise<PayerSession> {
  const link = await shop.payer.connect(shop.url);
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(calls));
  return shop.payer.buy(link, { service, calls, maxTotalMsat });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

test('four calls cost four shares; the fifth is refused; the receipt says so', async () => {
  const session = await buy('echo', 4);
  for (let i = 1; i <= 4; i++) {
    const { result, balance } = await session.call({ text: `call ${i}` });
    assert.deepEqual(result, { text: `call ${i}` });
    assert.equal(balance?.chargedMsat, PRICE_MSAT);
    assert.equal(balance.callsLeft, 4 - i);
  }
  await assert.rejects(session.call({ text: 'five' }), faultOf('SESSION_EXHAUSTED'));
  const { facts } = await session.receipt();
  assert.equal(facts.servedCalls, 4);
  assert.equal(facts.servedMsat, 4n * PRICE_MSAT);
  assert.equal(facts.creditMsat, 0n);
});

test('a call id asked twice is run and charged once, and the first answer is kept', async () => {
  const session = await buy('echo', 2);
  const before = shop.begun.get('echo') ?? 0;
  const first = await session.call({ text: 'a' }, { callId: 'mine' });
  const second = await session.call({ text: 'a' }, { callId: 'mine' });
  assert.deepEqual(second.result, first.result);
  await assert.rejects(session.call({ text: 'b' }, { callId: 'mine' }), faultOf('CALL_CONFLICT'));
  assert.equal(shop.begun.get('echo'), before + 1);
  assert.equal((await session.status()).chargedMsat, PRICE_MSAT);
});

for (const [service, code] of [
  ['fail', 'SERVICE_FAILED'],
  ['slow', 'SERVICE_TIMEOUT'],
  ['liar', 'SERVICE_FAILED'],
] as const) {
  test(`service '${service}' ends in ${code}: not charged, credit and call kept`, async () => {
    const session = await buy(service, 2);
    await assert.rejects(session.call({ text: 'x' }), faultOf(code));
    const status = await session.status();
    assert.equal(status.chargedMsat, 0n);
    assert.equal(status.creditMsat, 2n * PRICE_MSAT);
    assert.equal(status.callsLeft, 2);
  });
}

test('what a handler throws stays inside, unless it is a fault for the payer', async () => {
  const session = await buy('fail', 2);
  const inside = await session.call({ text: 'hush' }).catch((error: unknown) => error);
  assert(isFault(inside) && !JSON.stringify(inside.facts).includes('hush'));
  const shown = await session.call({ text: 'fault' }).catch((error: unknown) => error);
  assert(isFault(shown));
  assert.deepEqual(shown.facts, { reason: 'as asked' });
});

test('input that breaks the schema is refused before any reservation', async () => {
  const session = await buy('echo', 1);
  await assert.rejects(session.call({ text: 7 }), faultOf('SERVICE_INPUT'));
  assert.equal((await session.status()).callsLeft, 1);
});

test('many calls at once: each answered, each charged once', async () => {
  const session = await buy('once', 100);
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, i) => session.call({ text: `${i}` })),
  );
  results.forEach(({ result }, i) => assert.deepEqual(result, { text: `${i}` }));
  const { facts } = await session.receipt();
  assert.equal(facts.servedCalls, 100);
  assert.equal(facts.servedMsat, 100n * PRICE_MSAT);
});

test('a price above the limit is not paid, whatever the host says', async () => {
  const link = await shop.payer.connect(shop.url);
  const balance = await shop.payerWallet.balance();
  const order = { service: 'echo', calls: 10, maxTotalMsat: msat(9_999) };
  await assert.rejects(shop.payer.buy(link, order), faultOf('PAYMENT_PRICE'));
  assert.deepEqual(await shop.payerWallet.balance(), balance);
});

test('the same purchase id buys once', async () => {
  const link = await shop.payer.connect(shop.url);
  const order = {
    service: 'echo',
    calls: 3,
    maxTotalMsat: msat(3_000),
    purchaseId: 'ab'.repeat(16),
  };
  const [a, b] = [await shop.payer.buy(link, order), await shop.payer.buy(link, order)];
  assert.equal(a.session, b.session);
});

test('another key than the expected one is refused', async () => {
  const trust = { fingerprint: '00'.repeat(32) };
  await assert.rejects(shop.payer.connect(shop.url, trust), faultOf('HOST_KEY_CHANGED'));
});

test('in the end the books balance', async () => {
  const sheet = await shop.books.sheet();
  assert(isBalanced(sheet));
  assert.equal(sheet.reservedMsat, 0n);
});
