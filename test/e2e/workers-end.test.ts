/**
 * Calls between workers when something ends: their owner, the primary, or the whole host.
 * @module
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { z } from 'zod';
import { FAULTS, type FaultCode } from '../../src/base/fault/index.ts';
import { service, type HostRequest, type Service } from '../../src/host/index.ts';
import { PRICE_MSAT } from './shop.ts';
import { buyLanes, postTick, type TestLane } from './tick-lane.ts';
import { openWorkerShop, type WorkerShop } from './worker-shop.ts';

let world: WorkerShop;
let entered = Promise.withResolvers<void>();
let opened = Promise.withResolvers<void>();

/** Waits until the test opens it, or it is cut. */
const gate: Service = service('gate', {
  description: 'Waits.',
  input: z.strictObject({ text: z.string() }),
  output: z.strictObject({ text: z.string() }),
  price: { kind: 'each', priceMsat: PRICE_MSAT },
  handler: async (input) => {
    entered.resolve();
    await opened.promise;
    return input;
  },
});

beforeEach(async () => {
  entered = Promise.withResolvers();
  opened = Promise.withResolvers();
  world = await openWorkerShop({
    services: [gate],
    hostLimits: { stopGraceMs: 50 },
    workerLimits: { stopGraceMs: 50 },
  });
});
afterEach(() => {
  opened.resolve();
  return world.close();
});

/** A lane that the first worker has. */
async function laneOfFirst(): Promise<TestLane> {
  const [lane] = await buyLanes(world.workers[0].shop, { service: 'gate', units: 10 });
  assert(lane);
  opened.resolve();
  assert.equal((await lane.call({})).status, 200);
  entered = Promise.withResolvers();
  opened = Promise.withResolvers();
  return lane;
}

function moneyOf(code: string | undefined): string {
  return FAULTS[code as FaultCode].money;
}

test('the owner dies in the middle of a call: nobody knows, and the repeat finds out', async () => {
  const lane = await laneOfFirst();
  const [first, second] = world.workers;
  const credential = lane.credential({ n: 1, index: 2 });
  const cut = postTick(second.url, 'gate', credential);
  await entered.promise;
  const gone = first.kill();
  const { status, code } = await cut;
  assert.deepEqual([status, code, moneyOf(code)], [500, 'HOST_BROKEN', 'unknown']);
  await gone;
  opened.resolve();
  const again = await postTick(second.url, 'gate', credential);
  assert.equal(again.balance, 'charged=1000, credit=0, calls-left=8');
  const once = await postTick(second.url, 'gate', credential);
  assert.equal(once.balance, 'charged=0, credit=0, calls-left=8');
  const [row] = await world.shop.store.lanesOf(lane.session.session);
  assert.equal(row?.spent, 2);
});

test('the owner dies before a charged answer leaves: the repeat costs nothing', async () => {
  const lane = await laneOfFirst();
  const [first, second] = world.workers;
  const credential = lane.credential({ n: 1, index: 2 });
  const cut = postTick(second.url, 'gate', credential);
  await entered.promise;
  const gone = first.killWritten();
  opened.resolve();
  const { code } = await cut;
  assert.deepEqual([code, moneyOf(code)], ['HOST_BROKEN', 'unknown']);
  await gone;
  const again = await postTick(second.url, 'gate', credential);
  assert.deepEqual(again.body, { text: 'a' });
  assert.equal(again.balance, 'charged=0, credit=0, calls-left=8');
});

test('the owner is gone, and the primary does not know yet: the same again', async () => {
  const lane = await laneOfFirst();
  const [first, second] = world.workers;
  const owner = Promise.withResolvers<void>();
  const { owners } = world.shop.books;
  const ended = owners.ended.bind(owners);
  owners.ended = async (worker) => {
    await owner.promise;
    await ended(worker);
  };
  const gone = first.kill();
  opened.resolve();
  const credential = lane.credential({ n: 1, index: 2 });
  const { code } = await postTick(second.url, 'gate', credential);
  assert.deepEqual([code, moneyOf(code)], ['LANE_MOVED', 'unspent']);
  owner.resolve();
  await gone;
  const again = await postTick(second.url, 'gate', credential);
  assert.equal(again.balance, 'charged=1000, credit=0, calls-left=8');
});

test('a call that was passed on is not passed on again', async () => {
  const lane = await laneOfFirst();
  const passed = (path: string, header: HostRequest['header']): HostRequest => ({
    method: 'POST',
    path,
    header,
    body: Buffer.from('{"text":"a"}'),
    address: '',
    via: 3,
  });
  const credential = lane.credential({ n: 1, index: 2 });
  const header: HostRequest['header'] = (name) =>
    name === 'authorization' ? `Toll ${credential}` : 'application/json';
  const answer = await world.passage(2).send(passed('/call/gate', header), 10_000);
  const problem = JSON.parse(Buffer.from(answer.body).toString()) as { readonly code: string };
  assert.deepEqual([answer.status, problem.code], [503, 'LANE_MOVED']);
  // Nothing else is taken at the inner door of a worker.
  for (const path of ['/rpc', '/', '/health']) {
    const { status } = await world.passage(2).send(passed(path, header), 10_000);
    assert.equal(status, 404, path);
  }
});

test('without its primary a worker says that the host stops', async () => {
  const lane = await laneOfFirst();
  await world.closePrimaryDoor();
  const [first, second] = world.workers;
  for (const { url } of world.workers) {
    const response = await fetch(`${url}/health`);
    const { code } = (await response.json()) as { readonly code: string };
    assert.deepEqual([response.status, code], [503, 'HOST_STOPPING']);
  }
  opened.resolve();
  for (const [n, { url }] of [first, second].entries()) {
    const credential = lane.credential({ n: n + 1, index: n + 2 });
    assert.equal((await postTick(url, 'gate', credential)).status, 200);
  }
});

test('a stop cuts a call where it runs, and whoever passed it on says so', async () => {
  const lane = await laneOfFirst();
  const [first, second] = world.workers;
  const credential = lane.credential({ n: 1, index: 2 });
  const passed = postTick(second.url, 'gate', credential);
  await entered.promise;
  assert.equal(second.host.state().runningCalls, 1);
  await Promise.all([first.host.close(), second.host.close()]);
  const { code } = await passed;
  assert.deepEqual([code, moneyOf(code)], ['HOST_STOPPING', 'unspent']);
  assert.equal((await postTick(second.url, 'gate', credential)).code, 'HOST_STOPPING');
  assert.equal(second.host.state().stopping, true);
});

test('a stop does not wait for a worker that says nothing', async () => {
  const lane = await laneOfFirst();
  const second = world.workers[1];
  const passed = postTick(second.url, 'gate', lane.credential({ n: 1, index: 2 }));
  await entered.promise;
  await second.host.close();
  const { code } = await passed;
  assert.deepEqual([code, moneyOf(code)], ['HOST_BROKEN', 'unknown']);
});
