/**
 * The workers of a shop: started together, each started again when it ends by itself, stopped
 * together.
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { Fault, asFault } from '../../base/fault/index.ts';
import type { Log } from '../../base/log/index.ts';
import { systemClock } from '../../base/time/index.ts';
import type { LaneOwners } from '../../books/index.ts';
import type { Certificate, HttpDoor } from '../../door/http/index.ts';
import { WorkerFigures, type Figures } from '../../host/index.ts';
import { linkWorker, nodeChannel, type PrimaryLink } from '../../port/workers/index.ts';
import {
  FIGURES_MS,
  LEAVE_MS,
  MAX_RESTARTS,
  RESTART_PAUSE_MS,
  WORKER_ASK_MS,
  WORKER_FLUSH_MS,
  WORKER_SETTLED_MS,
  WORKER_SILENT_MS,
  WORKER_START_MS,
} from './limits.ts';
import { LINES, controlWorker, type WorkerControl, type WorkerStart } from './worker-line.ts';
import { endOf, startWorkerProcess } from './worker-process.ts';

/** What workers are started with. */
export interface ShopWorkersParts {
  readonly count: number;
  /** 0: any free one. */
  readonly port: number;
  /** What each begins with, besides its number and its log. */
  readonly start: Omit<WorkerStart, 'worker' | 'log'>;
  /** Modules that each loads first. */
  readonly preload: readonly string[];
  readonly owners: LaneOwners;
  /** What a worker asks for lanes: by default what the owners give it. */
  readonly wrap: (primary: PrimaryLink) => PrimaryLink;
  readonly log: Log;
  /** They end again and again: the host has to stop. */
  readonly onBroken: (fault: Fault) => void;
}

interface Running {
  readonly number: number;
  readonly child: ChildProcess;
  readonly control: WorkerControl;
  /** Since when it listens; 0 before. */
  sinceMs: number;
  /** Its process has ended, and its log is in the store. */
  readonly gone: Promise<void>;
  connections: number;
}

/** Workers that serve. */
export class ShopWorkers {
  readonly #parts: ShopWorkersParts;
  readonly #running = new Map<number, Running>();
  readonly #restarts = new Set<Promise<void>>();
  readonly #figures = new WorkerFigures();
  readonly #stopping = new AbortController();
  #certificate: Certificate | undefined;
  /** Starts of each in a row without a success. */
  readonly #failures = new Map<number, number>();
  #port = 0;
  #url = '';

  private constructor(parts: ShopWorkersParts) {
    this.#parts = parts;
    this.#certificate = parts.start.door.tls;
  }

