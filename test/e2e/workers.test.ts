/**
 * A host with worker processes, as a seller runs it and payers use it.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { jsonObject, type Json } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import type { Link, PayerStream } from '../../src/payer/index.ts';
import { end, Home, type Dev } from './cli.ts';
import { buyLanes } from './tick-lane.ts';
import {
  openBuyer,
  postFresh,
  readMetrics,
  workersOf,
  writeConfig,
  type Buyer,
} from './served-workers.ts';

const PRICE_MSAT = 1000n;

const home = new Home();
let shop: Dev;
let buyer: Buyer;
let link: Link;
after(async () => {
  await buyer?.close();
  await home.leave();
});

async function start(): Promise<void> {
  shop = await home.serve(writeConfig(home, 'tollcall.config.ts'));
  link = await buyer.payer.connect(url());
}

function open(name: string, units: number, lanes: number): Promise<PayerStream> {
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(units));
  return buyer.payer.stream(link, { service: name, units, maxTotalMsat, lanes });
}

function url(): string {
  return shop.ready['url'] ?? '';
}

/** Calls with effect once over lanes of their own, and how to ask for each again. */
async function callOnce(
  calls: number,
): Promise<{ text: string; send: () => Promise<{ status: number; text: string }> }[]> {
  const order = { service: 'once', units: calls, lanes: calls };
  const lanes = await buyLanes({ ...buyer, url: url() }, order);
  const made = lanes.map(async (lane) => {
    const authorization = `Toll ${lane.credential({ service: 'once' })}`;
    const send = async (): Promise<{ status: number; text: string }> => {
      const sent = postFresh(`${url()}/call/once`, { text: 'a' }, { authorization });
      const { status, text } = await sent;
      return { status, text };
    };
    return { ...(await send()), send };
  });
  return Promise.all(made);
}

function pidOf(result: Json): number {
  return Number(jsonObject(result)['pid']);
}

/** The sheet of the running host, which must be in order. */
function sheet(): Record<string, unknown> {
  const checked = home.json('books', '--check', '--dir', home.at('host'));
  assert.deepEqual(checked['problems'], []);
  return home.json('books', '--dir', home.at('host'));
}

test('it starts, and both workers serve calls over many connections', async () => {
  buyer = await openBuyer(home);
  await start();
  assert.equal(new Set(workersOf(shop)).size, 2);
  const stream = await open('who', 400, 8);
  const texts = Array.from({ length: 300 }, (_, i) => `call ${i}`);
  const answers = await Promise.all(texts.map((text) => stream.call({ text })));
  assert.deepEqual(
    answers.map(({ result }) => jsonObject(result)['text']),
    texts,
  );
  const pids = new Set(answers.map(({ result }) => pidOf(result)));
  assert.deepEqual(pids, new Set(workersOf(shop)));
  const { facts } = (await stream.sessions[0]?.receipt()) ?? assert.fail();
  assert.equal(facts.servedCalls, 300);
  const figure = await readMetrics(shop);
  assert.equal(figure('tollcall_calls_total{service="who",outcome="charged"}'), 300);
  assert.equal(figure('tollcall_call_duration_seconds_count{service="who"}'), 300);
  assert.equal(figure('tollcall_books_sats{account="served"}'), 300);
  assert(figure('tollcall_connections') > 0);
  for (const name of ['primary', 'worker-1', 'worker-2']) {
    assert(figure(`tollcall_process_resident_bytes{process="${name}"}`) > 0, name);
  }
  const { served_msat: served, credit_msat: credit } = sheet();
  assert.deepEqual([served, credit], ['300000', '100000']);
  await stream.close();
});

