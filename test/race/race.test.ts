/**
 * Two processes race for one credential, and for the last calls of a bundle: real processes, real
 * HTTP, real SQLite. A thousand attempts each.
 * @module
 */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '../../src/base/fault/index.ts';
import { msat } from '../../src/base/money/index.ts';
import type { Sheet } from '../../src/pay/ledger/index.ts';
import type { Net, NetRequest, NetResponse } from '../../src/port/net/index.ts';
import { openHostStore } from '../../src/port/store/index.ts';
import { PRICE_MSAT } from '../crash/host-process.ts';
import { Victim, freePort } from '../crash/victim.ts';
import { valueOf, type Outcomes, type Round } from './caller.ts';
import type { Captured, Sent } from './sender.ts';
import { openShop } from './shop.ts';

const ATTEMPTS = 1000;
const FUNDS_MSAT = msat(10_000_000_000n);

test(`two processes send one credential, ${ATTEMPTS} times: run once, charged once`, async (t) => {
  const { dir, url, host } = await openHost(t);
  const senders = [await child('sender', []), await child('sender', [])];
  let different = 0;
  const both = async (request: NetRequest): Promise<NetResponse> => {
    const answers = await Promise.all(senders.map((sender) => sendBy(sender, request)));
    const [first, second] = answers;
    assert(first && second);
    if ((first.status === 200) !== (second.status === 200)) different++;
    // Each of them is good for the payer.
    return captured % 4 < 2 ? first : second;
  };
  const shop = await openShop(dir, (net): Net => ({
    close: () => net.close(),
    send: (request) => (request.url.includes('/call/') ? both(request) : net.send(request)),
  }));
  shop.wallet.fund(FUNDS_MSAT);
  const link = await shop.payer.connect(url);
  const order = { service: 'work-once', calls: ATTEMPTS, maxTotalMsat: total(ATTEMPTS) };
  const session = await shop.payer.buy(link, order);
  const outcomes = new Map<string, number>();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let value = next++; value < ATTEMPTS; value = next++) {
      const outcome = await session.call({ value }).then(({ result }) => {
        assert.deepEqual(result, { value: 2 * value });
        return 'answered';
      }, codeOf);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 12 }, work));
  const runs = await host.runs();
  await Promise.all(senders.map(leave));
  await shop.close();
  const sheet = await sheetOf(host, dir);
  const answered = outcomes.get('answered') ?? 0;
  const failed = (outcomes.get('SERVICE_FAILED') ?? 0) + (outcomes.get('CALL_FAILED') ?? 0);
  assert.deepEqual([answered, failed, different], [ATTEMPTS * 0.8, ATTEMPTS * 0.2, 0]);
  assert.equal(runs.size, ATTEMPTS);
  assert.deepEqual([...new Set(runs.values())], [1], 'effect once runs once');
  assert.equal(sheet.servedMsat, total(answered), 'charged once');
  assert.equal(sheet.creditMsat, total(failed));
});

test(`two processes of one profile call for what is left, ${ATTEMPTS} times`, async (t) => {
  const [bundles, calls, each] = [20, 30, 25];
  const { dir, url, host } = await openHost(t);
  const shop = await openShop(dir);
  shop.wallet.fund(FUNDS_MSAT);
  const link = await shop.payer.connect(url);
  const callers = [await child('caller', [dir, url]), await child('caller', [dir, url])];
  for (let bundle = 0; bundle < bundles; bundle++) {
    const service = bundle % 2 === 0 ? 'work-once' : 'work-none';
    const order = { service, calls, maxTotalMsat: total(calls) };
    const { session } = await shop.payer.buy(link, order);
    // Five names are those of both.
    const rounds = callers.map((caller, which) => {
      const own = Array.from({ length: each - 5 }, (_, i) => `${'x'.repeat(i)}${which}`);
      const callIds = [
        ...own,
        'shared-1',
        'shared-22',
        'shared-333',
        'shared-4444',
        'shared-55555',
      ];
      return askCaller(caller, { session, callIds: which === 0 ? callIds : callIds.toReversed() });
    });
    const outcomes = (await Promise.all(rounds)).flat();
    assert.equal(outcomes.length, ATTEMPTS / bundles);
    const answered = outcomes.filter(([, outcome]) => typeof outcome === 'number');
    const refused = outcomes.filter(([, outcome]) => typeof outcome === 'string');
    for (const [callId, value] of answered) assert.equal(value, 2 * valueOf(callId));
    assert.equal(new Set(answered.map(([callId]) => callId)).size, calls, 'what was paid for');
    assert.deepEqual([...new Set(refused.map(([, code]) => code))], ['SESSION_EXHAUSTED']);
  }
  await Promise.all(callers.map(leave));
  await shop.close();
  const sheet = await sheetOf(host, dir);
  assert.equal(sheet.servedMsat, total(bundles * calls));
  assert.equal(sheet.creditMsat, 0n);
});

async function openHost(t: {
  after: (work: () => Promise<void>) => void;
}): Promise<{ dir: string; url: string; host: Victim }> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-race-'));
  const port = await freePort();
  const host = new Victim(dir, port);
  t.after(async () => {
    await host.close();
    rmSync(dir, { recursive: true, force: true });
  });
  await host.start();
  return { dir, url: `http://127.0.0.1:${port}`, host };
}

/** The books as the host left them. */
async function sheetOf(host: Victim, dir: string): Promise<Sheet> {
  await host.close();
  const store = await openHostStore({ file: join(dir, 'host', 'books.db'), thread: false });
  assert.deepEqual(await store.audit(), []);
  const sheet = await store.sheet();
  await store.close();
  assert.equal(sheet.reservedMsat, 0n);
  return sheet;
}

async function child(name: 'sender' | 'caller', args: readonly string[]): Promise<ChildProcess> {
  const started = fork(new URL(`./${name}.ts`, import.meta.url), args, { stdio: 'inherit' });
  await once(started, 'message');
  started.setMaxListeners(0);
  return started;
}

async function leave(started: ChildProcess): Promise<void> {
  const gone = once(started, 'exit');
  started.disconnect();
  await gone;
}

let captured = 0;

function sendBy(sender: ChildProcess, request: NetRequest): Promise<NetResponse> {
  const id = captured++;
  const { body, signal: _, ...rest } = request;
  return new Promise((resolve) => {
    const onMessage = (sent: Sent): void => {
      if (sent.id !== id) return;
      sender.off('message', onMessage);
      resolve({ ...sent, body: Buffer.from(sent.body, 'base64') });
    };
    sender.on('message', onMessage);
    const message: Captured = {
      id,
      request: rest,
      body: Buffer.from(body ?? []).toString('base64'),
    };
    sender.send(message);
  });
}

async function askCaller(caller: ChildProcess, round: Round): Promise<Outcomes> {
  const answered = once(caller, 'message');
  caller.send(round);
  const [outcomes] = (await answered) as [Outcomes];
  return outcomes;
}

function codeOf(error: unknown): string {
  return isFault(error) ? error.code : String(error);
}

function total(calls: number): ReturnType<typeof msat> {
  return msat(PRICE_MSAT * BigInt(calls));
}
