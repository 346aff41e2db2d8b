/** Payers use up what they buy; loss, delay, repeats, and crashes on both sides. @module */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../world.ts';
import { testWorlds } from './world-test.ts';
import { WORLDS } from './worlds.ts';

testWorlds('bundle', 300);

test('one seed, one history', async () => {
  const histories = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const world = new World({ seed: 30 });
    await world.run(WORLDS.bundle(world));
    histories.add(world.traceHash());
  }
  assert.equal(histories.size, 1);
});