test('everything else is answered by the primary, whoever takes it', async () => {
  const maxTotalMsat = msat(10_000n);
  const bundle = await buyer.payer.buy(link, { service: 'who', calls: 10, maxTotalMsat });
  const pids = new Set<number>();
  for (const text of ['a', 'b', 'c']) pids.add(pidOf((await bundle.call({ text })).result));
  assert.deepEqual([...pids], [shop.child.pid]);
  const page = await fetch(url(), { headers: { accept: 'text/html' } });
  assert.match(await page.text(), /<html/);
  assert.deepEqual(await (await fetch(`${url()}/ready`)).json(), { status: 'ready' });
  assert.equal((await fetch(`${url()}/nothing`)).status, 404);
  assert.equal((await fetch(`${url()}/metrics`)).status, 404);
  const had = (await bundle.status()).refundableMsat;
  const { amountMsat } = await bundle.refund();
  assert.equal(amountMsat, had);
});

test('a used credential has the same answer everywhere, and is charged once', async () => {
  const lanes = await buyLanes({ ...buyer, url: url() }, { service: 'who', units: 12, lanes: 4 });
  const call = `${url()}/call/who`;
  for (const [i, lane] of lanes.entries()) {
    const input = { text: `lane ${i}` };
    const authorization = `Toll ${lane.credential({ input })}`;
    const first = await postFresh(call, input, { authorization });
    assert.equal(first.status, 200, first.text);
    // Connections go to the workers in turn: each has seen it more than once then.
    for (let repeat = 0; repeat < 6; repeat++) {
      const again = await postFresh(call, input, { authorization });
      assert.deepEqual([again.status, again.text], [200, first.text]);
      assert.match(again.balance, /charged=0/);
    }
    const other = await postFresh(call, { text: 'other' }, { authorization });
    assert.equal(other.status, 401, 'the code is of another request');
  }
  const { facts } = (await lanes[0]?.session.receipt()) ?? assert.fail();
  assert.deepEqual([facts.servedCalls, facts.creditMsat], [4, 8n * PRICE_MSAT]);
});

test('one batch over lanes of both workers, a bundle and questions', async () => {
  const order = { service: 'who', units: 8, lanes: 4 };
  const lanes = await buyLanes({ ...buyer, url: url() }, order);
  const requests = lanes.map((lane, id) => {
    const params = { text: `${id}` };
    return { jsonrpc: '2.0', id, method: 'who', params, toll: lane.credential({ input: params }) };
  });
  // Each on its way over another connection first, so that the lanes have several owners.
  const spread = await Promise.all(requests.map((one) => postFresh(`${url()}/rpc`, one)));
  const describe = { jsonrpc: '2.0', id: 'describe', method: 'toll.describe', params: {} };
  const strange = { jsonrpc: '2.0', id: 'strange', method: 'who', params: { text: 'a' } };
  const batch = await postFresh(`${url()}/rpc`, [...requests, describe, strange]);
  const answers = JSON.parse(batch.text) as { id: unknown; result?: Json; error?: object }[];
  assert.deepEqual(
    answers.map(({ id, error }) => [id, error === undefined]),
    [
      [0, true],
      [1, true],
      [2, true],
      [3, true],
      ['describe', true],
      ['strange', false],
    ],
  );
  for (const [i, one] of spread.entries()) {
    const { result } = JSON.parse(one.text) as { result: Json };
    assert.deepEqual(answers[i]?.result, result);
  }
  assert.equal((await lanes[0]?.session.receipt())?.facts.servedCalls, 4);
});

test('a refund closes the lanes of a stream in use, in both workers', async () => {
  const stream = await open('who', 1000, 8);
  let answered = 0;
  const callers = Array.from({ length: 32 }, async () => {
    for (;;) {
      await stream.call({ text: 'a' });
      answered++;
    }
  });
  const ended = Promise.allSettled(callers);
  while (answered < 100) await stream.call({ text: 'b' }).then(() => answered++);
  const [session] = stream.sessions;
  const refund = (await session?.refund({ amountMsat: msat(100_000n) })) ?? assert.fail();
  for (const one of await ended) {
    assert.equal(one.status, 'rejected');
    assert(['LANE_CLOSED', 'LANE_EXHAUSTED'].includes((one.reason as { code: string }).code));
  }
  await stream.close();
  const { facts } = (await session?.receipt()) ?? assert.fail();
  assert.equal(facts.servedCalls, answered);
  assert.equal(facts.servedMsat + facts.creditMsat + refund.amountMsat, 1000n * PRICE_MSAT);
  const lanes = (await session?.lanes()) ?? [];
  assert(lanes.length === 8 && lanes.every(({ closed }) => closed));
  sheet();
});

