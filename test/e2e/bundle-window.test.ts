/**
 * Many calls at once: the window of 64 numbers, waiting for it, giving up, numbers out of order.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import type { Json } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { service } from '../../src/host/index.ts';
import type { PayerSession } from '../../src/payer/index.ts';
import { buyCredentials } from './credentials.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

let shop: TestShop;
/** Ends the calls of `gate` that wait, by their input. */
const gates = new Map<number, () => void>();

before(async () => {
  const gate = service('gate', {
    description: 'Answers when it is let.',
    price: { kind: 'each', priceMsat: PRICE_MSAT },
    input: z.number(),
    output: z.number(),
    handler: (input) =>
      new Promise<number>((resolve) => void gates.set(input, () => resolve(input))),
  });
  shop = await openShop({ services: [gate] });
});
after(() => shop.close());

async function buy(name: string, calls: number): Promise<PayerSession> {
  const link = await shop.payer.connect(shop.url);
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(calls));
  return shop.payer.buy(link, { service: name, calls, maxTotalMsat });
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

/** Lets the handlers go on as they come, until all calls have ended. */
async function letAll(calls: readonly Promise<unknown>[], order: 'up' | 'down'): Promise<void> {
  let open = true;
  const ended = Promise.all(calls).finally(() => (open = false));
  while (open) {
    const waiting = [...gates.keys()].toSorted((a, b) => (order === 'up' ? a - b : b - a));
    for (const n of waiting) {
      gates.get(n)?.();
      gates.delete(n);
    }
    await new Promise((resolve) => void setImmediate(resolve));
  }
  await ended;
}

test('300 calls at once: all answered, each charged once, whatever order they end in', async () => {
  const session = await buy('gate', 300);
  const calls = Array.from({ length: 300 }, (_, i) => session.call(i));
  await letAll(calls, 'down');
  const results = await Promise.all(calls);
  results.forEach(({ result }, i) => assert.equal(result, i));
  assert.equal((await session.status()).chargedMsat, 300n * PRICE_MSAT);
});

test('who waits for a place can give up; those behind still get theirs', async () => {
  const session = await buy('gate', 70);
  const stop = new AbortController();
  const first = Array.from({ length: 64 }, (_, i) => session.call(i));
  const waiting = session.call(64, { signal: stop.signal });
  const behind = session.call(65);
  stop.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  await letAll([...first, behind], 'up');
  assert.equal((await behind).result, 65);
  assert.equal((await session.status()).chargedMsat, 65n * PRICE_MSAT);
});

test('a signal that has aborted already sends nothing', async () => {
  const session = await buy('echo', 1);
  const signal = AbortSignal.abort(new Error('before'));
  await assert.rejects(session.call({ text: 'x' }, { signal }), /before/);
  await assert.rejects(session.status({ signal }), /before/);
  await assert.rejects(session.topUp({ calls: 1, maxTotalMsat: msat(1000), signal }), /before/);
  const link = await shop.payer.connect(shop.url);
  const order = { service: 'echo', calls: 1, maxTotalMsat: msat(1000), signal };
  await assert.rejects(shop.payer.buy(link, order), /before/);
  assert.equal((await session.status()).callsLeft, 1);
});

test('calls that were given up under way do not lock the session', async () => {
  const session = await buy('gate', 100);
  const stop = new AbortController();
  const left = Array.from({ length: 64 }, (_, i) => session.call(i, { signal: stop.signal }));
  while (gates.size < 64) await new Promise((resolve) => void setImmediate(resolve));
  stop.abort(new Error('enough'));
  await Promise.allSettled(left);
  for (const go of gates.values()) go();
  gates.clear();
  const next = session.call(1000);
  await letAll([next], 'up');
  assert.equal((await next).result, 1000);
});

interface Response {
  readonly result?: Json;
  readonly error?: { readonly data: { readonly code: string } };
}

test('numbers in any order within the window; outside of it they are refused', async () => {
  const credential = await buyCredentials(shop, 'echo', 10);
  const send = async (n: bigint): Promise<string> => {
    const params = { text: `${n}` };
    const toll = credential(n, params);
    const request = { jsonrpc: '2.0', id: 1, method: 'echo', params, toll };
    const answer = await fetch(`${shop.url}/rpc`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
    const { error } = (await answer.json()) as Response;
    return error?.data.code ?? 'ok';
  };
  const outcomes = new Map<bigint, string>();
  for (const n of [63n, 0n, 31n, 64n, 2n ** 64n - 1n, 62n]) outcomes.set(n, await send(n));
  assert.deepEqual(
    [...outcomes],
    [
      [63n, 'ok'],
      [0n, 'ok'],
      [31n, 'ok'],
      [64n, 'CALL_WINDOW'],
      [2n ** 64n - 1n, 'CALL_WINDOW'],
      [62n, 'ok'],
    ],
  );
});

test('a payer that is closed finishes what is under way and takes nothing new', async () => {
  const other = await openShop();
  const link = await other.payer.connect(other.url);
  const order = { service: 'echo', calls: 1, maxTotalMsat: msat(1000) };
  const buying = other.payer.buy(link, order);
  await other.payer.close();
  assert.equal((await (await buying).status()).callsLeft, 1);
  await assert.rejects(other.payer.buy(link, order), faultOf('USAGE_INVALID'));
  await other.close();
});
