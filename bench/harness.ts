/**
 * How things are measured here: the same work in several ways, turn by turn in one run, medians,
 * CPU beside wall clock. A figure is a ratio between two of them; absolute speeds are of one
 * machine.
 * @module
 */

/** How much is measured. */
export interface Size {
  /** Turns of each contender, after those to warm up. */
  readonly turns: number;
  /** Calls in one turn. */
  readonly count: number;
}

/** Turns before the measured ones: compilers and caches settle. */
export const WARM_UP_TURNS = 6;

/** What one turn took. */
export interface Turn {
  readonly count: number;
  readonly wallMs: number;
  /** CPU of the measured process, user and system, all threads. */
  readonly cpuMs: number;
}

/** One way of doing the work. */
export interface Contender {
  readonly name: string;
  /** Does the work once, `count` times over. */
  turn(count: number): Promise<Turn>;
}

/** A row of the result. */
export interface Row {
  readonly name: string;
  readonly against: string;
  readonly value: number;
  readonly aim: number;
  readonly better: 'higher' | 'lower';
}

/** What one contender did in each turn. */
export interface Measured {
  readonly perSecond: number;
  readonly cpuMicrosecondsEach: number;
  readonly turns: readonly Turn[];
}

/** What all contenders did; prints a line for each. */
export type Measurements = ReadonlyMap<string, Measured>;

/** Runs all contenders in turn, each turn in another order, and takes medians. */
export async function interleave(
  contenders: readonly Contender[],
  { turns, count }: Size,
): Promise<Measurements> {
  const found = new Map<string, Turn[]>(contenders.map(({ name }) => [name, []]));
  for (let i = 0; i < turns + WARM_UP_TURNS; i++) {
    for (const contender of i % 2 === 0 ? contenders : contenders.toReversed()) {
      const turn = await contender.turn(count);
      if (i >= WARM_UP_TURNS) found.get(contender.name)?.push(turn);
    }
  }
  const measured = new Map([...found].map(([name, list]) => [name, measuredOf(list)]));
  for (const [name, { perSecond, cpuMicrosecondsEach }] of measured) {
    const each = `${cpuMicrosecondsEach.toFixed(2)} us CPU each`;
    process.stdout.write(`  ${name}: ${Math.round(perSecond)} per second, ${each}\n`);
  }
  return measured;
}

/**
 * The median over all turns of one contender's figure divided by another's in the same turn: what
 * disturbs the machine disturbs both.
 */
export function ratio(
  measurements: Measurements,
  [above, below]: readonly [above: string, below: string],
  figure: (turn: Turn) => number,
): number {
  const of = (name: string): readonly Turn[] => measurements.get(name)?.turns ?? [];
  const others = of(below);
  return median(
    of(above).map((turn, i) => figure(turn) / figure(others[i] ?? { ...turn, count: Number.NaN })),
  );
}

/** Of a turn. */
export const perSecond = ({ count, wallMs }: Turn): number => (count / wallMs) * 1000;
/** Of a turn. */
export const perCpuSecond = ({ count, cpuMs }: Turn): number => (count / cpuMs) * 1000;

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function measuredOf(turns: readonly Turn[]): Measured {
  return {
    perSecond: median(turns.map(perSecond)),
    cpuMicrosecondsEach: median(turns.map((turn) => 1e6 / perCpuSecond(turn))),
    turns,
  };
}
