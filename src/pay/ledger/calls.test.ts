/**
 * The call machine as tables.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msat } from '../../base/money/index.ts';
import { unixMs } from '../../base/time/index.ts';
import {
  CALL_REFUSALS,
  MAX_RUNNING_CALLS,
  NO_CALLS,
  ZERO_COUNTERS,
  chargeCall,
  entryOf,
  judgeCall,
  newRow,
  recoverCalls,
  releaseCall,
  rerunAnswered,
  type CallEntry,
  type CallInput,
  type CallsImage,
  type SessionRow,
} from './index.ts';

const A = 'aa'.repeat(16);
const B = 'bb'.repeat(16);
const PAID: SessionRow = {
  ...newRow({
    session: '11'.repeat(16),
    service: 'quotes',
    calls: 3,
    totalMsat: msat(1000),
    paymentHash: '22'.repeat(32),
    openedAtMs: unixMs(0),
    payByMs: unixMs(10),
    expiresAtMs: unixMs(100),
    setup: '33'.repeat(32),
    payer: '44'.repeat(32),
    codeKey: new Uint8Array(32),
    reply: new Uint8Array(0),
  }),
  counters: { ...ZERO_COUNTERS, creditsPostedMsat: msat(1000) },
};
const UNPAID: SessionRow = {
  ...PAID,
  counters: { ...ZERO_COUNTERS, creditsPostedMsat: msat(999) },
};

function entry(n: bigint, change: Partial<CallEntry> = {}): CallEntry {
  return {
    n,
    digest: A,
    kind: 'charged',
    effect: 'none',
    amountMsat: msat(333),
    reruns: 0,
    ...change,
  };
}

const MEMORY: CallsImage = {
  chargedMsat: msat(666),
  chargedCalls: 2,
  done: 5n,
  entries: [
    entry(5n),
    entry(6n, { kind: 'unknown', effect: 'once', amountMsat: msat(0) }),
    entry(7n, { effect: 'once' }),
    entry(8n, { reruns: 3 }),
    entry(10n, { kind: 'failed', amountMsat: msat(0) }),
  ],
};

interface Asked {
  readonly n: bigint;
  readonly done?: bigint;
  readonly digest?: string;
  readonly row?: SessionRow;
  readonly calls?: CallsImage;
  readonly answer?: CallInput['answer'];
  readonly nowMs?: number;
}

function judge({
  n,
  done = 0n,
  digest = A,
  row = PAID,
  calls = MEMORY,
  answer = 'gone',
  nowMs = 1,
}: Asked): string {
  const request = { n, done, digest };
  const judged = judgeCall({ row, calls, request, effect: 'none', answer, nowMs: unixMs(nowMs) });
  return judged.kind === 'refused' ? judged.code : judged.kind;
}

test('each verdict, in order of precedence', () => {
  const used: CallsImage = { ...MEMORY, chargedCalls: 3, chargedMsat: msat(1000) };
  const refunded = { ...PAID.counters, debitsPostedMsat: msat(1) };
  const running = Array.from({ length: MAX_RUNNING_CALLS }, (_, i) => {
    return entry(BigInt(i), { kind: 'reserved', amountMsat: msat(0) });
  });
  const many: SessionRow = { ...PAID, terms: { ...PAID.terms, calls: 1000 } };
  const table: readonly (readonly [verdict: string, asked: Asked])[] = [
    ['SESSION_UNPAID', { n: 4n, row: UNPAID, calls: NO_CALLS }],
    ['CALL_FORGOTTEN', { n: 4n }],
    ['CALL_FORGOTTEN', { n: 8n, done: 9n, digest: B }],
    ['CALL_WINDOW', { n: 69n }],
    ['run', { n: 68n }],
    ['run', { n: 69n, done: 6n }],
    ['CALL_CONFLICT', { n: 5n, digest: B, nowMs: 100 }],
    ['CALL_CONFLICT', { n: 6n, digest: B, answer: 'pending' }],
    ['join', { n: 5n, answer: 'pending', nowMs: 100, calls: used }],
    ['repeat', { n: 5n, answer: 'held', nowMs: 100 }],
    ['repeat', { n: 7n, nowMs: 100, calls: used }],
    ['rerun', { n: 5n, nowMs: 100, calls: used }],
    ['CALL_OUTCOME_UNKNOWN', { n: 6n, nowMs: 100, calls: used }],
    ['CALL_FAILED', { n: 10n, nowMs: 100, calls: used }],
    ['CALL_RERUNS', { n: 8n, nowMs: 100, calls: used }],
    ['repeat', { n: 8n, answer: 'held' }],
    ['SESSION_EXPIRED', { n: 9n, nowMs: 100, calls: used }],
    ['run', { n: 9n, nowMs: 99 }],
    ['SESSION_EXHAUSTED', { n: 9n, calls: used }],
    ['SESSION_EXHAUSTED', { n: 9n, row: { ...PAID, counters: refunded } }],
    ['CALL_BUSY', { n: 70n, done: 70n, row: many, calls: { ...NO_CALLS, entries: running } }],
    ['run', { n: 9n }],
  ];
  for (const [i, [verdict, asked]] of table.entries()) {
    assert.equal(judge(asked), verdict, `row ${i}: n ${asked.n}`);
  }
  const refusals = new Set(
    table.map(([verdict]) => verdict).filter((name) => name === name.toUpperCase()),
  );
  assert.deepEqual([...refusals], [...CALL_REFUSALS]);
});

/** Runs calls one after the other and returns what they cost. */
function prices(count: number): bigint[] {
  let calls = NO_CALLS;
  return Array.from({ length: count }, (_, i) => {
    const request = { n: BigInt(i), done: 0n, digest: A };
    const input = {
      row: PAID,
      calls,
      request,
      effect: 'none',
      answer: 'gone',
      nowMs: unixMs(1),
    } as const;
    const judged = judgeCall(input);
    assert.equal(judged.kind, 'run');
    if (judged.kind !== 'run') return 0n;
    calls = chargeCall(judged.calls, request.n);
    return judged.priceMsat;
  });
}

