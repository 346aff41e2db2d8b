/**
 * Funding: why no new call is served, and how far the ticks of a lane are money.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../base/bytes/index.ts';
import { msat } from '../base/money/index.ts';
import { seededRandom } from '../base/random/index.ts';
import { unixMs } from '../base/time/index.ts';
import type { SessionTerms } from '../pay/ledger/index.ts';
import { ChainReader, laneId, makeChain, newLaneRow } from '../pay/tick/index.ts';
import { WorkBudget } from './budget.ts';
import { prepaid, type Funding, type FundingRefusal } from './funding.ts';
import { Lanes, type LaneAdmission } from './lanes.ts';
import { BOOKS_LIMITS } from './limits.ts';

const SESSION = '05'.repeat(16);
const LENGTH = 20;
const CHAIN = makeChain(seededRandom(9).bytes(32), LENGTH);
const LANE = laneId(SESSION, 0);
const BODY = new Uint8Array([1]);
const TERMS: SessionTerms = {
  session: SESSION,
  service: 'echo',
  lanes: 1,
  calls: LENGTH,
  totalMsat: msat(2_000),
  paymentHash: '06'.repeat(32),
  openedAtMs: unixMs(1),
  payByMs: unixMs(100),
  expiresAtMs: unixMs(1_000),
  setup: '07'.repeat(32),
  payer: '08'.repeat(32),
  codeKey: new Uint8Array(32),
  reply: new Uint8Array(8),
};
const ROW = newLaneRow({
  lane: LANE,
  session: SESSION,
  place: 0,
  anchor: CHAIN.anchor,
  length: LENGTH,
  unitMsat: msat(100),
});

/** Funding that the test changes: as a channel, whose levels become enforceable one by one. */
class Changing implements Funding {
  refused: FundingRefusal | undefined;
  index = 4;

  refusal(): FundingRefusal | undefined {
    return this.refused;
  }

  backed(): number {
    return this.index;
  }
}

function lanesOver(funding: Funding): Lanes {
  return new Lanes({
    ...BOOKS_LIMITS,
    store: {
      commitLanes: async () => new Uint8Array(1),
      storedLaneAnswer: async () => undefined,
    },
    budget: new WorkBudget(BOOKS_LIMITS),
    now: () => unixMs(500),
    monotonicMs: () => 0,
    check: () => undefined,
    broken: () => undefined,
    fail: (fault) => assert.fail(fault),
    timer: () => () => undefined,
    take: async () => ({ row: ROW, terms: TERMS, funding }),
    rowsOf: async () => [],
    closeLanes: async () => undefined,
  });
}

async function call(lanes: Lanes, n: number, index: number, units = 1): Promise<LaneAdmission> {
  const slot = await lanes.load(fromHex(LANE, 'lane'));
  const secret = new ChainReader(CHAIN).secret(index);
  return lanes.admit(
    slot,
    { n, done: 0, digest: Uint32Array.of(n, 0, 0, 0), units },
    { index, secret },
  );
}

async function spend(lanes: Lanes, n: number, index: number, units = 1): Promise<void> {
  const admission = await call(lanes, n, index, units);
  assert(admission.kind === 'run');
  await admission.run.charge(BODY);
}

test('an invoice that was paid backs all of a lane until the session expires', () => {
  assert.equal(prepaid(TERMS, { paid: false }).refusal(unixMs(500)), 'SESSION_UNPAID');
  const paid = prepaid(TERMS, { paid: true });
  assert.equal(paid.refusal(unixMs(999)), undefined);
  assert.equal(paid.refusal(unixMs(1_000)), 'SESSION_EXPIRED');
  assert.equal(paid.backed(0), Infinity);
});

test('ticks beyond what is backed are no money, until more is', async () => {
  const funding = new Changing();
  const lanes = lanesOver(funding);
  await spend(lanes, 0, 4, 3);
  await assert.rejects(call(lanes, 1, 5), { code: 'TICK_INDEX' });
  await assert.rejects(call(lanes, 1, 4, 2), { code: 'LANE_EXHAUSTED' });
  funding.index = 8;
  await spend(lanes, 1, 8, 5);
  funding.index = 1_000;
  await spend(lanes, 2, LENGTH, 12);
  await assert.rejects(call(lanes, 3, LENGTH), { code: 'LANE_EXHAUSTED' });
});

test('near the end nothing new is served, and what was charged is answered', async () => {
  for (const refused of ['SESSION_EXPIRED', 'LANE_CLOSED'] as const) {
    const funding = new Changing();
    const lanes = lanesOver(funding);
    await spend(lanes, 0, 2);
    funding.refused = refused;
    await assert.rejects(call(lanes, 1, 2), { code: refused });
    assert.equal((await call(lanes, 0, 2)).kind, 'repeat');
  }
});
