/** Sessions of several services, and sessions that grow: pure. @module */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msat } from '../../base/money/index.ts';
import { unixMs } from '../../base/time/index.ts';
import { chargeCall, judgeCall, releaseCall } from './calls.ts';
import {
  NO_CALLS,
  decodeEntries,
  encodeEntries,
  entriesNumbers,
  type CallsImage,
} from './entry.ts';
import { checkImage, newRow, stateOf, toppedUp, type SessionRow } from './row.ts';
import type { TopUp } from './session.ts';

const LINES = [
  { service: 'a', calls: 3, totalMsat: msat(10n) },
  { service: 'b', calls: 2, totalMsat: msat(200n) },
];
const EMPTY = newRow({
  session: '11'.repeat(16),
  service: 'a,b',
  lines: LINES,
  calls: 5,
  totalMsat: msat(210n),
  paymentHash: '22'.repeat(32),
  openedAtMs: unixMs(0),
  payByMs: unixMs(10),
  expiresAtMs: unixMs(100),
  setup: '33'.repeat(32),
  payer: '44'.repeat(32),
  codeKey: new Uint8Array(32),
  reply: new Uint8Array(0),
});
const row: SessionRow = {
  ...EMPTY,
  counters: { ...EMPTY.counters, creditsPostedMsat: msat(210n) },
};
const topUp: TopUp = {
  session: row.terms.session,
  id: '55'.repeat(16),
  service: 'a',
  calls: 2,
  totalMsat: msat(50n),
  paymentHash: '66'.repeat(32),
  payByMs: unixMs(10),
  expiresAtMs: unixMs(500),
  reply: new Uint8Array(0),
  paid: false,
};

/** Calls a service so often; gives what each cost, or why it was refused. */
function use(
  of: SessionRow,
  from: CallsImage,
  services: string,
): [(bigint | string)[], CallsImage] {
  let calls = from;
  const prices = services.split('').map((service): bigint | string => {
    const n = BigInt(calls.entries.length) + calls.done;
    const request = { n, done: 0n, digest: 'aa'.repeat(16), service };
    const input = { row: of, calls, request, answer: 'gone', nowMs: unixMs(50) } as const;
    const judged = judgeCall({ ...input, effect: 'none' });
    if (judged.kind !== 'run') return judged.kind === 'refused' ? judged.code : judged.kind;
    calls = chargeCall(judged.calls, n);
    return judged.priceMsat;
  });
  return [prices, calls];
}

test('each line costs exactly its total, in whatever order its calls come', () => {
  const [prices, calls] = use(row, NO_CALLS, 'abaabab');
  const none = 'SESSION_EXHAUSTED';
  assert.deepEqual(prices, [3n, 100n, 3n, 4n, 100n, none, none]);
  assert.deepEqual(calls.lines, [
    { chargedMsat: 10n, chargedCalls: 3 },
    { chargedMsat: 200n, chargedCalls: 2 },
  ]);
  assert.equal(checkImage(row, { version: 1n, calls }), undefined);
});

test('what is stored comes back, with its lines', () => {
  const [, calls] = use(row, NO_CALLS, 'aba');
  const bytes = encodeEntries(calls);
  const { done, entries, lines } = calls;
  assert.deepEqual(decodeEntries(bytes), { done, entries, lines });
  assert.deepEqual(entriesNumbers(bytes).lines, lines);
  for (const bad of [bytes.subarray(0, 20), bytes.subarray(0, -1), Uint8Array.of(2, 0)]) {
    assert.throws(() => decodeEntries(bad));
  }
});

test('an image that charges a line beyond what was bought of it is refused', () => {
  const [, calls] = use(row, NO_CALLS, 'aaab');
  const moved = [
    { chargedMsat: msat(10n), chargedCalls: 4 },
    { chargedMsat: msat(100n), chargedCalls: 0 },
  ];
  const refused = checkImage(row, { version: 1n, calls: { ...calls, lines: moved } });
  assert.equal(refused, 'image_over_bought');
});

test('a call that is released is there again for its line', () => {
  const request = { n: 0n, done: 0n, digest: 'aa'.repeat(16), service: 'b' };
  const input = { row, calls: NO_CALLS, request, answer: 'gone', nowMs: unixMs(50) } as const;
  const judged = judgeCall({ ...input, effect: 'none' });
  assert.deepEqual(
    stateOf(row, judged.calls).lines?.map((line) => line.callsLeft),
    [3, 1],
  );
  const released = releaseCall(judged.calls, 0n, true);
  assert.deepEqual(
    stateOf(row, released).lines?.map((line) => line.callsLeft),
    [3, 2],
  );
});

test('a top-up adds to its line and prolongs; its price counts for what is left', () => {
  const [, used] = use(row, NO_CALLS, 'aab');
  const counters = { ...row.counters, creditsPostedMsat: msat(260n) };
  const grown = { ...row, ...toppedUp(row, topUp), terms: row.terms, counters };
  assert.deepEqual(grown.bought, {
    calls: 7,
    totalMsat: 260n,
    expiresAtMs: 500,
    lines: [{ service: 'a', calls: 5, totalMsat: 60n }, LINES[1]],
  });
  assert.deepEqual(use(grown, used, 'aaaa')[0], [18n, 18n, 18n, 'SESSION_EXHAUSTED']);
  assert.equal(stateOf(grown, used).callsLeft, 4);
});

test('after a refund each line says what it alone could still call', () => {
  const counters = { ...row.counters, debitsPostedMsat: msat(100n) };
  const { lines, callsLeft } = stateOf({ ...row, counters });
  assert.deepEqual(
    lines?.map((line) => line.callsLeft),
    [3, 1],
  );
  assert.equal(callsLeft, 3);
});
