/**
 * Metrics: what is counted, under a bounded number of names.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZERO_MSAT, msat } from '../base/money/index.ts';
import { systemClock, type Clock } from '../base/time/index.ts';
import type { HostStoreFile } from '../port/store/index.ts';
import {
  CallMeter,
  CommitMeter,
  Metrics,
  WorkerFigures,
  processFigures,
  type Figures,
  type MetricsParts,
} from './index.ts';
import { outcomeOf } from './meter.ts';

const STATE = {
  stopping: false,
  booksOpen: true,
  walletAnswers: false,
  runningCalls: 3,
  unpaidSetups: 4,
};

const SHEET = {
  receivedMsat: msat(2500),
  servedMsat: msat(1500),
  creditMsat: msat(1000),
  reservedMsat: ZERO_MSAT,
  refundingMsat: ZERO_MSAT,
  refundedMsat: ZERO_MSAT,
  refundFeesMsat: ZERO_MSAT,
  expiredMsat: ZERO_MSAT,
  unattributedMsat: ZERO_MSAT,
};

/** A minute passes at once. */
const clock: Clock = { ...systemClock, sleep: async () => undefined };

const meter = new CallMeter(['echo']);
const commits = new CommitMeter(clock);
let sheets = 0;
const metrics = new Metrics({
  host: { state: () => STATE },
  meter,
  commits,
  sheet: async () => (sheets++, SHEET),
  store: { openSessions: async () => 7 },
  wallet: { balance: () => new Promise(() => undefined) },
  connections: () => 5,
  clock,
} satisfies MetricsParts);

const GET = {
  method: 'GET',
  header: () => undefined,
  body: new Uint8Array(0),
  address: '127.0.0.1',
};

async function read(path = '/metrics', method = 'GET'): Promise<{ status: number; text: string }> {
  const answer = await metrics.handle({ ...GET, method, path });
  return { status: answer.status, text: new TextDecoder().decode(answer.body) };
}

test('calls are counted by service, outcome and time', async () => {
  meter.count('echo', 'charged', 0.5);
  meter.count('echo', 'charged', 3);
  meter.count('echo', 'failed', 99_999);
  for (const name of ['nope', 'x"} 1\n', '__proto__']) meter.count(name, 'refused', 1);
  const { text } = await read();
  const lines = new Set(text.split('\n'));
  for (const line of [
    'tollcall_calls_total{service="echo",outcome="charged"} 2',
    'tollcall_calls_total{service="echo",outcome="failed"} 1',
    'tollcall_calls_total{service="-",outcome="refused"} 3',
    'tollcall_call_duration_seconds_bucket{service="echo",le="0.001"} 1',
    'tollcall_call_duration_seconds_bucket{service="echo",le="0.005"} 2',
    'tollcall_call_duration_seconds_bucket{service="echo",le="30"} 2',
    'tollcall_call_duration_seconds_bucket{service="echo",le="+Inf"} 3',
    'tollcall_call_duration_seconds_count{service="echo"} 3',
    '# TYPE tollcall_calls_total counter',
    '# TYPE tollcall_call_duration_seconds histogram',
  ]) {
    assert.ok(lines.has(line), line);
  }
  assert.doesNotMatch(text, /nope|__proto__/);
});

test('state and money are read when somebody looks, money not for each who does', async () => {
  const { text } = await read();
  await read();
  for (const line of [
    'tollcall_running_calls 3',
    'tollcall_unpaid_setups 4',
    'tollcall_connections 5',
    'tollcall_books_up 1',
    'tollcall_wallet_up 0',
    'tollcall_open_sessions 7',
    'tollcall_books_sats{account="received"} 2.5',
    'tollcall_books_sats{account="refund_fees"} 0',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), line);
  }
  assert.match(text, /\nnodejs_eventloop_lag_seconds /);
  assert.equal(sheets, 1);
  // The wallet does not answer: it has no figures, and all others are there.
  assert.doesNotMatch(text, /tollcall_wallet_sats\{/);
});

test('commits are watched without being changed', async () => {
  const done = { code: 'ok', touched: [] } as const;
  const store: Pick<HostStoreFile, 'commit' | 'commitLanes'> = {
    commit: async (groups) => groups.map(() => done),
    commitLanes: async () => new Uint8Array(2),
  };
  const watched = commits.watch(store);
  assert.deepEqual(await watched.commit([{}, {}, {}]), [done, done, done]);
  assert.equal((await watched.commitLanes(new Uint8Array(9))).length, 2);
  const { text } = await read();
  assert.match(text, /\ntollcall_commit_groups_sum 5\n/);
  assert.match(text, /\ntollcall_commit_duration_seconds_count 2\n/);
});

test('nothing else is served there', async () => {
  assert.equal((await read('/')).status, 404);
  assert.equal((await read('/metrics', 'POST')).status, 405);
});

test('outcomes follow from faults', () => {
  assert.equal(outcomeOf('SERVICE_TIMEOUT'), 'failed');
  assert.equal(outcomeOf('HOST_BROKEN'), 'broken');
  assert.equal(outcomeOf('CODE_INVALID'), 'refused');
  assert.equal(outcomeOf('HOST_STOPPING'), 'refused');
});

test('what workers count is added up, and is kept when they end', async () => {
  const workers = new WorkerFigures();
  const process = (name: string, charged: number): Promise<Figures> => {
    const own = new CallMeter(['echo']);
    for (let i = 0; i < charged; i++) own.count('echo', 'charged', 0.5);
    const state = { commits: new CommitMeter(clock), runningCalls: () => 1, connections: () => 2 };
    return processFigures({ meter: own, ...state, name }).getMetricsAsJSON();
  };
  const all = new Metrics({
    host: { state: () => STATE },
    meter: new CallMeter(['echo']),
    commits: new CommitMeter(clock),
    sheet: async () => SHEET,
    store: { openSessions: async () => 7 },
    wallet: { balance: () => new Promise(() => undefined) },
    connections: () => 0,
    workers: () => workers.all(),
    clock,
  });
  const figure = async (name: string): Promise<number> => {
    const { body } = await all.handle({ ...GET, path: '/metrics' });
    const line = new TextDecoder().decode(body).split('\n');
    return Number(line.find((one) => one.startsWith(`${name} `))?.split(' ')[1]);
  };
  workers.set(1, await process('worker-1', 5));
  workers.set(1, await process('worker-1', 10));
  workers.set(2, await process('worker-2', 100));
  const charged = 'tollcall_calls_total{service="echo",outcome="charged"}';
  const latency = 'tollcall_call_duration_seconds_bucket{service="echo",le="0.001"}';
  assert.deepEqual([await figure(charged), await figure(latency)], [110, 110]);
  assert.equal(await figure('tollcall_running_calls'), 5);
  assert.equal(await figure('tollcall_connections'), 4);
  assert.equal(await figure('tollcall_open_sessions'), 7);
  workers.ended(1);
  assert.deepEqual([await figure(charged), await figure('tollcall_running_calls')], [110, 4]);
  workers.set(1, await process('worker-1', 1));
  assert.equal(await figure(charged), 111);
  assert((await figure('tollcall_process_cpu_seconds_total{process="primary"}')) > 0);
  assert((await figure('tollcall_process_resident_bytes{process="worker-1"}')) > 0);
  assert((await figure('process_start_time_seconds')) > 0);
});
