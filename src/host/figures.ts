/**
 * What one process of a host counts, for Prometheus: a host alone shows it as it is, workers send
 * theirs to their primary, which adds all up.
 * @module
 */
import {
  AggregatorRegistry,
  Counter,
  Gauge,
  Histogram,
  Registry,
  collectDefaultMetrics,
  type MetricObjectWithValues,
  type MetricValue,
} from 'prom-client';
import type { Clock } from '../base/time/index.ts';
import type { HostStoreFile } from '../port/store/index.ts';
import { LATENCY_MS, OUTCOMES, type CallMeter } from './meter.ts';

/** All figures of a process, as plain values. */
export type Figures = readonly MetricObjectWithValues<MetricValue<string>>[];

/** What one process counts. */
export interface ProcessFiguresParts {
  readonly meter: CallMeter;
  readonly commits: CommitMeter;
  readonly runningCalls: () => number;
  /** Open connections of the public door. */
  readonly connections: () => number;
  /** Which process of several it is; absent when there is one. */
  readonly name?: string;
}

/** A registry with the figures that each process has. */
export function processFigures(parts: ProcessFiguresParts): Registry {
  const { commits, meter, name } = parts;
  const registry = new Registry();
  // CPU, memory, open files, garbage collection, and how late the event loop is.
  collectDefaultMetrics({ register: registry });
  registry.registerMetric(new CallCounts(meter));
  registry.registerMetric(new CallLatency(meter));
  registry.registerMetric(commits.seconds);
  registry.registerMetric(commits.groups);
  addGauge(registry, 'tollcall_running_calls', 'Calls under way.', parts.runningCalls);
  const open = 'Open connections of the public door.';
  addGauge(registry, 'tollcall_connections', open, parts.connections);
  if (name !== undefined) addOwn(registry, name);
  return registry;
}

/** A figure that is read when somebody looks. */
export function addGauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number | Promise<number>,
): void {
  const gauge: Gauge = new Gauge({
    name,
    help,
    registers: [registry],
    collect: async () => gauge.set(await read()),
  });
}

/** The figures of several processes as one registry: what is counted is added up. */
export function sumFigures(all: readonly Figures[]): Registry {
  return AggregatorRegistry.aggregate([...all]);
}

/** What workers have counted, also those that have ended: a count never goes down. */
export class WorkerFigures {
  readonly #last = new Map<number, Figures>();
  #ended: Promise<Figures> = Promise.resolve([]);

  /** What a worker that runs has counted until now. */
  set(worker: number, figures: Figures): void {
    this.#last.set(worker, figures);
  }

  /** It has ended: what it counted is kept, how it was doing is not. */
  ended(worker: number): void {
    const last = this.#last.get(worker);
    this.#last.delete(worker);
    if (last === undefined) return;
    // As prom-client writes it where values are plain; its types say an enum that is not there.
    const counted = last.filter(({ type }) => COUNTED.has(String(type)));
    this.#ended = this.#ended.then((before) => sumFigures([before, counted]).getMetricsAsJSON());
  }

  async all(): Promise<readonly Figures[]> {
    return [await this.#ended, ...this.#last.values()];
  }
}

const COUNTED: ReadonlySet<string> = new Set(['counter', 'histogram']);

/** Watches the commits of a store: a commit is shared by all calls that wait for it. */
export class CommitMeter {
  readonly #clock: Clock;
  readonly seconds = new Histogram({
    name: 'tollcall_commit_duration_seconds',
    help: 'How long a durable commit took.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [],
  });
  readonly groups = new Histogram({
    name: 'tollcall_commit_groups',
    help: 'How many sessions, lanes and transfers were written together in one commit.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    registers: [],
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The same store, watched. */
  watch<Store extends Partial<Pick<HostStoreFile, 'commit' | 'commitLanes'>>>(store: Store): Store {
    const { commit, commitLanes } = store;
    return {
      ...store,
      ...(commit && {
        commit: (groups: Parameters<typeof commit>[0]) => this.#time(() => commit(groups)),
      }),
      ...(commitLanes && {
        commitLanes: (...args: Parameters<typeof commitLanes>) =>
          this.#time(() => commitLanes(...args)),
      }),
    };
  }

  /** Results are as many as what was written. */
  async #time<Results extends ArrayLike<unknown>>(commit: () => Promise<Results>) {
    const startMs = this.#clock.monotonicMs();
    const results = await commit();
    this.seconds.observe((this.#clock.monotonicMs() - startMs) / 1000);
    this.groups.observe(results.length);
    return results;
  }
}

/** Which of several processes uses the machine. */
function addOwn(registry: Registry, name: string): void {
  const cpu: Counter = new Counter({
    name: 'tollcall_process_cpu_seconds_total',
    help: 'CPU of each process of the host, user and system.',
    labelNames: ['process'],
    registers: [registry],
    collect: () => {
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc({ process: name }, (user + system) / 1e6);
    },
  });
  const memory: Gauge = new Gauge({
    name: 'tollcall_process_resident_bytes',
    help: 'Memory of each process of the host.',
    labelNames: ['process'],
    registers: [registry],
    collect: () => memory.set({ process: name }, process.memoryUsage.rss()),
  });
}

/** Calls by service and outcome, straight from the meter. */
class CallCounts extends Counter<'service' | 'outcome'> {
  readonly #meter: CallMeter;

  constructor(meter: CallMeter) {
    super({ name: 'tollcall_calls_total', help: 'Calls by service and outcome.', registers: [] });
    this.#meter = meter;
  }

  override async get() {
    const values = this.#meter
      .rows()
      .flatMap(([service, { outcomes }]) =>
        OUTCOMES.map((outcome, i) => ({ labels: { service, outcome }, value: outcomes[i] ?? 0 })),
      );
    return { ...(await super.get()), values };
  }
}

/** Their latency, the same. */
class CallLatency extends Histogram<'service' | 'le'> {
  readonly #meter: CallMeter;

  constructor(meter: CallMeter) {
    super({ name: LATENCY, help: 'From the credential to the answer.', registers: [] });
    this.#meter = meter;
  }

  /** What the registry prints, and `get` gives. */
  async getForPromString() {
    const counted = this.#meter.rows().flatMap(([service, { latency, latencySumMs }]) => {
      let count = 0;
      const buckets = [...latency].map((calls, i) => {
        const boundMs = LATENCY_MS[i];
        const le = boundMs === undefined ? '+Inf' : boundMs / 1000;
        count += calls;
        return { metricName: `${LATENCY}_bucket`, labels: { service, le }, value: count };
      });
      return [
        ...buckets,
        { metricName: `${LATENCY}_sum`, labels: { service }, value: latencySumMs / 1000 },
        { metricName: `${LATENCY}_count`, labels: { service }, value: count },
      ];
    });
    const help = 'From the credential to the answer.';
    const values = counted.map((one) => ({ ...one, sharedLabels: {} }));
    return { name: LATENCY, help, type: 'histogram', aggregator: 'sum', values };
  }
}

const LATENCY = 'tollcall_call_duration_seconds';
