/**
 * Every kind of world, by name: what its seed makes of it.
 * @module
 */
import type { World } from '../world.ts';
import { runLiars } from './liars.ts';
import type { MarketOptions } from './market.ts';
import { runShop } from './shop.ts';
import { runTicks } from './ticks.ts';

/** A scenario of the explorer. */
export type Scenario = (world: World) => Promise<unknown>;

/** A small market; the seed varies its size. */
function sizeOf({ seed }: World): MarketOptions {
  return { payers: 1 + (seed % 2), bundles: 2, callsPerBundle: 5 + (seed % 8), callsAtOnce: 3 };
}

/** All kinds. */
export const WORLDS = {
  /** Payers use up what they buy; loss, delay, repeats and crashes. */
  bundle: (world) => runShop(world, sizeOf(world)),
  /** They get a part of it back; the wallet of the host is a bad one. */
  refunds: (world) => runShop(world, { ...sizeOf(world), refunds: true }),
  /** The host has caps, services that recover, and credit that expires. */
  careful: (world) => runShop(world, { ...sizeOf(world), careful: true }),
  /** They buy more for a session that they use. */
  'top-ups': (world) => runShop(world, { ...sizeOf(world), topUps: true }),
  /** Payers pay with ticks; some get a part back, some hosts are lazy, some lie. */
  ticks: (world) => runTicks(world, sizeOf(world)),
  /** The host lies. */
  'lying-host': (world) => runLiars(world, { ...sizeOf(world), liar: 'host' }),
  /** The wallets of all lie. */
  'lying-wallets': (world) => runLiars(world, { ...sizeOf(world), liar: 'wallets' }),
} as const satisfies Record<string, Scenario>;

/** The name of a kind. */
export type WorldName = keyof typeof WORLDS;
