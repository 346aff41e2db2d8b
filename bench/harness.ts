/**
 * How things are measured here: the same work in two ways, turn by turn in one run, medians, CPU
 * beside wall clock. A figure is a ratio between the two; absolute speeds are of one machine.
 * @module
 */

/** What one turn took. */
export interface Turn {
  readonly count: number;
  readonly wallMs: number;
  /** CPU of the measured process, user and system. */
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

/** Per-turn numbers of one contender. */
export interface Measured {
  readonly perSecond: number;
  readonly cpuMicrosecondsEach: number;
}

/** Runs all contenders in turn, `turns` times after one turn to warm up, and takes medians. */
export async function interleave(
  contenders: readonly Contender[],
  options: { readonly turns: number; readonly count: number },
): Promise<ReadonlyMap<string, Measured>> {
  const turns = new Map<string, Turn[]>(contenders.map(({ name }) => [name, []]));
  for (let i = 0; i <= options.turns; i++) {
    for (const contender of contenders) {
      const turn = await contender.turn(options.count);
      if (i > 0) turns.get(contender.name)?.push(turn);
    }
  }
  return new Map(
    [...turns].map(([name, list]) => [
      name,
      {
        perSecond: median(list.map((turn) => (turn.count / turn.wallMs) * 1000)),
        cpuMicrosecondsEach: median(list.map((turn) => (turn.cpuMs / turn.count) * 1000)),
      },
    ]),
  );
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