  /**
   * Starts them; resolves when all listen.
   * @throws Fault `CONFIG_INVALID` for an address that is not free, a certificate that cannot be
   * used, services that cannot be loaded; `HOST_WORKERS`
   */
  static async open(parts: ShopWorkersParts): Promise<ShopWorkers> {
    const { start, port, count } = parts;
    if (start.door.tls !== undefined) checkCertificate(start.door.tls);
    // Said before anything is loaded.
    await freePort(start.door, port);
    const workers = new ShopWorkers(parts);
    try {
      await every(Array.from({ length: count }, (_, i) => workers.#start(i + 1)));
      // Chosen when they could listen at once, so that nobody else takes it.
      workers.#port = await freePort(start.door, port);
      await every([...workers.#running.values()].map((one) => workers.#listen(one)));
      return workers;
    } catch (error) {
      await workers.stop();
      throw error;
    }
  }

  /** The door that all of them keep. */
  get door(): HttpDoor {
    return {
      url: this.#url,
      port: this.#port,
      // As each last said.
      connections: () => [...this.#running.values()].reduce((sum, one) => sum + one.connections, 0),
      renew: (certificate) => this.#renew(certificate),
      close: () => this.stop(),
    };
  }

  /** The process of each, by their numbers. */
  get pids(): readonly number[] {
    const running = [...this.#running.values()].toSorted((a, b) => a.number - b.number);
    return running.flatMap(({ child }) => child.pid ?? []);
  }

  /** What all of them have counted; of one that does not answer in time, what it said before. */
  async figures(): Promise<readonly Figures[]> {
    const late = new AbortController();
    const asked = [...this.#running.values()].map(async (one) => {
      const { figures, connections } = await one.control.count();
      one.connections = connections;
      if (this.#running.get(one.number) === one) this.#figures.set(one.number, figures);
    });
    await Promise.race([
      Promise.allSettled(asked),
      systemClock.sleep(FIGURES_MS, late.signal).catch(() => undefined),
    ]);
    late.abort();
    return this.#figures.all();
  }

  /** Stops them: calls under way end within the grace, all that was answered is in the store. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#running.values()].map((one) => this.#stop(one)));
    await Promise.allSettled(this.#restarts);
  }

  async #stop({ number, child, control, gone }: Running): Promise<void> {
    const { stopGraceMs } = this.#parts.start.limits.host;
    const late = systemClock.timer(stopGraceMs + LEAVE_MS + WORKER_FLUSH_MS, () => {
      this.#parts.log.error('a worker did not stop in time; it is killed', { worker: number });
      child.kill('SIGKILL');
    });
    await control.stop().then(
      ({ figures }) => this.#figures.set(number, figures),
      () => undefined,
    );
    if (child.connected) child.disconnect();
    await gone.catch(() => undefined);
    late();
  }

  /** Loads it. @throws Fault why it cannot serve; its process has ended then */
  async #start(number: number): Promise<Running> {
    const { owners, wrap, preload, start } = this.#parts;
    const log = await owners.begin(number);
    let child: ChildProcess;
    try {
      child = startWorkerProcess(preload);
    } catch (error) {
      await owners.ended(number);
      throw error;
    }
    const { worker, serve } = linkWorker(nodeChannel(child, LINES.lanes), number);
    serve(wrap(owners.join(worker)));
    const control = controlWorker(nodeChannel(child, LINES.shop));
    const gone = endOf(child).then(() => owners.ended(number));
    gone.catch(() => undefined);
    const running: Running = { number, child, control, sinceMs: 0, gone, connections: 0 };
    this.#running.set(number, running);
    const { tls: _tls, ...address } = start.door;
    const door = { ...address, ...(this.#certificate && { tls: this.#certificate }) };
    await this.#inTime(running, () => control.start({ ...start, worker: number, log, door }));
    return running;
  }

  /** Lets it take connections. @throws Fault as `#start` */
  async #listen(running: Running): Promise<void> {
    this.#url = await this.#inTime(running, () => running.control.listen(this.#port));
    running.sinceMs = systemClock.monotonicMs();
    void this.#watch(running);
    void this.#ask(running);
  }

  /** One that hangs holds up whoever needs what it has not brought into the store. */
  async #ask({ number, child, control, gone }: Running): Promise<void> {
    const over = new AbortController();
    void gone.catch(() => undefined).then(() => over.abort());
    while (!over.signal.aborted) {
      const late = systemClock.timer(WORKER_SILENT_MS, () => {
        this.#parts.log.error('a worker does not answer; it is killed', { worker: number });
        child.kill('SIGKILL');
      });
      await control.count().catch(() => undefined);
      late();
      await systemClock.sleep(WORKER_ASK_MS, over.signal).catch(() => undefined);
    }
  }

  async #inTime<T>(running: Running, work: () => Promise<T>): Promise<T> {
    const { child, gone, number } = running;
    const late = systemClock.timer(WORKER_START_MS, () => void child.kill('SIGKILL'));
    try {
      // A process that could not be made answers nothing.
      const dead = gone.then(() => Promise.reject(new Fault('HOST_STOPPING')));
      return await Promise.race([work(), dead]);
    } catch (error) {
      const ended = asFault(error).code === 'HOST_STOPPING';
      child.kill('SIGKILL');
      await gone;
      this.#leave(running);
      if (!ended) throw error;
      const reason = `worker ${number} ended as it started: ${endText(child)}`;
      throw new Fault('HOST_WORKERS', { reason }, error);
    } finally {
      late();
    }
  }

  async #watch(running: Running): Promise<void> {
    const { number, gone, child, sinceMs } = running;
    // When its log cannot be read, the books are broken, and say so.
    const read = await gone.then(
      () => true,
      () => false,
    );
    this.#leave(running);
    if (!read || this.#stopping.signal.aborted) return;
    const livedMs = systemClock.monotonicMs() - sinceMs;
    this.#parts.log.error('a worker has ended; another one takes its place', {
      worker: number,
      reason: endText(child),
      durationMs: Math.round(livedMs),
    });
    if (livedMs >= WORKER_SETTLED_MS) this.#failures.delete(number);
    const restart = this.#restart(number).finally(() => this.#restarts.delete(restart));
    this.#restarts.add(restart);
  }

  async #restart(number: number): Promise<void> {
    const { signal } = this.#stopping;
    for (let cause: unknown; !signal.aborted;) {
      const failures = this.#failures.get(number) ?? 0;
      this.#failures.set(number, failures + 1);
      if (failures >= MAX_RESTARTS) {
        const reason = `worker ${number} ends again and again`;
        return this.#parts.onBroken(new Fault('HOST_WORKERS', { reason }, cause));
      }
      const pauseMs = failures === 0 ? 0 : RESTART_PAUSE_MS * 2 ** (failures - 1);
      await systemClock.sleep(pauseMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        return await this.#listen(await this.#start(number));
      } catch (error) {
        cause = error;
        if (signal.aborted) return;
        this.#parts.log.error('a worker could not be started', { worker: number }, error);
      }
    }
  }

  #leave(running: Running): void {
    if (this.#running.get(running.number) !== running) return;
    this.#running.delete(running.number);
    this.#figures.ended(running.number);
  }

  #renew(certificate: Certificate): void {
    checkCertificate(certificate);
    this.#certificate = certificate;
    for (const { control, number } of this.#running.values()) {
      control.renew(certificate).catch((error: unknown) => {
        this.#parts.log.error('a worker keeps the old certificate', { worker: number }, error);
      });
    }
  }
}

/** @throws Fault `CONFIG_INVALID` */
function checkCertificate({ cert, key }: Certificate): void {
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const problem = 'the certificate and the private key cannot be used';
    throw new Fault('CONFIG_INVALID', { problem }, error);
  }
}

function endText({ signalCode, exitCode }: ChildProcess): string {
  return signalCode ?? `code ${exitCode}`;
}

/** All, or the first reason why not, once each has ended. */
async function every(all: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(all)).find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/**
 * Checks that an address is free, also of other hosts of this program: their workers would share
 * it. Gives the port, also for port 0.
 * @throws Fault `CONFIG_INVALID`
 */
async function freePort({ address }: WorkerStart['door'], port: number): Promise<number> {
  const server = createServer();
  try {
    return await new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port }, () => {
        resolve((server.address() as AddressInfo).port);
      });
    });
  } catch (error) {
    const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    const problem = inUse ? 'address in use' : 'cannot listen';
    throw new Fault('CONFIG_INVALID', { port, problem }, asFault(error));
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
