/**
 * Top-ups over HTTP: a session gets more calls without being stopped, paid once, never lost.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fromBase64url, toHex } from '../../src/base/bytes/index.ts';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import type { Json, JsonObject } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, unixMs } from '../../src/base/time/index.ts';
import { topUpCode } from '../../src/pay/bundle/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import type { PayerSession } from '../../src/payer/index.ts';
import { printAsk } from '../../src/wire/toll/index.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

let shop: TestShop;
/** How far the clock is ahead. */
let aheadMs = 0;
before(async () => {
  const clock = { ...systemClock, now: () => unixMs(systemClock.now() + aheadMs) };
  shop = await openShop({ clock, limits: { maxPrepaidMsat: msat(150_000n) } });
});
after(() => shop.close());

const newId = (): string => toHex(systemRandom.bytes(16));

async function buy(calls: number, purchaseId = newId()): Promise<PayerSession> {
  const link = await shop.payer.connect(shop.url);
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(calls));
  return shop.payer.buy(link, { service: 'echo', calls, maxTotalMsat, purchaseId });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

async function spent(): Promise<bigint> {
  return 1_000_000_000n - (await shop.payerWallet.balance()).sendableMsat;
}

test('a session that is used up goes on after a top-up, in the same numbering', async () => {
  const session = await buy(1);
  await session.call({ text: 'a' });
  await assert.rejects(session.call({ text: 'b' }), faultOf('SESSION_EXHAUSTED'));
  const status = await session.topUp({ calls: 2, maxTotalMsat: msat(2_000) });
  assert.equal(status.callsLeft, 2);
  assert.equal(status.boughtCalls, 3);
  const { balance } = await session.call({ text: 'b' });
  assert.equal(balance?.chargedMsat, PRICE_MSAT);
  assert.equal(balance.callsLeft, 1);
  const { facts } = await session.receipt();
  assert.equal(facts.paidMsat, 3n * PRICE_MSAT);
});

test('calls go on while a session is topped up', async () => {
  const session = await buy(20);
  const calls = Array.from({ length: 20 }, (_, i) => session.call({ text: `${i}` }));
  const topUps = Array.from({ length: 3 }, () =>
    session.topUp({ calls: 5, maxTotalMsat: msat(5_000) }),
  );
  await Promise.all([...calls, ...topUps]);
  assert.equal((await session.status()).callsLeft, 15);
});

test('the same id is one top-up; with another order it is refused', async () => {
  const session = await buy(1);
  const before = await spent();
  const topUpId = newId();
  const request = { calls: 3, maxTotalMsat: msat(3_000), topUpId };
  await Promise.all([session.topUp(request), session.topUp(request)]);
  await session.topUp(request);
  assert.equal((await spent()) - before, 3_000n);
  assert.equal((await session.status()).callsLeft, 4);
  const other = { ...request, calls: 2 };
  await assert.rejects(session.topUp(other), faultOf('TOPUP_CONFLICT'));
});

test('a top-up prolongs the session and is not paid above the limit', async () => {
  const session = await buy(1);
  const before = await session.status();
  const cheap = { calls: 2, maxTotalMsat: msat(1_999) };
  await assert.rejects(session.topUp(cheap), faultOf('PAYMENT_PRICE'));
  assert.equal((await session.status()).boughtCalls, 1);
  const after = await session.topUp({ calls: 1, maxTotalMsat: msat(1_000) });
  assert.ok(after.expiresAtMs >= before.expiresAtMs);
});

test('what was refunded does not come back with a top-up, at the price of then', async () => {
  const session = await buy(10);
  aheadMs += 61_000;
  await session.refund({ amountMsat: msat(8_000) });
  const more = { calls: 1, maxTotalMsat: msat(1_000) };
  await assert.rejects(session.topUp(more), faultOf('TOPUP_REFUNDED'));
  assert.equal((await session.status()).callsLeft, 2);
});

test('the caps on what is prepaid count top-ups, unpaid ones too', async () => {
  const session = await buy(1);
  const large = { calls: 140, maxTotalMsat: msat(140_000) };
  await assert.rejects(
    Promise.all([session.topUp(large), session.topUp(large)]),
    faultOf('SETUP_PREPAID'),
  );
  await shop.books.sheet();
});

