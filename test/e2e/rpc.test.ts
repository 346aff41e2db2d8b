/**
 * Paid calls over JSON-RPC: the same codes, charges and repeats as over plain HTTP.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Json } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { balanceFromJson, type CallBalance } from '../../src/wire/toll/index.ts';
import { buyCredentials, type Credentials } from './credentials.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

let shop: TestShop;
before(async () => {
  shop = await openShop();
});
after(() => shop.close());

function buy(service: string, calls: number): Promise<Credentials> {
  return buyCredentials(shop, service, calls);
}

interface Response {
  readonly id: unknown;
  readonly result?: Json;
  readonly toll?: Json;
  readonly error?: { readonly code: number; readonly data: { readonly code: string } };
}

async function rpc(body: unknown): Promise<unknown> {
  const answer = await fetch(`${shop.url}/rpc`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return answer.json();
}

function request(id: number, method: string, params: Json, toll: string): object {
  return { jsonrpc: '2.0', id, method, params, toll };
}

function balance({ toll }: Response): CallBalance {
  return balanceFromJson(toll);
}

test('a call is charged, its repeat is not, another under its number is refused', async () => {
  const credential = await buy('echo', 3);
  const input = { text: 'a' };
  const first = (await rpc(request(1, 'echo', input, credential(0n, input)))) as Response;
  assert.deepEqual(first.result, input);
  assert.deepEqual(balance(first), {
    chargedMsat: PRICE_MSAT,
    creditMsat: msat(2n * PRICE_MSAT),
    callsLeft: 2,
  });
  const again = (await rpc(request(2, 'echo', input, credential(0n, input)))) as Response;
  assert.deepEqual(again.result, input);
  assert.equal(balance(again).chargedMsat, 0n);
  const other = { text: 'b' };
  const conflict = (await rpc(request(3, 'echo', other, credential(0n, other)))) as Response;
  assert.equal(conflict.error?.data.code, 'CALL_CONFLICT');
});

test('a code for one input is refused for another, and for another service', async () => {
  const credential = await buy('echo', 1);
  const code = credential(0n, { text: 'a' });
  const input = (await rpc(request(1, 'echo', { text: 'b' }, code))) as Response;
  const service = (await rpc(request(1, 'once', { text: 'a' }, code))) as Response;
  assert.equal(input.error?.data.code, 'CODE_INVALID');
  assert.equal(service.error?.data.code, 'CODE_INVALID');
});

test('a call that fails is not charged', async () => {
  const credential = await buy('fail', 1);
  const input = { text: 'x' };
  const answer = (await rpc(request(1, 'fail', input, credential(0n, input)))) as Response;
  assert.equal(answer.error?.data.code, 'SERVICE_FAILED');
  assert.equal(answer.error?.code, -32000);
});

test('the calls of a batch are charged one by one', async () => {
  const credential = await buy('echo', 10);
  const batch = Array.from({ length: 10 }, (_, i) => {
    const input = { text: `${i}` };
    return request(i, 'echo', input, credential(BigInt(i), input));
  });
  const answers = (await rpc(batch)) as Response[];
  assert.deepEqual(
    answers.map(({ id, result }) => [id, result]),
    batch.map((_, i) => [i, { text: `${i}` }]),
  );
  assert.equal(Math.min(...answers.map((answer) => balance(answer).callsLeft)), 0);
});