test('the calls of a bundle cost its total; the last one gets the rest', () => {
  assert.deepEqual(prices(3), [333n, 333n, 334n]);
});

test('a released call leaves nothing; its number is free for any request', () => {
  const request = { n: 0n, done: 0n, digest: A };
  const input = {
    row: PAID,
    calls: NO_CALLS,
    request,
    effect: 'once',
    answer: 'gone',
    nowMs: unixMs(1),
  } as const;
  const judged = judgeCall(input);
  assert.equal(entryOf(judged.calls, 0n)?.kind, 'started');
  assert.deepEqual(releaseCall(judged.calls, 0n, false), NO_CALLS);
  assert.equal(entryOf(releaseCall(judged.calls, 0n, true), 0n)?.kind, 'failed');
});

test('a call that ends after the payer declared it resolved is charged and leaves no entry', () => {
  const calls: CallsImage = { ...NO_CALLS, entries: [entry(0n, { kind: 'reserved' })] };
  const request = { n: 1n, done: 1n, digest: B };
  const judged = judgeCall({
    row: PAID,
    calls,
    request,
    effect: 'none',
    answer: 'gone',
    nowMs: unixMs(1),
  });
  const charged = chargeCall(judged.calls, 0n);
  assert.equal(charged.chargedMsat, 333n);
  assert.deepEqual(
    charged.entries.map(({ n }) => n),
    [1n],
  );
});

test('a crash turns started calls into unknown ones that hold no money', () => {
  const calls: CallsImage = {
    ...MEMORY,
    entries: [
      entry(1n, { kind: 'started' }),
      ...MEMORY.entries,
      entry(11n, { kind: 'started', effect: 'once' }),
    ],
  };
  const recovered = recoverCalls(calls);
  assert.deepEqual(recovered.entries.map(({ n, kind }) => [n, kind]).at(-1), [11n, 'unknown']);
  assert.equal(entryOf(recovered, 11n)?.amountMsat, 0n);
  assert.equal(entryOf(recovered, 1n), undefined);
  assert.equal(recoverCalls(MEMORY), MEMORY);
});

test('only a running call ends, and a rerun that answered is the last one', () => {
  assert.throws(() => chargeCall(MEMORY, 5n), /invariant/);
  assert.throws(() => releaseCall(MEMORY, 99n, true), /invariant/);
  assert.equal(judge({ n: 5n, calls: rerunAnswered(MEMORY, 5n) }), 'CALL_RERUNS');
});
