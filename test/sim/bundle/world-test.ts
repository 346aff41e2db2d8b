/**
 * A test of one kind of world. Each kind has a file of its own, so that they run side by side.
 * @module
 */
import { test } from 'node:test';
import { explore } from '../explore.ts';
import { WORLDS, type WorldName } from './worlds.ts';

/** Explores so many worlds of a kind. */
export function testWorlds(name: WorldName, seeds: number): void {
  test(`${name}: every promise holds in ${seeds} worlds`, async (t) => {
    const explored = await explore({ seeds, scenario: WORLDS[name] });
    t.diagnostic(`${explored.seeds} seeds, ${explored.events} events`);
  });
}
