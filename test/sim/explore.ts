/**
 * Runs a scenario under many seeds and reports the first that fails so that it can be run again.
 * @module
 */
import { World } from './world.ts';

/** How much of the trace a failure shows. */
const SHOWN_LINES = 40;

/** What is to be explored. */
export interface Exploration {
  /** How many seeds, from 1 up; `TOLLCALL_SIM_SEEDS` overrides it. */
  readonly seeds: number;
  /** Builds its nodes and is done when the world should end; `world.run` is called for it. */
  readonly scenario: (world: World) => Promise<unknown>;
  /** After so many events a run fails. */
  readonly maxEvents?: number;
}

/** What was explored. */
export interface Explored {
  readonly seeds: number;
  readonly events: number;
}

/**
 * Runs the scenario once for each seed. `TOLLCALL_SIM_SEED=7` runs seed 7 alone.
 * @throws the first failure, with its seed, the end of its trace and how to run it again
 */
export async function explore(exploration: Exploration): Promise<Explored> {
  const { seeds, scenario, maxEvents } = exploration;
  let events = 0;
  const chosen = chosenSeeds(seeds);
  for (const seed of chosen) {
    const world = new World(maxEvents === undefined ? { seed } : { seed, maxEvents });
    try {
      await world.run(scenario(world));
    } catch (error) {
      throw new Error(report(world, error), { cause: error });
    }
    events += world.events;
  }
  return { seeds: chosen.length, events };
}

function chosenSeeds(seeds: number): readonly number[] {
  const only = process.env['TOLLCALL_SIM_SEED'];
  if (only !== undefined) return [Number(only)];
  const count = Number(process.env['TOLLCALL_SIM_SEEDS'] ?? seeds);
  return Array.from({ length: count }, (_, i) => i + 1);
}

function report(world: World, error: unknown): string {
  const shown = world.trace.slice(-SHOWN_LINES);
  return [
    `seed ${world.seed} fails after ${world.events} events: ${String(error)}`,
    ...shown.map((line) => `  ${line}`),
    `run it again: TOLLCALL_SIM_SEED=${world.seed} and the same command`,
  ].join('\n');
}
