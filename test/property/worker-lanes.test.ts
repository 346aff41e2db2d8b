/**
 * The promises about lanes with several workers, over random sequences of calls, passing on,
 * evictions, letting go, closing, and processes that die at any await point.
 * @module
 */
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FileLogs } from './file-logs.ts';
import { SESSION } from './lane-sale.ts';
import { ModelLogs, type WorkerLogs } from './model-logs.ts';
import { WorkerWorld } from './worker-world.ts';

type Event = (world: WorkerWorld) => unknown;

const place = fc.nat(2);
const worker = fc.nat(3);

const calls = [
  named('call', 12, fc.tuple(place, fc.nat(3), worker), (world, [p, units, w]) =>
    world.call(p, units, w),
  ),
  named('again', 5, fc.tuple(fc.nat(40), worker), (world, [index, w]) => world.again(index, w)),
  named('charge', 12, fc.nat(20), (world, index) => world.charge(index)),
  named('release', 2, fc.nat(20), (world, index) => world.release(index)),
  named('letGo', 3, fc.tuple(place, worker), (world, [p, w]) => world.letGo(p, w)),
  named('fold', 3, worker, (world, w) => world.fold(w)),
  named('state', 2, fc.constant(0), (world) => world.state()),
  named('sheet', 1, fc.constant(0), (world) => world.sheet()),
  named('step', 60, fc.nat(20), (world, pick) => world.step(pick)),
];
const crashes = [
  named('crash', 3, fc.tuple(worker, fc.boolean(), fc.nat(4)), (world, [w, writes, heard]) =>
    world.crash(w, writes, heard),
  ),
  named('crashAll', 1, fc.boolean(), (world, writes) => world.crashAll(writes)),
];
const closes = [
  named('refund', 1, fc.bigInt(1n, 4000n), (world, amount) => world.refund(amount)),
  named('close', 1, fc.constant(0), (world) => world.close()),
];

function named<T>(
  name: string,
  weight: number,
  arbitrary: fc.Arbitrary<T>,
  run: (world: WorkerWorld, value: T) => unknown,
): fc.WeightedArbitrary<Event> {
  const of = (value: T): Event =>
    Object.assign((world: WorkerWorld) => run(world, value), {
      toString: () => `${name} ${fc.stringify(value)}`,
    });
  return { weight, arbitrary: arbitrary.map(of) };
}

async function holds(
  events: readonly fc.WeightedArbitrary<Event>[],
  make: () => Promise<WorkerLogs>,
  numRuns: number,
  once?: 'once',
): Promise<void> {
  const list = fc.array(fc.oneof(...events), { minLength: 40, maxLength: 250, size: 'max' });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 4 }), list, async (workers, all) => {
      const logs = await make();
      try {
        const world = await WorkerWorld.make(workers, logs, once === 'once');
        for (const run of all) {
          await run(world);
          await world.check();
        }
        await world.finish();
      } finally {
        await logs.close();
      }
    }),
    { numRuns },
  );
}

const model = (): Promise<WorkerLogs> => ModelLogs.make(SESSION);

test('lanes move between workers: exactly what was paid', async () => {
  await holds(calls, model, 60);
});

test('workers and the host die: no answer is charged twice, no charge is lost', async () => {
  await holds([...calls, ...crashes], model, 60);
});

test('lanes are closed meanwhile: what was spent stays spent', async () => {
  await holds([...calls, ...crashes, ...closes], model, 60);
});

test('the same with logs and a store in files', async () => {
  await holds([...calls, ...crashes], () => FileLogs.make(), 6);
  await holds([...calls, ...crashes, ...closes], () => FileLogs.make(), 6);
});

test('once: workers and the host die, and no effect takes place twice', async () => {
  await holds([...calls, ...crashes], model, 60, 'once');
  await holds([...calls, ...crashes], () => FileLogs.make(), 6, 'once');
});

test('once: lanes are closed meanwhile', async () => {
  await holds([...calls, ...crashes, ...closes], model, 60, 'once');
  await holds([...calls, ...crashes, ...closes], () => FileLogs.make(), 6, 'once');
});
