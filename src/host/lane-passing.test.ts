/**
 * Where a call over a lane goes: each answer that a primary or another worker can give.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../base/bytes/index.ts';
import { Fault, isFault, toProblem, type FaultCode } from '../base/fault/index.ts';
import { systemClock } from '../base/time/index.ts';
import { LaneElsewhere } from '../books/index.ts';
import type { Call, CallAnswer } from './call.ts';
import { LanePassing } from './lane-passing.ts';
import { GUEST_CALLS, MOVED_ROUNDS } from './limits.ts';
import { jsonResponse, problemResponse, type HostRequest, type HostResponse } from './message.ts';

const LANE = new Uint8Array(16).fill(1);
const SELF = 1;

/** What the primary says: a worker has the lane, or it is here now, or why it cannot be had. */
type Said = number | 'here' | FaultCode | 'nothing';
/** What another worker says: that much was charged, a fault, or nothing that arrives. */
type Heard = HostResponse | FaultCode;

interface World {
  readonly passing: LanePassing;
  /** Who was asked for the lane, and who got the call, in order. */
  readonly log: string[];
  readonly sent: HostRequest[];
  free: boolean;
  readonly load: (more?: Partial<Call>) => Promise<CallAnswer | undefined>;
}

const YES = jsonResponse(200, utf8('{"a":1}'), {
  'toll-session': 'charged=7, credit=1, calls-left=2',
});

function problem(code: FaultCode, facts = {}): HostResponse {
  return problemResponse(new Fault(code, facts));
}

function world(said: readonly Said[], heard: readonly Heard[] = []): World {
  const [primary, workers] = [[...said], [...heard]];
  const log: string[] = [];
  const sent: HostRequest[] = [];
  const passing = new LanePassing({
    worker: SELF,
    lanes: {
      load: async () => {
        const say = primary.shift() ?? assert.fail('the primary is not asked so often');
        log.push(`primary: ${say}`);
        if (typeof say === 'number') throw new LaneElsewhere(say);
        if (say === 'nothing') return new Promise(() => undefined);
        if (say !== 'here') throw new Fault(say);
        return 0;
      },
      mayMove: () => made.free,
    },
    letGo: async () => void log.push('let go'),
    peer: (worker) => ({
      send: async (request) => {
        sent.push(request);
        const answer = workers.shift() ?? assert.fail('no worker is asked so often');
        log.push(`worker ${worker}`);
        if (typeof answer === 'string') throw new Fault(answer);
        return answer;
      },
    }),
    clock: systemClock,
    timeoutMs: 1_000,
  });
  const made: World = {
    passing,
    log,
    sent,
    free: true,
    load: (more = {}) => passing.load(LANE, callOf(more)),
  };
  return made;
}

function callOf(more: Partial<Call>): Call {
  return { credential: 't1.x', service: 'echo', input: { n: 1e20 }, ...more };
}

function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: unknown) => (isFault(error) ? error.code : error));
}

test('a lane that is free is taken; who has one is remembered', async () => {
  const { load, log, sent } = world(['here', 2], [YES, YES]);
  assert.equal(await load(), undefined);
  const { body, balance } = (await load()) ?? assert.fail();
  assert.equal(Buffer.from(body).toString(), '{"a":1}');
  assert.deepEqual(balance, { chargedMsat: 7n, creditMsat: 1n, callsLeft: 2 });
  await load();
  assert.deepEqual(log, ['primary: here', 'primary: 2', 'worker 2', 'worker 2']);
  const { method, path, header, body: asked, via } = sent[0] ?? assert.fail();
  assert.deepEqual(
    [method, path, header('authorization'), header('content-type'), header('accept'), via],
    ['POST', '/call/echo', 'Toll t1.x', 'application/json', undefined, SELF],
  );
  assert.equal(Buffer.from(asked).toString(), '{"n":100000000000000000000}');
});

test('a lane that has moved, or whose worker is not there, is asked for again', async () => {
  for (const gone of [problem('LANE_MOVED'), 'HOST_UNREACHABLE'] as const) {
    const { load, log } = world([2, 3, 'here'], [gone, gone]);
    assert.equal(await load(), undefined);
    assert.deepEqual(log, ['primary: 2', 'worker 2', 'primary: 3', 'worker 3', 'primary: here']);
  }
});

test("a lane that goes round and round is the payer's to ask again", async () => {
  const rounds = MOVED_ROUNDS + 1;
  const moved = Array.from({ length: rounds }, () => problem('LANE_MOVED'));
  const { load, log } = world(
    Array.from({ length: rounds }, () => 2),
    moved,
  );
  assert.equal(await codeOf(load()), 'LANE_MOVED');
  assert.equal(log.length, 2 * rounds);
});

