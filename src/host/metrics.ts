/**
 * What a host shows to Prometheus. Everything but commits is counted elsewhere and read when
 * somebody looks; labels are names of services that are sold, and fixed words.
 * @module
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { utf8 } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Sheet } from '../pay/ledger/index.ts';
import type { HostStoreFile } from '../port/store/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import type { Host } from './host.ts';
import { SHEET_EVERY_MS, WALLET_ASK_MS } from './limits.ts';
import { problemResponse, type HostRequest, type HostResponse } from './message.ts';
import { LATENCY_MS, OUTCOMES, type CallMeter } from './meter.ts';

/** Where the figures come from. */
export interface MetricsParts {
  readonly host: Pick<Host, 'state'>;
  readonly meter: CallMeter;
  readonly commits: CommitMeter;
  readonly sheet: () => Promise<Sheet>;
  readonly store: Pick<HostStoreFile, 'openSessions'>;
  readonly wallet: Pick<Wallet, 'balance'>;
  /** Open connections of the public door. */
  readonly connections: () => number;
  readonly clock: Clock;
}

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
  watch<Store extends Pick<HostStoreFile, 'commit' | 'commitLanes'>>(store: Store): Store {
    return {
      ...store,
      commit: (groups) => this.#time(() => store.commit(groups)),
      commitLanes: (images) => this.#time(() => store.commitLanes(images)),
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

/** Answers `GET /metrics` and nothing else: for an address of its own, as money is private. */
export class Metrics {
  readonly #registry = new Registry();

  constructor(parts: MetricsParts) {
    const { commits, meter } = parts;
    // CPU, memory, open files, garbage collection, and how late the event loop is.
    collectDefaultMetrics({ register: this.#registry });
    this.#registry.registerMetric(new CallCounts(meter));
    this.#registry.registerMetric(new CallLatency(meter));
    this.#registry.registerMetric(commits.seconds);
    this.#registry.registerMetric(commits.groups);
    this.#state(parts);
    this.#money(parts);
    this.#wallet(parts);
  }

  /** Answers a request. Never rejects. */
  async handle(request: HostRequest): Promise<HostResponse> {
    try {
      if (request.path !== '/metrics') throw new Fault('REQUEST_UNKNOWN');
      if (request.method !== 'GET') throw new Fault('REQUEST_METHOD', { allow: 'GET' });
      const headers = { 'content-type': this.#registry.contentType, 'cache-control': 'no-store' };
      return { status: 200, headers, body: utf8(await this.#registry.metrics()) };
    } catch (error) {
      return problemResponse(asFault(error));
    }
  }

  #state({ host, store, connections, clock }: MetricsParts): void {
    this.#gauge('tollcall_running_calls', 'Calls under way.', () => host.state().runningCalls);
    this.#gauge('tollcall_unpaid_setups', 'Invoices that can still be paid, and set-ups.', () => {
      return host.state().unpaidSetups;
    });
    this.#gauge('tollcall_connections', 'Open connections of the public door.', connections);
    this.#gauge('tollcall_books_up', 'The books can be written.', () => +host.state().booksOpen);
    this.#gauge('tollcall_wallet_up', 'The wallet has answered lately.', () => {
      return +host.state().walletAnswers;
    });
    const count = every(clock, () => store.openSessions(clock.now()));
    this.#gauge('tollcall_open_sessions', 'Paid and not expired.', count);
  }

  #money({ sheet, clock }: MetricsParts): void {
    const read = every(clock, sheet);
    const gauge: Gauge = new Gauge({
      name: 'tollcall_books_sats',
      help: 'The balance sheet: received is the sum of all others.',
      labelNames: ['account'],
      registers: [this.#registry],
      collect: async () => {
        gauge.reset();
        for (const [account, amountMsat] of Object.entries(await read())) {
          gauge.set({ account: snake(account) }, Number(amountMsat) / 1000);
        }
      },
    });
  }

  #wallet({ wallet, clock }: MetricsParts): void {
    const gauge: Gauge = new Gauge({
      name: 'tollcall_wallet_sats',
      help: 'What the wallet could send and receive over Lightning.',
      labelNames: ['direction'],
      registers: [this.#registry],
      collect: async () => {
        gauge.reset();
        const late = new AbortController();
        const balance = await Promise.race([
          wallet.balance().catch(() => undefined),
          clock.sleep(WALLET_ASK_MS, late.signal).catch(() => undefined),
        ]);
        late.abort();
        // A wallet that does not answer has no figures.
        if (!balance) return;
        gauge.set({ direction: 'send' }, Number(balance.sendableMsat) / 1000);
        gauge.set({ direction: 'receive' }, Number(balance.receivableMsat) / 1000);
      },
    });
  }

  #gauge(name: string, help: string, read: () => number | Promise<number>): void {
    const registers = [this.#registry];
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers,
      collect: async () => gauge.set(await read()),
    });
  }
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

  /** What the registry prints. */
  async getForPromString() {
    const values = this.#meter.rows().flatMap(([service, { latency, latencySumMs }]) => {
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
    return { name: LATENCY, help: 'From the credential to the answer.', type: 'histogram', values };
  }
}

const LATENCY = 'tollcall_call_duration_seconds';

/** Reads rows of all sessions: not for each who looks. */
function every<T>(clock: Clock, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly atMs: number; readonly value: Promise<T> } | undefined;
  return () => {
    const atMs = clock.monotonicMs();
    if (last === undefined || atMs - last.atMs >= SHEET_EVERY_MS) {
      last = { atMs, value: read() };
      last.value.catch(() => (last = undefined));
    }
    return last.value;
  };
}

/** `refundFeesMsat` is `refund_fees`. */
function snake(name: string): string {
  return name.replace(/Msat$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
