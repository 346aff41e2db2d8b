/**
 * What a host answers at its limits, and whether it is ready.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { msat } from '../../src/base/money/index.ts';
import { service } from '../../src/host/index.ts';
import { z } from '../../src/package/host/index.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

const text = z.strictObject({ text: z.string() });
const begun = Promise.withResolvers<void>();
const released = Promise.withResolvers<void>();
const held = service('held', {
  description: 'Waits for the test.',
  input: text,
  output: text,
  price: { kind: 'each', priceMsat: PRICE_MSAT },
  handler: async (input) => {
    begun.resolve();
    await released.promise;
    return input;
  },
});

let shop: TestShop;
before(async () => {
  const hostLimits = { bodyBytes: 20_000, batchRequests: 2, runningCalls: 1, unpaidSessions: 1 };
  shop = await openShop({ hostLimits, services: [held] });
});
after(() => shop.close());

async function codeOf(path: string, body: unknown): Promise<unknown> {
  const answer = await fetch(shop.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Toll x' },
    body: JSON.stringify(body),
  });
  const problem = (await answer.json()) as { code?: string; error?: { data: { code: string } } };
  return problem.code ?? problem.error?.data.code;
}

test('a body or a batch above its limit is refused', async () => {
  assert.equal(await codeOf('/call/echo', { text: 'x'.repeat(20_000) }), 'REQUEST_TOO_LARGE');
  const describe = { jsonrpc: '2.0', id: 1, method: 'toll.describe' };
  assert.equal(await codeOf('/rpc', [describe, describe, describe]), 'REQUEST_TOO_LARGE');
});

test('one call too many under way is refused, and the first one is answered', async () => {
  const link = await shop.payer.connect(shop.url);
  const order = { service: 'held', calls: 1, maxTotalMsat: msat(PRICE_MSAT) };
  const session = await shop.payer.buy(link, order);
  const answer = session.call({ text: 'a' });
  await begun.promise;
  assert.equal(shop.host.state().runningCalls, 1);
  assert.equal(await codeOf('/call/echo', { text: 'a' }), 'CALL_BUSY');
  released.resolve();
  assert.deepEqual((await answer).result, { text: 'a' });
});

test('a host is ready until it stops', async () => {
  const own = await openShop();
  const ready = async (): Promise<[number, unknown]> => {
    const answer = await own.host.handle({
      method: 'GET',
      path: '/ready',
      header: () => undefined,
      body: new Uint8Array(0),
      address: '127.0.0.1',
    });
    return [answer.status, JSON.parse(new TextDecoder().decode(answer.body))];
  };
  assert.deepEqual(await ready(), [200, { status: 'ready' }]);
  await own.close();
  assert.deepEqual(await ready(), [503, { status: 'not ready', waiting: ['stopping', 'books'] }]);
});