test('what may have been charged elsewhere is not served here: nobody knows', async () => {
  for (const lost of ['CALL_UNANSWERED', 'HOST_MALFORMED'] as const) {
    const { load, log } = world([2], [lost]);
    assert.equal(await codeOf(load()), 'HOST_BROKEN');
    assert.deepEqual(log, ['primary: 2', 'worker 2']);
  }
  assert.equal(await codeOf(world([2], ['CALL_BUSY']).load()), 'CALL_BUSY');
});

test('every other fault is the answer, with its facts', async () => {
  const codes = ['TICK_SHORT', 'HOST_STOPPING', 'SERVICE_FAILED', 'CALL_CONFLICT'] as const;
  for (const code of codes) {
    const answer = problem(code, { units: 3, problems: ['a', 'b'] });
    await assert.rejects(world([2], [answer]).load(), (error) => {
      assert(isFault(error));
      const fault = new Fault(code, { units: 3, problems: ['a', 'b'] });
      assert.deepEqual(toProblem(error), toProblem(fault));
      return true;
    });
  }
  for (const code of ['LANE_UNKNOWN', 'SESSION_UNPAID', 'LANE_CLOSED'] as const) {
    assert.equal(await codeOf(world([code]).load()), code);
  }
});

test('an answer that is none', async () => {
  const bad = [
    jsonResponse(200, utf8('1')),
    jsonResponse(500, utf8('not JSON')),
    jsonResponse(500, {}),
    problem('STORE_FULL'),
  ];
  for (const answer of bad) {
    assert.equal(await codeOf(world([2], [answer]).load()), 'HOST_MALFORMED');
  }
});

test('a call that was passed on goes nowhere else', async () => {
  const { load, log } = world([2, 'here', 3]);
  assert.equal(await codeOf(load({ via: 3 })), 'LANE_MOVED');
  assert.equal(await load({ via: 3 }), undefined);
  assert.equal(await codeOf(load({ via: 2 })), 'LANE_MOVED');
  assert.deepEqual(log, ['primary: 2', 'primary: here', 'primary: 3']);
});

test('a row of calls through one other worker moves the lane to it', async () => {
  const { passing, log, load } = world(['here'], [YES]);
  const repeated = (via: number): Promise<void> | undefined =>
    passing.seen(0, LANE, callOf({ via }));
  const seen = (via?: number): Promise<void> | undefined => {
    const leaving = passing.seen(0, LANE, callOf({ via }));
    if (leaving === undefined) passing.began(0, callOf({ via }));
    return leaving;
  };
  for (let i = 1; i < GUEST_CALLS; i++) assert.equal(seen(2), undefined);
  assert.equal(seen(3), undefined, 'another one');
  for (let i = 1; i < GUEST_CALLS; i++) assert.equal(seen(2), undefined);
  assert.equal(seen(), undefined, 'one of its own');
  for (let i = 0; i < GUEST_CALLS; i++) assert.equal(repeated(2), undefined, 'costs nothing');
  for (let i = 1; i < GUEST_CALLS; i++) assert.equal(seen(2), undefined);
  await seen(2);
  assert.deepEqual(log, ['let go']);
  // It is that worker's now, as far as anybody here knows.
  assert.equal(await codeOf(load({ via: 2 })), 'LANE_MOVED');
  assert.ok(await load());
  assert.deepEqual(log, ['let go', 'let go', 'worker 2']);
});

test('a lane that is in use is not let go', () => {
  const made = world([]);
  made.free = false;
  for (let i = 0; i < 3 * GUEST_CALLS; i++) {
    assert.equal(made.passing.seen(0, LANE, callOf({ via: 2 })), undefined);
    made.passing.began(0, callOf({ via: 2 }));
  }
  made.free = true;
  assert.ok(made.passing.seen(0, LANE, callOf({ via: 2 })));
});

test('a stop waits for nobody', async () => {
  const { load, passing } = world(['nothing']);
  const waiting = codeOf(load());
  passing.cut();
  assert.equal(await waiting, 'HOST_STOPPING');
  const late = world(['nothing']);
  late.passing.cut();
  assert.equal(await codeOf(late.load()), 'HOST_STOPPING');
});

test('where a call was answered is where it is counted', async () => {
  const counted = async (said: readonly Said[], heard: readonly Heard[]): Promise<boolean> => {
    const call = callOf({});
    await world(said, heard)
      .passing.load(LANE, call)
      .catch(() => undefined);
    return call.elsewhere !== true;
  };
  assert.equal(await counted([2], [YES]), false);
  assert.equal(await counted([2], [problem('TICK_SHORT')]), false);
  assert.equal(await counted([2, 'here'], [problem('LANE_MOVED')]), true);
  assert.equal(await counted([2], ['CALL_UNANSWERED']), true);
});
