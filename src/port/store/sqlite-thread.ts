/**
 * The host's store in a thread of its own, so that a commit does not hold up the calls under way.
 * @module
 */
import { Worker } from 'node:worker_threads';
import { Fault, isFaultCode, type FaultDetail } from '../../base/fault/index.ts';
import { moduleBeside } from '../../base/module/index.ts';
import type { HostStoreFile } from './backup.ts';
import type { HostStoreOptions } from './host-store.ts';
import { packCommit, unpackResults } from './packed-images.ts';
import type { HostCore } from './sqlite-host.ts';

/** What the thread is told. */
export interface WorkerRequest {
  readonly id: number;
  readonly method: keyof HostCore;
  readonly args: readonly unknown[];
}

/** What the thread answers; `id` 0 says whether the file could be opened. */
export type WorkerReply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | {
      readonly id: number;
      readonly ok: false;
      readonly code: string;
      readonly facts: FaultDetail;
      readonly reason: string;
    };

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Starts the thread; resolves once the file is open. @throws the faults of opening a store */
export async function openHostThread(options: HostStoreOptions): Promise<HostStoreFile> {
  const thread = new StoreThread(options);
  await thread.ready;
  return {
    // After all sockets that are readable now: their calls go into the same commit.
    gather: () => new Promise((resolve) => setImmediate(resolve)),
    commit: async (groups) =>
      unpackResults(groups, await thread.call('commitPacked', [packCommit(groups)])),
    commitLanes: (images, extra) => thread.call('commitLanes', [images, extra]),
    takeLanes: (lanes) => thread.call('takeLanes', [lanes]),
    openLaneLog: (worker) => thread.call('openLaneLog', [worker]),
    foldLanes: (worker, fold) => thread.call('foldLanes', [worker, fold]),
    closeLaneLog: (worker) => thread.call('closeLaneLog', [worker]),
    storedLaneAnswer: (lane, n) => thread.call('storedLaneAnswer', [lane, n]),
    lanesOf: (session) => thread.call('lanesOf', [session]),
    session: (session) => thread.call('session', [session]),
    sessionBySetup: (setup) => thread.call('sessionBySetup', [setup]),
    sessionByPaymentHash: (paymentHash) => thread.call('sessionByPaymentHash', [paymentHash]),
    sessionsAfter: (position, limit) => thread.call('sessionsAfter', [position, limit]),
    transfersAfter: (position, limit) => thread.call('transfersAfter', [position, limit]),
    startedSessions: () => thread.call('startedSessions', []),
    unpaidSessions: (nowMs) => thread.call('unpaidSessions', [nowMs]),
    lapse: (lapse) => thread.call('lapse', [lapse]),
    topUp: (session, id) => thread.call('topUp', [session, id]),
    topUpByPaymentHash: (paymentHash) => thread.call('topUpByPaymentHash', [paymentHash]),
    unpaidTopUps: (nowMs) => thread.call('unpaidTopUps', [nowMs]),
    refund: (paymentHash) => thread.call('refund', [paymentHash]),
    openRefunds: () => thread.call('openRefunds', []),
    refundTotals: (session) => thread.call('refundTotals', [session]),
    prepaidMsat: (payer) => thread.call('prepaidMsat', [payer]),
    attributable: () => thread.call('attributable', []),
    expiredSessions: (beforeMs, limit) => thread.call('expiredSessions', [beforeMs, limit]),
    storedAnswer: (session, n) => thread.call('storedAnswer', [session, n]),
    account: (id) => thread.call('account', [id]),
    transfer: (id) => thread.call('transfer', [id]),
    walletCursor: () => thread.call('walletCursor', []),
    openSessions: (nowMs) => thread.call('openSessions', [nowMs]),
    sheet: () => thread.call('sheet', []),
    audit: () => thread.call('audit', []),
    backup: (file) => thread.call('backup', [file]),
    close: () => thread.close(),
  };
}

class StoreThread {
  readonly ready: Promise<unknown>;
  readonly #ended: Promise<void>;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #closing = false;
  #gone: Fault | undefined;

  constructor(options: HostStoreOptions) {
    const module = moduleBeside(import.meta.url, './sqlite-worker');
    this.#worker = new Worker(module, { workerData: options });
    this.ready = this.#expect(0);
    this.#worker.on('message', (reply: WorkerReply) => this.#answer(reply));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#fail(undefined);
        resolve();
      });
    });
  }

  call<M extends keyof HostCore>(
    method: M,
    args: Parameters<HostCore[M]>,
  ): Promise<ReturnType<HostCore[M]>> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const id = ++this.#lastId;
    const request: WorkerRequest = { id, method, args };
    const result = this.#expect(id);
    this.#worker.postMessage(request);
    return result as Promise<ReturnType<HostCore[M]>>;
  }

  /** Closes the file, then waits until the thread has ended. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.call('close', []);
    await this.#ended;
  }

  #expect(id: number): Promise<unknown> {
    // An idle thread does not keep the process alive, an unanswered question does.
    if (this.#waiting.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #answer(reply: WorkerReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0 && !this.#closing) this.#worker.unref();
    if (reply.ok) waiting?.resolve(reply.value);
    else waiting?.reject(faultOf(reply));
  }

  /** The thread is gone: whatever it was asked has an unknown outcome. */
  #fail(error: unknown): void {
    this.#gone ??= new Fault('STORE_FAILED', { reason: 'the writer thread has ended' }, error);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#gone);
    this.#waiting.clear();
  }
}

function faultOf(reply: WorkerReply & { readonly ok: false }): Fault {
  const code = isFaultCode(reply.code) ? reply.code : 'STORE_FAILED';
  return new Fault(code, reply.facts, new Error(reply.reason));
}
