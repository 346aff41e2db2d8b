/**
 * Several services in one session: one invoice, each line counted by itself, one credit.
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
  shop = await openShop({ limits: { refundAfterMs: 0 } });
});
after(() => shop.close());

const LINES = [
  { service: 'echo', calls: 2 },
  { service: 'once', calls: 3 },
] as const;

async function buy(
  lines: typeof LINES | readonly (typeof LINES)[0][] = LINES,
): Promise<PayerSession> {
  const link = await shop.payer.connect(shop.url);
  return shop.payer.buySeveral(link, { lines, maxTotalMsat: msat(100_000) });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

test('each service has its own calls; together they cost the one invoice', async () => {
  const before = (await shop.payerWallet.balance()).sendableMsat;
  const session = await buy();
  assert.equal(before - (await shop.payerWallet.balance()).sendableMsat, 5n * PRICE_MSAT);
  const first = await session.call({ text: 'a' }, { service: 'echo' });
  assert.equal(first.balance?.callsLeft, 1);
  await session.call({ text: 'b' }, { service: 'echo' });
  const third = session.call({ text: 'c' }, { service: 'echo' });
  await assert.rejects(third, faultOf('SESSION_EXHAUSTED'));
  const once = await session.call({ text: 'c' }, { service: 'once' });
  assert.equal(once.balance?.callsLeft, 2);
  assert.equal(once.balance.creditMsat, 2n * PRICE_MSAT);
  const status = await session.status();
  assert.deepEqual(status.lines, [
    { service: 'echo', calls: 2, callsLeft: 0 },
    { service: 'once', calls: 3, callsLeft: 2 },
  ]);
  assert.equal(status.callsLeft, 2);
  const { facts } = await session.receipt();
  assert.equal(facts.service, 'echo,once');
  assert.equal(facts.servedCalls, 3);
});

test('a call id is one call of one service', async () => {
  const session = await buy();
  const options = { callId: 'mine', service: 'echo' };
  const first = await session.call({ text: 'a' }, options);
  assert.deepEqual((await session.call({ text: 'a' }, options)).result, first.result);
  const other = session.call({ text: 'a' }, { callId: 'mine', service: 'once' });
  await assert.rejects(other, faultOf('CALL_CONFLICT'));
});

test('a line can be topped up; the others stay as they are', async () => {
  const session = await buy();
  const status = await session.topUp({ service: 'echo', calls: 4, maxTotalMsat: msat(4_000) });
  assert.deepEqual(status.lines, [
    { service: 'echo', calls: 6, callsLeft: 6 },
    { service: 'once', calls: 3, callsLeft: 3 },
  ]);
});

test('all lines have one credit: refunded together, the rest pays for calls', async () => {
  const session = await buy();
  await session.refund({ amountMsat: msat(2_500) });
  const status = await session.status();
  assert.equal(status.creditMsat, 2_500n);
  assert.deepEqual(
    status.lines?.map((line) => line.callsLeft),
    [2, 2],
  );
  await session.call({ text: 'a' }, { service: 'once' });
  await session.call({ text: 'b' }, { service: 'echo' });
  const third = session.call({ text: 'c' }, { service: 'echo' });
  await assert.rejects(third, faultOf('SESSION_EXHAUSTED'));
});

test('a call that fails leaves its line as it was', async () => {
  const link = await shop.payer.connect(shop.url);
  const lines = [...LINES, { service: 'fail', calls: 1 }];
  const session = await shop.payer.buySeveral(link, { lines, maxTotalMsat: msat(6_000) });
  const failed = session.call({ text: 'x' }, { service: 'fail' });
  await assert.rejects(failed, faultOf('SERVICE_FAILED'));
  assert.equal((await session.status()).lines?.[2]?.callsLeft, 1);
});

test('a service that was not bought, or is not named, is refused at once', async () => {
  const session = await buy();
  await assert.rejects(session.call({ text: 'x' }), faultOf('USAGE_INVALID'));
  const other = session.call({ text: 'x' }, { service: 'slow' });
  await assert.rejects(other, faultOf('USAGE_INVALID'));
});

for (const [what, lines, code] of [
  ['twice the same', [LINES[0], LINES[0]], 'SETUP_MALFORMED'],
  ['an unknown one', [LINES[0], { service: 'nope', calls: 1 }], 'SERVICE_UNKNOWN'],
  ['no calls', [LINES[0], { service: 'once', calls: 0 }], 'SERVICE_QUANTITY'],
] as const) {
  test(`refused, ${what}: ${code}`, async () => {
    const link = await shop.payer.connect(shop.url);
    const order = { lines, maxTotalMsat: msat(100_000) };
    await assert.rejects(shop.payer.buySeveral(link, order), faultOf(code));
  });
}

test('in the end the books balance', async () => {
  assert(isBalanced(await shop.books.sheet()));
});
