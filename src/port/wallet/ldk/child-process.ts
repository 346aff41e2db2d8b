/**
 * Keeps the process of a node running: starts it, and starts it again when it ends unasked.
 * @module
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Fault, isFault, type FaultDetail } from '../../../base/fault/index.ts';
import type { Log } from '../../../base/log/index.ts';
import { moduleBeside } from '../../../base/module/index.ts';
import type { Clock } from '../../../base/time/index.ts';
import type { NodeMethods, StartOptions, Started, WalletMethods } from './api.ts';
import { openRpc, type Message, type Rpc } from './rpc.ts';
import { watchdog } from './watchdog.ts';

const ENTRY = moduleBeside(import.meta.url, './child');
const FIRST_BACKOFF_MS = 20;
const MAX_BACKOFF_MS = 5000;
const MAX_LAUNCHES = 8;
const STOP_MS = 5000;

/** What a node's process needs. */
export interface ChildOptions {
  readonly start: StartOptions;
  readonly local: WalletMethods;
  readonly clock: Clock;
  readonly log: Log;
  /** It runs again after it ended unasked. */
  readonly onRestart: (started: Started) => void;
}

/** A node's process. */
export interface NodeProcess {
  readonly started: Started;
  /** The line to the running process; waits while it restarts. @throws Fault `WALLET_STOPPED` */
  line(): Promise<Rpc<NodeMethods>>;
  /** Ends the process at once, as a power cut would; it is started again. */
  kill(): Promise<void>;
  /** Stops the process without ending it: it answers nothing any more. */
  freeze(): Promise<void>;
  close(): Promise<void>;
}

interface Running {
  readonly child: ChildProcess;
  readonly rpc: Rpc<NodeMethods>;
  readonly started: Started;
  readonly ended: Promise<void>;
}

/** Starts the process. @throws the Fault with which the first start failed */
export async function openNodeProcess(options: ChildOptions): Promise<NodeProcess> {
  const keeper = new Keeper(options);
  await keeper.open();
  return keeper;
}

class Keeper implements NodeProcess {
  readonly #options: ChildOptions;
  #running: Promise<Running>;
  #started: Started | undefined;
  #closed = false;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.#running = launch(options);
  }

  get started(): Started {
    if (!this.#started) throw new Fault('WALLET_STOPPED');
    return this.#started;
  }

  async open(): Promise<void> {
    const running = await this.#running;
    this.#started = running.started;
    void this.#keep(running);
  }

  async line(): Promise<Rpc<NodeMethods>> {
    if (this.#closed) throw new Fault('WALLET_STOPPED');
    return (await this.#running).rpc;
  }

  async kill(): Promise<void> {
    const { child, ended } = await this.#running;
    child.kill('SIGKILL');
    await ended;
  }

  async freeze(): Promise<void> {
    (await this.#running).child.kill('SIGSTOP');
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const running = await this.#running.catch(() => undefined);
    if (!running) return;
    const { child, rpc, ended } = running;
    const cancel = this.#options.clock.timer(STOP_MS, () => child.kill('SIGKILL'));
    await rpc.call('stop').catch(() => undefined);
    if (child.connected) child.disconnect();
    await ended;
    cancel();
  }

  async #keep(first: Running): Promise<void> {
    const { log, onRestart } = this.#options;
    let running = first;
    for (;;) {
      await running.ended;
      if (this.#closed) return;
      log.warn('wallet process ended', { pid: running.child.pid });
      this.#running = this.#relaunch();
      const next = await this.#running.catch(() => undefined);
      if (!next) return;
      running = next;
      this.#started = next.started;
      if (!this.#closed) onRestart(next.started);
    }
  }

  async #relaunch(): Promise<Running> {
    const { clock, log } = this.#options;
    for (let launches = 1; ; launches++) {
      await clock.sleep(Math.min(FIRST_BACKOFF_MS * 2 ** (launches - 1), MAX_BACKOFF_MS));
      if (this.#closed) throw new Fault('WALLET_STOPPED');
      try {
        return await launch(this.#options);
      } catch (error) {
        log.error('wallet process does not start', {}, error);
        if (launches === MAX_LAUNCHES) throw new Fault('WALLET_BROKEN', {}, error);
      }
    }
  }
}

async function launch({ start, local, clock, log }: ChildOptions): Promise<Running> {
  const child = fork(fileURLToPath(ENTRY), [], {
    serialization: 'advanced',
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit').then(() => undefined);
  let unanswered: FaultDetail = {};
  const watch = watchdog({
    clock,
    ping: () => rpc.call('ping'),
    hung: (method) => {
      unanswered = { unanswered: method };
      log.error('wallet process does not answer; it is started again', unanswered);
      child.kill('SIGKILL');
    },
  });
  const rpc: Rpc<NodeMethods> = openRpc<NodeMethods, WalletMethods>({
    local,
    // The end of the process is told by its exit, not by a message that no longer reaches it.
    send: (message) => child.send(message, () => undefined),
    nowMs: () => clock.now(),
    watch,
  });
  child.on('message', (message) => rpc.receive(message as Message));
  child.on('error', () => child.kill('SIGKILL'));
  void ended.then(() => rpc.end(new Fault('WALLET_STOPPED', unanswered)));
  try {
    return { child, rpc, started: await rpc.call('start', start), ended };
  } catch (error) {
    child.kill('SIGKILL');
    await ended;
    // It ended while it started: that is no stop anybody asked for.
    throw isFault(error) && error.code === 'WALLET_STOPPED'
      ? new Fault('WALLET_BROKEN', {}, error)
      : error;
  }
}
