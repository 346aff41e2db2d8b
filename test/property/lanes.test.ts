/**
 * The promises about ticks, over random sequences of calls, failures and crashes.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { msat } from '../../src/base/money/index.ts';
import type { Fate } from './gated-store.ts';
import { LENGTH, UNIT_MSAT } from './lane-sale.ts';
import { LAZY_MSAT, LaneWorld, type LaneWorldOptions } from './lane-world.ts';

type Event = (world: LaneWorld) => unknown;

const COMMIT: LaneWorldOptions = { hosts: 1, durability: { kind: 'commit' } };
const TWO: LaneWorldOptions = { ...COMMIT, hosts: 2 };
const LAZY: LaneWorldOptions = {
  ...COMMIT,
  durability: { kind: 'lazy', maxMs: 1_000, maxMsat: msat(LAZY_MSAT) },
};
const ONCE: LaneWorldOptions = { ...COMMIT, once: true };

const place = fc.nat(1);
const host = fc.nat(1);
const fate = fc.oneof(
  { weight: 14, arbitrary: fc.constant<Fate>('durable') },
  { weight: 1, arbitrary: fc.constantFrom<Fate>('failed', 'ambiguous') },
);

const calls = [
  named('call', 12, fc.tuple(place, fc.nat(3), host), (world, [p, units, h]) =>
    world.call(p, units, h),
  ),
  named('again', 5, fc.tuple(fc.nat(40), host), (world, [index, h]) => world.again(index, h)),
  named('charge', 9, fc.nat(20), (world, index) => world.charge(index)),
  named('release', 2, fc.nat(20), (world, index) => world.release(index)),
  named('step', 14, fc.constant<Fate>('durable'), (world, what) => world.step(what)),
];
const crashes = [
  named('step', 4, fate, (world, what) => world.step(what)),
  named('crash', 1, fc.boolean(), (world, writes) => world.crash(writes)),
];
const closes = [named('refund', 1, fc.bigInt(1n, 4000n), (world, amount) => world.refund(amount))];

function named<T>(
  name: string,
  weight: number,
  arbitrary: fc.Arbitrary<T>,
  run: (world: LaneWorld, value: T) => unknown,
): fc.WeightedArbitrary<Event> {
  const of = (value: T): Event =>
    Object.assign((world: LaneWorld) => run(world, value), {
      toString: () => `${name} ${fc.stringify(value)}`,
    });
  return { weight, arbitrary: arbitrary.map(of) };
}

async function holds(
  events: readonly fc.WeightedArbitrary<Event>[],
  options: LaneWorldOptions,
  end: (world: LaneWorld) => Promise<void>,
): Promise<void> {
  const list = fc.array(fc.oneof(...events), { minLength: 20, maxLength: 120, size: 'max' });
  await fc.assert(
    fc.asyncProperty(list, async (all) => {
      const world = await LaneWorld.make(options);
      for (const run of all) {
        await run(world);
        await world.check();
      }
      await world.finish();
      await end(world);
    }),
    { numRuns: 100 },
  );
}

async function exact(world: LaneWorld): Promise<void> {
  assert.equal(await world.spentMsat(), world.answeredMsat(), 'what was answered was bought');
}

test('commit: each answer is charged once, whatever crashes', async () => {
  await holds([...calls, ...crashes], COMMIT, async (world) => {
    assert.equal(world.lostMsat, 0n);
    assert.ok((await world.spentMsat()) >= world.answeredMsat());
  });
});

test('commit: lanes are closed while calls run, and what was spent stays spent', async () => {
  await holds([...calls, ...crashes, ...closes], COMMIT, async (world) => {
    assert.equal(world.lostMsat, 0n);
  });
});

test('lazy: a crash forgets no more than the bound', async () => {
  await holds([...calls, ...crashes], LAZY, async () => undefined);
});

test('two hosts over one store, the same lanes in turns: exactly what was paid', async () => {
  await holds(calls, TWO, exact);
});

test('once: each effect takes place once, and each answer is charged once', async () => {
  await holds([...calls, ...crashes], ONCE, exact);
});

test('once: a service that knows what it has done is paid for that', async () => {
  await holds([...calls, ...crashes], { ...ONCE, recovers: true }, async (world) => {
    await exact(world);
    assert.equal(await world.spentMsat(), world.doneMsat(), 'but for what nobody knows');
  });
});

test('once: lanes are closed while calls run or are cut', async () => {
  await holds([...calls, ...crashes, ...closes], { ...ONCE, recovers: true }, async (world) => {
    assert.equal(world.lostMsat, 0n);
  });
});

test('once, lazy: nothing is lost all the same', async () => {
  await holds([...calls, ...crashes], { ...LAZY, once: true }, exact);
});

test('once: two hosts over one store, the same lanes in turns', async () => {
  await holds(calls, { ...TWO, once: true }, async (world) => {
    assert.equal(world.lostMsat, 0n);
  });
});

test('two hosts use a lane up between them, and not a unit more', async () => {
  const world = await LaneWorld.make(TWO);
  for (let i = 0; i < 4 * LENGTH; i++) {
    world.call(i % 2, 1, i >> 1);
    await world.check();
    world.charge(i);
    if (i % 3 === 0) await world.step('durable');
  }
  await world.finish();
  await exact(world);
  assert.equal(await world.spentMsat(), BigInt(2 * LENGTH) * UNIT_MSAT);
});