test('books, journal and backup of the running host are up to date', async () => {
  const stream = await open('who', 50, 4);
  const served = async (): Promise<bigint> => BigInt(String(sheet()['served_msat']));
  const before = await served();
  await Promise.all(Array.from({ length: 20 }, (_, i) => stream.call({ text: `${i}` })));
  assert.equal((await served()) - before, 20n * PRICE_MSAT);
  const { session } = stream.sessions[0] ?? assert.fail();
  const listed = home.json('books', '--sessions', '--journal', '--dir', home.at('host'));
  const sessions = listed['sessions'] as { session: string; charged_calls: number }[];
  assert.equal(sessions.find((one) => one.session === session)?.charged_calls, 20);
  assert.equal(home.run('backup', home.at('host'), home.at('copy')).status, 0);
  const copy = home.json('books', '--check', '--dir', home.at('copy'));
  assert.deepEqual([copy['problems'], copy['served_msat']], [[], sheet()['served_msat']]);
  await stream.close();
});

test('Ctrl-C reaches all processes, and calls under way end', async () => {
  const before = BigInt(String(sheet()['served_msat']));
  const stream = await open('slow', 10, 2);
  const begun = once(shop.lines, 'line');
  const call = stream.call({ text: 'go' });
  await begun;
  for (const pid of workersOf(shop)) process.kill(pid, 'SIGINT');
  const ended = end(shop.child, 'SIGINT');
  writeFileSync(home.at('go'), '');
  assert.deepEqual((await call).result, { text: 'go' });
  assert.equal(await ended, 0);
  for (const pid of workersOf(shop)) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  assert.equal(BigInt(String(sheet()['served_msat'])) - before, PRICE_MSAT);
  await start();
  assert.equal(await end(shop.child, 'SIGTERM'), 0);
});

test('a worker that is killed is replaced; nothing is lost, and payers do not notice', async () => {
  await start();
  const [first = 0, second = 0] = workersOf(shop);
  const done = await callOnce(8);
  const stream = await open('who', 500, 8);
  const pids: number[] = [];
  const callers = Array.from({ length: 16 }, async () => {
    while (pids.length < 400) {
      if (pids.push(pidOf((await stream.call({ text: 'a' })).result)) === 200) {
        process.kill(first, 'SIGKILL');
      }
    }
  });
  await Promise.all(callers);
  assert.deepEqual(new Set(pids), new Set([first, second]));
  assert.equal((await stream.sessions[0]?.receipt())?.facts.servedCalls, pids.length);
  await stream.close();
  sheet();
  for (const call of done) {
    // Its answer is in the books, wherever it was made and is asked for.
    assert.deepEqual(await call.send(), { status: 200, text: call.text });
  }
  // New connections are dealt out in turn, also to the new one as soon as it listens.
  const found = new Set<number>();
  while (!(found.has(second) && found.size === 2)) {
    const [lane] = await buyLanes({ ...buyer, url: url() }, { service: 'who', units: 1 });
    const authorization = `Toll ${lane?.credential({})}`;
    const { text } = await postFresh(`${url()}/call/who`, { text: 'a' }, { authorization });
    found.add(pidOf(JSON.parse(text) as Json));
  }
  assert(!found.has(first));
  assert.equal(await end(shop.child, 'SIGTERM'), 0);
  sheet();
});
