/**
 * A worker of a shop, from its start to its end: it serves calls over the lanes that it takes from
 * its primary, and passes on everything else.
 * @module
 */
import { Fault, isFault } from '../../base/fault/index.ts';
import { openLog, type Log } from '../../base/log/index.ts';
import { systemClock } from '../../base/time/index.ts';
import { WorkerLanes, type WorkerLog } from '../../books/index.ts';
import {
  openHttpDoor,
  openInnerDoor,
  openPassage,
  type Certificate,
  type HttpDoor,
  type InnerDoor,
  type OpenPassage,
} from '../../door/http/index.ts';
import {
  CallMeter,
  CommitMeter,
  openWorkerHost,
  processFigures,
  type Service,
  type WorkerHost,
} from '../../host/index.ts';
import { openWorkerLog } from '../../port/store/index.ts';
import { linkPrimary, type Channel, type PrimaryLink } from '../../port/workers/index.ts';
import { LEAVE_MS, MAX_WORKERS } from './limits.ts';
import type { WorkerControl, WorkerCount, WorkerStart } from './worker-line.ts';
import { socketOf } from './worker-sockets.ts';

/** What is open in a worker. */
interface Open {
  readonly start: WorkerStart;
  readonly log: Log;
  readonly lanes: WorkerLanes;
  readonly passages: Passages;
  readonly host: WorkerHost;
  readonly inner: InnerDoor;
  readonly figures: ReturnType<typeof processFigures>;
}

/** A worker, as its shop steers it. */
export class WorkerRoom implements WorkerControl {
  readonly #primary: PrimaryLink;
  readonly #serve: ReturnType<typeof linkPrimary>['serve'];
  readonly #exit: (code: number) => never;
  #open: Open | undefined;
  #door: HttpDoor | undefined;

  /** @param lanes the line about lanes; when it closes, the process ends */
  constructor(lanes: Channel, exit: (code: number) => never) {
    this.#exit = exit;
    const { primary, serve } = linkPrimary(lanes, () => exit(0));
    this.#primary = primary;
    this.#serve = serve;
    // It has no lanes before its start.
    serve({ flush: async () => [], close: async () => undefined });
  }

  async start(start: WorkerStart): Promise<void> {
    const { worker, limits, sockets } = start;
    const log = openLog(start.logLevel);
    const services = await loadServices(start);
    const meter = new CallMeter(services.map(({ name }) => name));
    const commits = new CommitMeter(systemClock);
    const lanes = await this.#openLanes(start, commits, log);
    const passages = new Passages(sockets);
    const host = openWorkerHost({
      worker,
      keys: start.keys,
      lanes: lanes.lanes,
      letGo: (lane) => lanes.letGo(lane),
      services,
      clock: systemClock,
      log,
      limits: limits.host,
      ...(start.measured && { meter }),
      primary: passages.to(0),
      peer: (other) => passages.to(other),
    });
    const inner = await openInnerDoor(host, { path: socketOf(sockets, worker) }, log);
    const figures = processFigures({
      meter,
      commits,
      runningCalls: () => host.state().runningCalls,
      connections: () => this.#door?.connections() ?? 0,
      name: `worker-${worker}`,
    });
    this.#open = { start, log, lanes, passages, host, inner, figures };
  }

  async listen(port: number): Promise<string> {
    const { start, host, log } = this.#opened();
    const { door, limits } = start;
    const { bodyBytes } = limits.host;
    const at = { ...door, port, shared: true, limits: limits.door, bodyBytes };
    this.#door = await openHttpDoor(host, at, log);
    return this.#door.url;
  }

  async renew(certificate: Certificate): Promise<void> {
    this.#door?.renew(certificate);
  }

  async count(): Promise<WorkerCount> {
    const figures = await this.#opened().figures.getMetricsAsJSON();
    return { figures, connections: this.#door?.connections() ?? 0 };
  }

  async stop(): Promise<WorkerCount> {
    if (this.#open === undefined) return this.#exit(0);
    const { start, host, inner, lanes, passages } = this.#open;
    const leaveMs = start.limits.host.stopGraceMs + LEAVE_MS;
    // Together: the door waits for answers that are still made.
    await Promise.all([host.close(), this.#door?.close(leaveMs)]);
    await inner.close(LEAVE_MS);
    await lanes.stop();
    await passages.close();
    return this.count();
  }

  #opened(): Open {
    if (this.#open === undefined) throw new Error('invariant: a worker is started first');
    return this.#open;
  }

  async #openLanes(start: WorkerStart, commits: CommitMeter, log: Log): Promise<WorkerLanes> {
    const file = await openWorkerLog(start.log, this.#primary);
    const { commitLanes } = commits.watch({
      commitLanes: (...images: Parameters<WorkerLog['commitLanes']>) => file.commitLanes(...images),
    });
    const lanes = new WorkerLanes({
      primary: this.#primary,
      log: {
        commitLanes,
        gather: async () => file.gather?.(),
        flush: (...lanes) => file.flush(...lanes),
        close: () => file.close(),
      },
      clock: systemClock,
      limits: start.limits.books,
      onBroken: (fault) => {
        log.error('a write of the lanes failed; all answers are withheld', {}, fault);
        this.#exit(1);
      },
    });
    this.#serve(lanes);
    return lanes;
  }
}

/** The ways to the other processes, each made when it is first needed. */
class Passages {
  readonly #dir: string;
  readonly #open = new Map<number, OpenPassage>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The primary is 0. */
  to(process: number): OpenPassage {
    if (process > MAX_WORKERS) throw new Error('invariant: there is no such worker');
    const open = this.#open.get(process) ?? openPassage(socketOf(this.#dir, process));
    this.#open.set(process, open);
    return open;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((passage) => passage.close()));
  }
}

/** @throws Fault `CONFIG_INVALID` when the module has other services than the primary */
async function loadServices({ services: url, sold }: WorkerStart): Promise<readonly Service[]> {
  const services = servicesOf(await importModule(url));
  const names = services?.map(({ name }) => name) ?? [];
  if (services !== undefined && names.join(' ') === sold.join(' ')) return services;
  const found = names.join(', ') || 'no services';
  throw invalid(`the module has ${found}; the host sells ${sold.join(', ')}`);
}

async function importModule(url: string): Promise<ServiceModule> {
  try {
    return (await import(url)) as ServiceModule;
  } catch (error) {
    if (isFault(error)) throw error;
    const [first = ''] = error instanceof Error ? error.message.split('\n') : [];
    throw invalid(`it cannot be loaded: ${first}`);
  }
}

interface ServiceModule {
  readonly default?: unknown;
  readonly services?: unknown;
}

/** The list is what the module exports, or part of that: of a configuration. */
function servicesOf({ default: value, services }: ServiceModule): readonly Service[] | undefined {
  const list = Array.isArray(value)
    ? value
    : (services ?? (Object(value) as ServiceModule).services);
  return Array.isArray(list) ? (list as readonly Service[]) : undefined;
}

function invalid(problem: string): Fault {
  return new Fault('CONFIG_INVALID', { problems: [`workers.services: ${problem}`] });
}