/** Asks as the owner of a session can, and gives what comes back. */
async function ask(
  purchaseId: string,
  params: JsonObject,
  signed: { id: string; service: string; calls: number },
): Promise<{ code?: string; result?: Json }> {
  const purchase = await shop.payerStore.purchase(purchaseId);
  const { session = '', record = new Uint8Array(0) } = purchase ?? {};
  const { codeKey } = JSON.parse(Buffer.from(record).toString()) as { codeKey: string };
  const link = await shop.payer.connect(shop.url);
  const salt = systemRandom.bytes(16);
  const fields = { host: link.key.fingerprint, session, salt, ...signed };
  const code = topUpCode(fromBase64url(codeKey, 'codeKey'), fields);
  const toll = printAsk({ session, salt, code });
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'toll.topup', params, toll });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${shop.url}/rpc`, { method: 'POST', headers, body });
  const { error, result } = (await answer.json()) as {
    error?: { data: { code: string } };
    result?: Json;
  };
  return error === undefined ? { result: result ?? null } : { code: error.data.code };
}

const GOOD = { id: 'ab'.repeat(16), service: 'echo', calls: 2 };
const REFUSED: readonly [what: string, params: JsonObject, signed: typeof GOOD, code: string][] = [
  ['no members', {}, GOOD, 'REQUEST_MALFORMED'],
  ['a long id', { ...GOOD, id: 'x'.repeat(1000) }, GOOD, 'REQUEST_MALFORMED'],
  ['no calls', { ...GOOD, calls: 0 }, GOOD, 'REQUEST_MALFORMED'],
  ['half a call', { ...GOOD, calls: 0.5 }, GOOD, 'REQUEST_MALFORMED'],
  ['other calls than were signed', { ...GOOD, calls: 3 }, GOOD, 'CODE_INVALID'],
  ['another id than was signed', { ...GOOD, id: 'cd'.repeat(16) }, GOOD, 'CODE_INVALID'],
  ['too many calls', { ...GOOD, calls: 1e9 }, { ...GOOD, calls: 1e9 }, 'SERVICE_QUANTITY'],
  ['not bought', { ...GOOD, service: 'once' }, { ...GOOD, service: 'once' }, 'SERVICE_UNKNOWN'],
];

for (const [what, params, signed, code] of REFUSED) {
  test(`refused, ${what}: ${code}`, async () => {
    const purchaseId = newId();
    const session = await buy(1, purchaseId);
    assert.equal((await ask(purchaseId, params, signed)).code, code);
    assert.equal((await session.status()).boughtCalls, 1);
  });
}

test('the same id gets the same invoice; paid by somebody else it counts, once', async () => {
  const purchaseId = newId();
  const session = await buy(1, purchaseId);
  const { result } = await ask(purchaseId, GOOD, GOOD);
  assert.deepEqual((await ask(purchaseId, GOOD, GOOD)).result, result);
  assert.equal(
    (await ask(purchaseId, { ...GOOD, calls: 1 }, { ...GOOD, calls: 1 })).code,
    'TOPUP_CONFLICT',
  );
  const { invoice } = result as { invoice: string };
  const pay = { invoice, maxFeeMsat: msat(1000), timeoutMs: 5000 };
  await shop.payerWallet.pay(pay);
  await shop.payerWallet.pay(pay).catch(() => undefined);
  const seen: number[] = [];
  while (seen.at(-1) !== 3) seen.push((await session.status()).boughtCalls);
  assert.equal((await session.status()).callsLeft, 3);
});

test('nothing is refunded while a top-up can still be paid', async () => {
  const purchaseId = newId();
  const session = await buy(10, purchaseId);
  const { result } = await ask(purchaseId, GOOD, GOOD);
  assert(result !== undefined);
  aheadMs += 61_000;
  const refund = { refundId: newId(), amountMsat: msat(8_000), deadlineMs: 1 };
  await assert.rejects(session.refund(refund), faultOf('REFUND_BUSY'));
  assert.equal((await session.status()).creditMsat, 10n * PRICE_MSAT);
  aheadMs += 600_000;
  const later = { amountMsat: msat(8_000) };
  assert.equal((await session.refund(later)).amountMsat, 8_000n);
});

test('a top-up paid after its quote was forgotten counts, and its id hears of it', async () => {
  const purchaseId = newId();
  const session = await buy(1, purchaseId);
  const { result } = await ask(purchaseId, GOOD, GOOD);
  aheadMs = 3_600_000;
  await shop.books.forgetUnpaid();
  assert.equal((await ask(purchaseId, GOOD, GOOD)).code, 'SETUP_EXPIRED');
  aheadMs = 0;
  const { invoice } = result as { invoice: string };
  await shop.payerWallet.pay({ invoice, maxFeeMsat: msat(1000), timeoutMs: 5000 });
  const seen: JsonObject[] = [];
  while (seen.at(-1)?.['paid'] !== true) {
    seen.push(((await ask(purchaseId, GOOD, GOOD)).result ?? {}) as JsonObject);
  }
  assert.equal(seen.at(-1)?.['total_msat'], '2000');
  assert.equal((await session.status()).callsLeft, 3);
});

test('in the end the books balance and the audit finds nothing', async () => {
  assert(isBalanced(await shop.books.sheet()));
});
