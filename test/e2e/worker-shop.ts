/**
 * A host with workers in one process: a primary and its workers, each with its own core and doors,
 * over real Unix sockets. Lanes are real; a worker's log is the store itself, so that what it has
 * written is folded at once.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { WorkerLanes } from '../../src/books/index.ts';
import {
  openHttpDoor,
  openInnerDoor,
  openPassage,
  type HttpDoor,
  type InnerDoor,
  type OpenPassage,
} from '../../src/door/http/index.ts';
import {
  openWorkerHost,
  type HostLimits,
  type Passage,
  type WorkerHost,
} from '../../src/host/index.ts';
import type { HostStore } from '../../src/port/store/index.ts';
import { channelPair, linkPrimary, linkWorker } from '../../src/port/workers/index.ts';
import { fixtureHostKeys } from '../fixtures/keys.ts';
import { openShop, type TestShop, type TestShopOptions } from './shop.ts';

/** One worker. */
export interface TestWorker {
  readonly number: number;
  /** Its public door. */
  readonly url: string;
  readonly host: WorkerHost;
  readonly lanes: WorkerLanes;
  /** The same shop, entered by this worker's door. */
  readonly shop: TestShop;
  /**
   * The process is gone, as if killed: nothing more is answered, written or heard of it. Resolves
   * when the primary knows.
   */
  kill(): Promise<void>;
  /** The same, once what it writes next is durable; before anybody hears of it. */
  killWritten(): Promise<void>;
}

/** A shop and its workers, numbered from 1 on. */
export interface WorkerShop {
  readonly shop: TestShop;
  readonly workers: readonly [TestWorker, TestWorker];
  /** The way to the inner door of a process, the primary being 0. */
  passage(process: number): Passage;
  /** The primary takes no more requests. */
  closePrimaryDoor(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a shop with two workers. */
export async function openWorkerShop(
  options: TestShopOptions & { readonly workerLimits?: Partial<HostLimits> } = {},
): Promise<WorkerShop> {
  const { workerLimits = {}, ...rest } = options;
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-'));
  const socketOf = (process: number): string => join(dir, 'sockets', `${process}.sock`);
  const passages: OpenPassage[] = [];
  const passage = (process: number): OpenPassage => {
    const open = openPassage(socketOf(process));
    passages.push(open);
    return open;
  };
  const shop = await openShop({ ...rest, wrap: withoutLogs });
  const inner = await openInnerDoor(shop.host, { path: socketOf(0) }, silentLog);
  const parts: Parts = { shop, socketOf, passage, limits: workerLimits };
  const workers = [await openWorker(1, parts), await openWorker(2, parts)] as const;
  return {
    shop,
    workers: [workers[0].worker, workers[1].worker],
    passage,
    closePrimaryDoor: () => inner.close(0),
    close: async () => {
      for (const { close } of workers) await close();
      for (const open of passages) await open.close();
      await inner.close(0);
      await shop.close();
      rmSync(dir, { recursive: true });
    },
  };
}

interface Parts {
  readonly shop: TestShop;
  readonly socketOf: (process: number) => string;
  readonly passage: (process: number) => OpenPassage;
  readonly limits: Partial<HostLimits>;
}

async function openWorker(
  number: number,
  { shop, socketOf, passage, limits }: Parts,
): Promise<{ readonly worker: TestWorker; readonly close: () => Promise<void> }> {
  const { owners } = shop.books;
  await owners.begin(number);
  const { ends, cut } = channelPair();
  const near = linkWorker(ends[0], number);
  near.serve(owners.join(near.worker));
  const far = linkPrimary(ends[1], () => undefined);
  let dead = false;
  let written: (() => void) | undefined;
  const lanes = new WorkerLanes({
    primary: far.primary,
    log: {
      commitLanes: async (images, extra) => {
        if (dead) return new Promise(() => undefined);
        const results = await shop.store.commitLanes(images, extra);
        if (written === undefined) return results;
        written();
        return new Promise(() => undefined);
      },
      flush: async () => undefined,
      close: async () => undefined,
    },
    clock: systemClock,
    onBroken: (fault) => assert.fail(fault),
  });
  far.serve(lanes);
  const peers = [passage(0), passage(1), passage(2)];
  const host = openWorkerHost({
    worker: number,
    keys: await fixtureHostKeys(),
    lanes: lanes.lanes,
    letGo: (lane) => lanes.letGo(lane),
    services: shop.services,
    clock: systemClock,
    log: silentLog,
    limits,
    primary: peers[0] ?? assert.fail(),
    peer: (other) => peers[other] ?? assert.fail(),
  });
  const inner = await openInnerDoor(host, { path: socketOf(number) }, silentLog);
  const door = await openHttpDoor(host, { address: '127.0.0.1', port: 0 }, silentLog);
  const leave = async (): Promise<void> => {
    if (dead) return;
    dead = true;
    cut();
    await closeDoors(door, inner);
    await owners.ended(number);
  };
  const worker: TestWorker = {
    number,
    url: door.url,
    host,
    lanes,
    shop: { ...shop, url: door.url },
    kill: leave,
    killWritten: async () => {
      await new Promise<void>((resolve) => (written = resolve));
      await leave();
    },
  };
  const close = async (): Promise<void> => {
    if (!dead) await host.close();
    await leave();
  };
  return { worker, close };
}

async function closeDoors(door: HttpDoor, inner: InnerDoor): Promise<void> {
  await Promise.all([door.close(0), inner.close(0)]);
}

/** Each write of a worker is in the store when it is durable: there is nothing to fold. */
function withoutLogs(store: HostStore): HostStore {
  return {
    ...store,
    openLaneLog: async () => ({ file: '', id: new Uint8Array(16) }),
    foldLanes: async () => msat(0n),
    closeLaneLog: async () => msat(0n),
  };
}
