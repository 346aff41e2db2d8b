/**
 * Trying again on a virtual clock: what passes, how long, and the last word.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULTS, Fault, type FaultCode } from '../base/fault/index.ts';
import { seededRandom } from '../base/random/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import { VERDICTS } from './call-message.ts';
import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS } from './limits.ts';
import { persist, type Patience } from './retry.ts';

/** A clock on which a sleep takes no time at all but moves it on. */
function virtualClock(): Clock & { readonly pauses: number[] } {
  let nowMs = 0;
  const pauses: number[] = [];
  return {
    pauses,
    now: () => unixMs(nowMs),
    monotonicMs: () => nowMs,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      pauses.push(ms);
      nowMs += ms;
    },
    timer: () => () => undefined,
  };
}

interface Run {
  readonly pauses: readonly number[];
  readonly tries: number;
  readonly result?: string;
  readonly error?: unknown;
}

/** Persists through a list of outcomes; the last one repeats for ever. */
async function run(
  outcomes: readonly (FaultCode | 'ok' | Error)[],
  more: object = {},
): Promise<Run> {
  const clock = virtualClock();
  const patience: Patience = { clock, random: seededRandom(1), deadlineMs: 10_000, ...more };
  let tries = 0;
  const attempt = async (): Promise<string> => {
    const outcome = outcomes[Math.min(tries, outcomes.length - 1)]!;
    tries += 1;
    if (outcome === 'ok') return 'answer';
    throw outcome instanceof Error ? outcome : new Fault(outcome);
  };
  try {
    return { result: await persist(patience, attempt), pauses: clock.pauses, tries };
  } catch (error) {
    return { error, pauses: clock.pauses, tries };
  }
}

function codeOf({ error }: Run): unknown {
  return error instanceof Fault ? error.code : error;
}

test('what passes is tried again until it is answered', async () => {
  const passing: FaultCode[] = [
    'HOST_UNREACHABLE',
    'CALL_UNANSWERED',
    'HOST_STOPPING',
    'HOST_BROKEN',
    'CALL_BUSY',
    'SETUP_BUSY',
    'SESSION_UNPAID',
  ];
  const outcome = await run([...passing, 'ok']);
  assert.equal(outcome.result, 'answer');
  assert.equal(outcome.tries, passing.length + 1);
});

test('an answer at once needs no pause, and a deadline of zero still gives one try', async () => {
  assert.deepEqual(await run(['ok'], { deadlineMs: 0 }), {
    result: 'answer',
    pauses: [],
    tries: 1,
  });
  const refused = await run(['HOST_UNREACHABLE'], { deadlineMs: 0 });
  assert.equal(codeOf(refused), 'HOST_UNREACHABLE');
  assert.equal(refused.tries, 1);
});

test('what is final is thrown at once, as it is', async () => {
  const final: FaultCode[] = [
    'SERVICE_FAILED',
    'SERVICE_INPUT',
    'SESSION_EXHAUSTED',
    'CODE_INVALID',
    'CALL_CONFLICT',
    'CALL_OUTCOME_UNKNOWN',
    'HOST_MALFORMED',
    'HOST_SIGNATURE',
    'PAYMENT_UNKNOWN',
  ];
  for (const code of final) {
    const outcome = await run(['CALL_BUSY', code]);
    assert.equal(codeOf(outcome), code);
    assert.equal(outcome.tries, 2);
  }
  const defect = new TypeError('x');
  assert.equal((await run([defect])).error, defect);
});

test('pauses double up to a longest one, each with up to as much again by chance', async () => {
  const { pauses } = await run(['CALL_BUSY'], { deadlineMs: 60_000 });
  pauses.forEach((pause, i) => {
    const base = Math.min(FIRST_PAUSE_MS * 2 ** i, LONGEST_PAUSE_MS);
    assert.ok(pause >= base && pause < base * 2, `pause ${i}: ${pause}`);
  });
  assert.ok(pauses.length > 8);
});

test('it ends before the deadline, not after a last pause', async () => {
  for (const deadlineMs of [1, 49, 50, 100, 1000, 30_000]) {
    const { pauses, tries } = await run(['CALL_BUSY'], { deadlineMs });
    assert.ok(pauses.reduce((sum, pause) => sum + pause, 0) < deadlineMs);
    assert.equal(tries, pauses.length + 1);
  }
});

test('the last word is what was reported last, as long as no try may have arrived', async () => {
  assert.equal(codeOf(await run(['HOST_UNREACHABLE'])), 'HOST_UNREACHABLE');
  assert.equal(codeOf(await run(['HOST_UNREACHABLE', 'CALL_BUSY'])), 'CALL_BUSY');
  assert.equal(codeOf(await run(['CALL_UNANSWERED'])), 'CALL_UNANSWERED');
  assert.equal(codeOf(await run(['HOST_BROKEN'])), 'HOST_BROKEN');
});

test('one try that may have arrived taints the rest: nobody knows', async () => {
  for (const first of ['CALL_UNANSWERED', 'HOST_BROKEN'] as const) {
    const outcome = await run([first, 'HOST_UNREACHABLE']);
    assert.equal(codeOf(outcome), 'CALL_UNANSWERED');
    assert.equal((outcome.error as Fault).row.money, 'unknown');
    assert.equal(((outcome.error as Fault).cause as Fault).code, 'HOST_UNREACHABLE');
  }
});

test('a final word of the host about this request stands, whatever came before', async () => {
  assert.equal(codeOf(await run(['CALL_UNANSWERED', 'SERVICE_FAILED'])), 'SERVICE_FAILED');
});

test('an abort ends it with its reason: before a try, and in a pause', async () => {
  const reason = new Error('enough');
  const before = await run(['ok'], { signal: AbortSignal.abort(reason) });
  assert.deepEqual([before.error, before.tries], [reason, 0]);
  const abort = new AbortController();
  const clock = virtualClock();
  const sleep: Clock['sleep'] = async (ms, signal) => {
    abort.abort(reason);
    await clock.sleep(ms, signal);
  };
  const during = await run(['CALL_BUSY'], { clock: { ...clock, sleep }, signal: abort.signal });
  assert.deepEqual([during.error, during.tries], [reason, 1]);
});

test('the same seed gives the same pauses', async () => {
  const [a, b] = [await run(['CALL_BUSY']), await run(['CALL_BUSY'])];
  assert.deepEqual(a.pauses, b.pauses);
});

test('what ends a number is never sent again under it: no verdict says retry same', () => {
  for (const code of VERDICTS) {
    const { retry, passes } = FAULTS[code];
    assert.notEqual(retry, 'same', code);
    assert.ok(!passes, code);
  }
});
