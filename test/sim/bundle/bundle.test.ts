/**
 * Worlds of payers and a host on a lossy link, with crashes on both sides: every promise about
 * money holds at every event and in the end.
 * @module
 */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { explore } from '../explore.ts';
import { World } from '../world.ts';
import { refundingShopOf, runShop, shopOf } from './shop.ts';

const SEEDS = 300;
/** Each of these worlds is five times as long. */
const REFUND_SEEDS = 100;

test(`bundle shops: ${SEEDS} worlds with loss, delay, repeats and crashes`, async (t) => {
  const { seeds, events } = await explore({
    seeds: SEEDS,
    scenario: (world) => runShop(world, shopOf(world.seed)),
  });
  t.diagnostic(`${seeds} seeds, ${events} events`);
});

test(`refunds: ${REFUND_SEEDS} worlds, a bad wallet, hosts that crash meanwhile`, async (t) => {
  const { seeds, events } = await explore({
    seeds: REFUND_SEEDS,
    scenario: (world) => runShop(world, refundingShopOf(world.seed)),
  });
  t.diagnostic(`${seeds} seeds, ${events} events`);
});

test('one seed, one history', async () => {
  const histories = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const world = new World({ seed: 30 });
    await world.run(runShop(world, shopOf(30)));
    histories.add(world.traceHash());
  }
  assert.equal(histories.size, 1);
});
