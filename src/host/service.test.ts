/**
 * Declaring a service: what is accepted, what runs, and what stays inside.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { Fault } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import { msat } from '../base/money/index.ts';
import { MAX_WAIT_MS } from '../base/time/index.ts';
import { MAX_BUNDLE_CALLS } from './limits.ts';
import { service, type Schema, type Service, type ServiceOptions } from './service.ts';

const CONTEXT = { session: 'ab'.repeat(16), n: 1n, signal: new AbortController().signal };
const OPTIONS: ServiceOptions<{ symbol: string }, { price: number }> = {
  description: 'The price of a symbol.',
  input: z.object({ symbol: z.string().max(5).toUpperCase() }),
  output: z.object({ price: z.number() }),
  price: { kind: 'each', priceMsat: msat(500) },
  handler: ({ symbol }) => ({ price: symbol.length }),
};
const make = (change: object = {}): Service => service('quotes', { ...OPTIONS, ...change });
const schema = (validate: (value: unknown) => unknown): Schema => {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as never } };
};
const FAILED = { code: 'SERVICE_FAILED' };

test('a service runs on what its schemas made of the input and of the result', async () => {
  const output = schema((value) => ({ value: { ...(value as object), currency: 'EUR' } }));
  const quotes = make({ output });
  const accepted = await quotes.accept({ symbol: 'abc', other: 1 });
  assert.deepEqual(accepted, { symbol: 'ABC' });
  assert.deepEqual(await quotes.run(accepted, CONTEXT), { price: 3, currency: 'EUR' });
});

test('what is not said has a default', () => {
  const { name, description, price, effect, maxCalls, timeoutMs, jsonSchema } = make();
  assert.deepEqual([name, description, price], ['quotes', OPTIONS.description, OPTIONS.price]);
  assert.deepEqual(
    [effect, maxCalls, timeoutMs, Object.keys(jsonSchema)],
    // The schema library tells what the seller did not.
    ['none', MAX_BUNDLE_CALLS, undefined, ['input', 'output']],
  );
  assert.equal(make({ effect: 'once' }).effect, 'once');
});

test('the handler gets the context of its call', async () => {
  let seen: unknown;
  const handler = (_input: unknown, context: unknown): Json => ({ price: ((seen = context), 1) });
  await make({ handler }).run({}, CONTEXT);
  assert.equal(seen, CONTEXT);
});

test('a refused input says what is wrong where, and not more than eight times', async () => {
  await assert.rejects(make().accept({ symbol: 'toolong' }), (error: Fault) => {
    assert.equal(error.code, 'SERVICE_INPUT');
    assert.match(String(error.facts['problems']), /^symbol: /);
    return true;
  });
  const issues = Array.from({ length: 100 }, (_, i) => ({
    message: 'x'.repeat(1000),
    path: ['list', { key: i }],
  }));
  await assert.rejects(make({ input: schema(() => ({ issues })) }).accept(null), (error: Fault) => {
    const problems = error.facts['problems'] as readonly string[];
    assert.equal(problems.length, 8);
    assert.match(problems[7]!, /^list\.7: x+$/);
    assert.ok(problems.every((problem) => problem.length <= 200));
    return true;
  });
  const bare = make({ input: schema(() => ({ issues: [{ message: 'no' }] })) });
  await assert.rejects(bare.accept(1), {
    code: 'SERVICE_INPUT',
    facts: { problems: ['input: no'] },
  });
});

test('a schema may take its time', async () => {
  const later = make({
    input: schema(async (value) => ({ value })),
    output: schema(async (value) => ({ value })),
  });
  assert.equal(await later.accept(7), 7);
  assert.deepEqual(await later.run({ symbol: 'a' }, CONTEXT), { price: 1 });
});

test('whatever a seller throws is a failure of the service, and stays inside', async () => {
  const fail = (error: unknown) => () => {
    throw error;
  };
  const errors = [
    new Error('password hunter2'),
    'text',
    undefined,
    new Fault('STORE_FULL'),
    new Fault('CODE_INVALID'),
  ];
  for (const error of errors) {
    const rejecting = async (): Promise<never> => fail(error)();
    const broken = [
      make({ handler: fail(error) }).run({}, CONTEXT),
      make({ handler: rejecting }).run({}, CONTEXT),
      make({ output: schema(fail(error)) }).run({ symbol: 'a' }, CONTEXT),
      make({ output: schema(rejecting) }).run({ symbol: 'a' }, CONTEXT),
      make({ input: schema(fail(error)) }).accept({}),
      make({ input: schema(rejecting) }).accept({}),
    ];
    for (const outcome of await Promise.allSettled(broken)) {
      const fault = (outcome as PromiseRejectedResult).reason as Fault;
      assert.deepEqual([fault.code, fault.facts, fault.cause], ['SERVICE_FAILED', {}, error]);
    }
  }
});

test('a handler may say why it failed', async () => {
  const fault = new Fault('SERVICE_FAILED', { reason: 'market closed' });
  const handler = (): never => {
    throw fault;
  };
  await assert.rejects(make({ handler }).run({}, CONTEXT), fault);
});

test('a result that breaks its schema is a failure, not an answer', async () => {
  const handler = (): unknown => ({ price: 'free' });
  await assert.rejects(make({ handler }).run({}, CONTEXT), FAILED);
});

test('a service that could not be sold is refused when it is declared', () => {
  for (const name of ['', 'Quotes', 'a b', 'a/b', '-a', '1a', 'toll.x', 'a'.repeat(65), 'é']) {
    assert.throws(() => service(name, OPTIONS), { code: 'CONFIG_INVALID' }, name);
  }
  const bad: readonly object[] = [
    { maxCalls: 0 },
    { maxCalls: 1.5 },
    { maxCalls: -1 },
    { maxCalls: NaN },
    { maxCalls: MAX_BUNDLE_CALLS + 1 },
    { timeoutMs: 0 },
    { timeoutMs: -1 },
    { timeoutMs: NaN },
    { timeoutMs: Infinity },
    { timeoutMs: MAX_WAIT_MS + 1 },
    { description: 'x'.repeat(1001) },
    { description: '\u001b[31mred' },
    { ticks: { kind: 'units', unitMsat: msat(0), perCall: 1 } },
    { ticks: { kind: 'units', unitMsat: msat(1), perOutputByte: 1 } },
    { ticks: { kind: 'units', unitMsat: msat(1), perOutputByte: 1, maximumUnits: 100_000_001 } },
    { ticks: { kind: 'units', unitMsat: msat(1), perCall: -1 } },
    { ticks: { kind: 'units', unitMsat: msat(1), minimumUnits: 2, maximumUnits: 1 } },
  ];
  for (const change of bad) assert.throws(() => make(change), { code: 'CONFIG_INVALID' });
  assert.equal(make({ timeoutMs: MAX_WAIT_MS, maxCalls: 1 }).maxCalls, 1);
});
