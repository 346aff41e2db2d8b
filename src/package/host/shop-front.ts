/**
 * Where the visitors of a shop come in: a door of this process, or the workers, which keep the door
 * and reach this process over a socket.
 * @module
 */
import { Fault, asFault } from '../../base/fault/index.ts';
import { silentLog } from '../../base/log/index.ts';
import type { Books } from '../../books/index.ts';
import {
  openHttpDoor,
  openInnerDoor,
  type DoorAddress,
  type HttpDoor,
} from '../../door/http/index.ts';
import { HOST_LIMITS, type Figures, type Host } from '../../host/index.ts';
import type { HostKeys } from '../../port/keys/index.ts';
import type { PrimaryLink } from '../../port/workers/index.ts';
import { LEAVE_MS, MAX_WORKERS } from './limits.ts';
import type { ShopOptions, ShopWorkersOptions } from './shop-options.ts';
import { ShopWorkers, type ShopWorkersParts } from './shop-workers.ts';
import { workerShare } from './worker-share.ts';
import { placeSockets, socketOf } from './worker-sockets.ts';

const DEFAULT_PORT = 8402;
const DEFAULT_ADDRESS = '127.0.0.1';

/** An open front. */
export interface ShopFront {
  readonly door: HttpDoor;
  readonly workerPids: () => readonly number[];
  /** What workers count; absent without. */
  readonly figures?: () => Promise<readonly Figures[]>;
  /** As often as it is asked: once. */
  close(): Promise<void>;
}

/** What a front leads to. */
export interface FrontParts {
  readonly host: Host;
  readonly books: Books;
  readonly keys: HostKeys;
  /** Workers end again and again. */
  readonly onBroken: (fault: Fault) => void;
}

/** Opens the front of a shop. @throws Fault `CONFIG_INVALID` */
export async function openFront(options: ShopOptions, parts: FrontParts): Promise<ShopFront> {
  if (options.workers !== undefined) return openWorkers(options, options.workers, parts);
  const { limits = {}, log = silentLog } = options;
  const bodyBytes = limits.host?.bodyBytes ?? HOST_LIMITS.bodyBytes;
  const at = { ...addressOf(options), limits: limits.door ?? {}, bodyBytes };
  const door = await openHttpDoor(parts.host, at, log);
  const graceMs = limits.host?.stopGraceMs ?? HOST_LIMITS.stopGraceMs;
  return { door, workerPids: () => [], close: once(() => door.close(graceMs + LEAVE_MS)) };
}

function addressOf(options: ShopOptions): Omit<DoorAddress, 'limits' | 'bodyBytes'> {
  const { address = DEFAULT_ADDRESS, port = DEFAULT_PORT, behindProxy = false, tls } = options;
  return { address, port, behindProxy, ...(tls && { tls }) };
}

async function openWorkers(
  options: ShopOptions,
  { count, services: url, preload = [], logLevel = 'silent' }: ShopWorkersOptions,
  { host, books, keys, onBroken }: FrontParts,
): Promise<ShopFront> {
  if (!Number.isInteger(count) || count < 1 || count > MAX_WORKERS) {
    throw new Fault('CONFIG_INVALID', { problems: [`workers.count: 1 to ${MAX_WORKERS}`] });
  }
  const { dir, services, limits: set = {}, log = silentLog } = options;
  const limits = workerShare(set, count);
  const sockets = placeSockets(dir);
  const inner = await openInnerDoor(host, { path: socketOf(sockets.dir, 0) }, log);
  const end = async (): Promise<void> => {
    await inner.close(LEAVE_MS);
    sockets.remove();
  };
  const fingerprints = keys.former.map(({ fingerprint }) => ({ fingerprint }));
  const { port, ...door } = addressOf(options);
  const parts: ShopWorkersParts = {
    count,
    port,
    start: {
      services: url.href,
      sold: services.map(({ name }) => name),
      door,
      limits,
      sockets: sockets.dir,
      keys: { fingerprint: keys.fingerprint, former: fingerprints },
      logLevel,
      measured: options.metrics !== undefined,
    },
    preload: preload.map(({ href }) => href),
    owners: books.owners,
    wrap: (primary) => withPayments(primary, host),
    log,
    onBroken,
  };
  try {
    const workers = await ShopWorkers.open(parts);
    const close = once(async () => {
      await workers.stop();
      await end();
    });
    const figures = (): Promise<readonly Figures[]> => workers.figures();
    return { door: { ...workers.door, close }, workerPids: () => workers.pids, figures, close };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The payer may be faster than the wallet's wake-up. */
function withPayments(primary: PrimaryLink, host: Host): PrimaryLink {
  return {
    ...primary,
    take: async (lane) => {
      try {
        return await primary.take(lane);
      } catch (error) {
        if (asFault(error).code !== 'SESSION_UNPAID') throw error;
        await host.bookPayments().catch(() => undefined);
        return primary.take(lane);
      }
    },
  };
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
