/**
 * Counts calls where they are served. A call costs one addition in an array; names and texts are
 * made when somebody looks.
 * @module
 */
import type { FaultCode } from '../base/fault/index.ts';

/** How a call ended, for whoever runs the host. The list of metrics depends on it: append only. */
export const OUTCOMES = ['charged', 'uncharged', 'failed', 'refused', 'broken'] as const;
/** How a call ended. */
export type Outcome = (typeof OUTCOMES)[number];

/** The upper bounds of the classes of latency, in milliseconds. */
export const LATENCY_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

/** What is counted of one service. */
export interface ServiceCount {
  /** Calls by the place of their outcome in `OUTCOMES`. */
  readonly outcomes: Float64Array;
  /** Calls by class of latency; the last class has no bound. */
  readonly latency: Float64Array;
  latencySumMs: number;
}

/** Counts calls. A service has its row from the start: a peer cannot make one. */
export class CallMeter {
  readonly #rows = new Map<string, ServiceCount>();
  readonly #unknown = newCount();

  constructor(services: readonly string[]) {
    for (const name of services) this.#rows.set(name, newCount());
  }

  /** A call has ended. */
  count(service: string, outcome: Outcome, durationMs: number): void {
    const row = this.#rows.get(service) ?? this.#unknown;
    const place = OUTCOMES.indexOf(outcome);
    row.outcomes[place] = (row.outcomes[place] ?? 0) + 1;
    let i = 0;
    while (i < LATENCY_MS.length && durationMs > (LATENCY_MS[i] ?? 0)) i++;
    row.latency[i] = (row.latency[i] ?? 0) + 1;
    row.latencySumMs += durationMs;
  }

  /** Every service with what was counted; calls of services that are not sold are under `-`. */
  rows(): readonly (readonly [service: string, count: ServiceCount])[] {
    return [...this.#rows, ['-', this.#unknown]];
  }
}

function newCount(): ServiceCount {
  return {
    outcomes: new Float64Array(OUTCOMES.length),
    latency: new Float64Array(LATENCY_MS.length + 1),
    latencySumMs: 0,
  };
}

/** The outcome of a call that ended with a fault. */
export function outcomeOf(code: FaultCode): Outcome {
  if (/^(SERVICE_(FAILED|TIMEOUT)|CALL_RERUN_FAILED|CALL_OUTCOME_UNKNOWN)$/.test(code)) {
    return 'failed';
  }
  return code === 'HOST_BROKEN' ? 'broken' : 'refused';
}
