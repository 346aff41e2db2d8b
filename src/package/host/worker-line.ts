/**
 * What a shop and its workers say to each other besides what is said about lanes.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import type { LogLevel } from '../../base/log/index.ts';
import type { Certificate, DoorAddress } from '../../door/http/index.ts';
import type { Figures, KeyNames } from '../../host/index.ts';
import type { LaneLogPlace } from '../../port/store/index.ts';
import { Questions, type Channel } from '../../port/workers/index.ts';
import type { WorkerLimits } from './worker-share.ts';

/** The names of the two lines that one channel carries. */
export const LINES = { shop: 'shop', lanes: 'lanes' } as const;

/** What a worker begins with. */
export interface WorkerStart {
  /** From 1 on. */
  readonly worker: number;
  /** The address of the module that has the services. */
  readonly services: string;
  /** Those of them that the primary sells, in its order. */
  readonly sold: readonly string[];
  readonly door: Omit<DoorAddress, 'port' | 'limits' | 'bodyBytes'>;
  readonly limits: WorkerLimits;
  /** The directory of the sockets. */
  readonly sockets: string;
  readonly log: LaneLogPlace;
  readonly keys: KeyNames;
  readonly logLevel: LogLevel;
  /** Somebody looks at what it counts. */
  readonly measured: boolean;
}

/** What a worker counts, and its open connections. */
export interface WorkerCount {
  readonly figures: Figures;
  readonly connections: number;
}

/** What a shop asks of a worker. */
export interface WorkerControl {
  /** Resolves when it could listen. @throws Fault why it cannot serve */
  start(start: WorkerStart): Promise<void>;
  /** Takes connections from now on; gives its address. @throws Fault `CONFIG_INVALID` */
  listen(port: number): Promise<string>;
  renew(certificate: Certificate): Promise<void>;
  count(): Promise<WorkerCount>;
  /**
   * Takes no more calls, lets those under way end within `stopGraceMs`, and brings what they cost
   * into the store; with what it has counted at the end.
   */
  stop(): Promise<WorkerCount>;
}

/** The shop's end of the line. What waits for an answer when the worker ends is rejected. */
export function controlWorker(channel: Channel): WorkerControl {
  const gone = (): Fault => new Fault('HOST_STOPPING', { reason: 'the worker has ended' });
  const line: Questions = new Questions(channel, () => line.end(gone()));
  return {
    start: (start) => line.ask('start', start),
    listen: (port) => line.ask('listen', port),
    renew: (certificate) => line.ask('renew', certificate),
    count: () => line.ask('count'),
    stop: () => line.ask('stop'),
  };
}

/** The worker's end. */
export function serveShop(channel: Channel, control: WorkerControl): void {
  const line = new Questions(channel, () => undefined);
  line.serve({
    start: (start: WorkerStart) => control.start(start),
    listen: (port: number) => control.listen(port),
    renew: (certificate: Certificate) => control.renew(certificate),
    count: () => control.count(),
    stop: () => control.stop(),
  });
}
