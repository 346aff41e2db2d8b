/**
 * Metrics: what is counted, under a bounded number of names.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZERO_MSAT, msat } from '../base/money/index.ts';
import { systemClock, type Clock } from '../base/time/index.ts';
import type { HostStoreFile } from '../port/store/index.ts';
import { CallMeter, CommitMeter, Metrics, type MetricsParts } from './index.ts';
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

async function read(path = '/metrics', method = 'GET'): Promise<{ status: number; text: string }> {
  const body = new Uint8Array(0);
  const request = { method, path, header: () => undefined, body, address: '127.0.0.1' };
  const answer = await metrics.handle(request);
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
