/**
 * What a host shows to Prometheus, all of its processes together. Everything but commits is counted
 * elsewhere and read when somebody looks; labels are names of services that are sold, and fixed
 * words.
 * @module
 */
import { Gauge, type Registry } from 'prom-client';
import { utf8 } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Sheet } from '../pay/ledger/index.ts';
import type { HostStoreFile } from '../port/store/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { addGauge, processFigures, sumFigures, type CommitMeter, type Figures } from './figures.ts';
import type { Host } from './host.ts';
import { SHEET_EVERY_MS, WALLET_ASK_MS } from './limits.ts';
import { problemResponse, type HostRequest, type HostResponse } from './message.ts';
import type { CallMeter } from './meter.ts';

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
  /** Where there are other processes: what they count. */
  readonly workers?: () => Promise<readonly Figures[]>;
}

/** Answers `GET /metrics` and nothing else: for an address of its own, as money is private. */
export class Metrics {
  readonly #registry: Registry;
  readonly #workers: MetricsParts['workers'];

  constructor(parts: MetricsParts) {
    const { host, workers } = parts;
    this.#workers = workers;
    this.#registry = processFigures({
      ...parts,
      runningCalls: () => host.state().runningCalls,
      ...(workers && { name: 'primary' }),
    });
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
      return { status: 200, headers, body: utf8(await this.#text()) };
    } catch (error) {
      return problemResponse(asFault(error));
    }
  }

  /** Of all processes together. */
  async #text(): Promise<string> {
    if (this.#workers === undefined) return this.#registry.metrics();
    const [own, others] = await Promise.all([this.#registry.getMetricsAsJSON(), this.#workers()]);
    // When the primary began is when the host did.
    const first = own.map((figure) =>
      figure.aggregator === 'omit' ? { ...figure, aggregator: 'first' as const } : figure,
    );
    return sumFigures([first, ...others]).metrics();
  }

  #state({ host, store, clock }: MetricsParts): void {
    addGauge(
      this.#registry,
      'tollcall_unpaid_setups',
      'Invoices that can still be paid, and set-ups.',
      () => {
        return host.state().unpaidSetups;
      },
    );
    addGauge(
      this.#registry,
      'tollcall_books_up',
      'The books can be written.',
      () => +host.state().booksOpen,
    );
    addGauge(this.#registry, 'tollcall_wallet_up', 'The wallet has answered lately.', () => {
      return +host.state().walletAnswers;
    });
    const count = every(clock, () => store.openSessions(clock.now()));
    addGauge(this.#registry, 'tollcall_open_sessions', 'Paid and not expired.', count);
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
}

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
