/**
 * The promises about money, over random sequences of events and crashes.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Effect } from '../../src/pay/ledger/index.ts';
import type { Fate } from './gated-store.ts';
import { CALLS, TOTALS, World, hex, settled, type Found } from './world.ts';

type Event = (world: World) => unknown;

/** The last one is opened late: what is paid for it before that is attributed then. */
const session = fc.nat(3);
const opened = fc.nat(2);
const effect = fc.constantFrom<Effect>('none', 'once');
const fate = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Fate>('durable') },
  { weight: 1, arbitrary: fc.constantFrom<Fate>('failed', 'ambiguous') },
);
const call = fc.record({ s: session, n: fc.nat(9), d: fc.nat(1) });

const event: fc.Arbitrary<readonly [string, Event]> = fc.oneof(
  named('open', 1, session, (world, s) => world.open(s)),
  named(
    'receive',
    3,
    fc.tuple(session, fc.nat(2), fc.bigInt(1n, 12_000n)),
    (world, [s, payment, amount]) => world.receive(s, payment, amount),
  ),
  named('admit', 10, fc.tuple(call, fc.nat(3), effect), (world, [request, back, kind]) =>
    world.admit(request, Math.max(0, request.n - 2 * back), kind),
  ),
  named('again', 6, fc.nat(20), (world, index) => world.again(index)),
  named('charge', 5, fc.nat(20), (world, index) => world.charge(index)),
  named('release', 3, fc.nat(20), (world, index) => world.release(index)),
  named('top up', 2, fc.tuple(session, fc.integer({ min: 1, max: 2 })), (world, [s, payment]) =>
    world.topUp(s, payment),
  ),
  named(
    'refund',
    4,
    fc.tuple(session, fc.nat(6), fc.bigInt(1n, 9_500n)),
    (world, [s, hash, amount]) => world.refund(s, hash, amount),
  ),
  named(
    'end a refund',
    4,
    fc.tuple(fc.nat(6), fc.option(fc.bigInt(0n, 1_500n), { nil: undefined })),
    (world, [hash, fee]) => world.endRefund(hash, fee),
  ),
  named('expire', 1, fc.nat(3), (world, days) => world.expire(days)),
  named(
    'recover',
    4,
    fc.tuple(fc.nat(5), fc.constantFrom<Found>('done', 'not-done', 'unknown')),
    (world, [index, found]) => world.recover(index, found),
  ),
  named('room', 2, fc.bigInt(0n, 12_000n), (world, totalMsat) => world.room(totalMsat)),
  named('leave', 2, fc.nat(5), (world, index) => world.leave(index)),
  named('step', 10, fate, (world, what) => world.step(what)),
  named('crash', 2, fc.boolean(), (world, writes) => world.crash(writes)),
  named('clock', 1, fc.integer({ min: -5, max: 5 }), (world, days) => {
    world.nowMs += days * 86_400_000;
  }),
);

function named<T>(
  name: string,
  weight: number,
  arbitrary: fc.Arbitrary<T>,
  run: (world: World, value: T) => unknown,
): fc.WeightedArbitrary<readonly [string, Event]> {
  const of = (value: T): readonly [string, Event] => {
    const label = `${name} ${fc.stringify(value)}`;
    return [label, Object.assign((world: World) => run(world, value), { toString: () => label })];
  };
  return { weight, arbitrary: arbitrary.map(of) };
}

test('money is conserved, charged once and never lost, whatever happens', async () => {
  const events = fc.array(event, { minLength: 20, maxLength: 80, size: 'max' });
  await fc.assert(
    fc.asyncProperty(events, async (list) => {
      const world = await World.make();
      await prepare(world);
      for (const [, run] of list) {
        await run(world);
        await world.check();
      }
    }),
    { numRuns: 150 },
  );
});

test('a used-up bundle costs exactly its total, in whatever order its calls end', async () => {
  const ends = fc.array(fc.tuple(fc.boolean(), fc.nat(20)), { minLength: 0, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(opened, ends, async (s, list) => {
      const world = await World.make();
      world.open(s);
      await drain(world);
      world.receive(s, 0, (TOTALS[s] ?? 0n) + 5n);
      await drain(world);
      let n = 0;
      for (const [charged, index] of list) {
        world.admit({ s, n, d: 0 }, Math.max(0, n - 60), 'none');
        n++;
        await settled();
        if (charged) world.charge(index);
        else world.release(index);
      }
      for (let left = world.runs.length; left > 0; left--) world.charge(0);
      await drain(world);
      for (let left = CALLS[s] ?? 0; left > 0; left--) {
        world.admit({ s, n, d: 0 }, Math.max(0, n - 60), 'none');
        n++;
        await settled();
        world.charge(0);
        await drain(world);
      }
      await world.check();
      const state = (await world.books.session(hex(s, 16)))?.state;
      assert.equal(state?.chargedMsat, TOTALS[s]);
      assert.equal(state?.callsLeft, 0);
      assert.equal(state?.creditMsat, 5n);
    }),
    { numRuns: 30 },
  );
});

/** Opens and pays the bundles, so that most sequences get somewhere. */
async function prepare(world: World): Promise<void> {
  for (const s of [0, 1, 2]) world.open(s);
  await drain(world);
  for (const s of [0, 1]) world.receive(s, 0, (TOTALS[s] ?? 0n) + 1n);
  await drain(world);
}

async function drain(world: World): Promise<void> {
  await settled();
  while (world.gated.waiting > 0) await world.step('durable');
}
