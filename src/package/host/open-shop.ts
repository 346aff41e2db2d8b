/**
 * A host from a directory, a wallet and services: keys, books and a door.
 * @module
 */
import { join } from 'node:path';
import { isFault, type Fault } from '../../base/fault/index.ts';
import { silentLog, type Log } from '../../base/log/index.ts';
import { systemRandom } from '../../base/random/index.ts';
import { systemClock } from '../../base/time/index.ts';
import { openBooks, type Books } from '../../books/index.ts';
import { hostAdmin, openAdminDoor } from '../../door/admin/index.ts';
import { openHttpDoor, type HttpDoor } from '../../door/http/index.ts';
import {
  CallMeter,
  CommitMeter,
  Metrics,
  openHost,
  type Host,
  type HostParts,
  type MetricsParts,
  type Service,
} from '../../host/index.ts';
import { openHostKeys } from '../../port/keys/index.ts';
import { openHostStore, type HostStoreFile } from '../../port/store/index.ts';
import { hostPage } from '../../web/index.ts';
import { LEAVE_MS, OLD_WORKERS_LOOK_MS, OLD_WORKERS_MS } from './limits.ts';
import { openFront, type ShopFront } from './shop-front.ts';
import type { ShopOptions } from './shop-options.ts';

/** An open shop. */
export interface Shop {
  readonly dir: string;
  /** `http://127.0.0.1:8402`. */
  readonly url: string;
  readonly host: Host;
  readonly books: Books;
  readonly door: HttpDoor;
  /** Where metrics are served, if they are. */
  readonly metrics?: HttpDoor;
  /** The processes of the workers, by their numbers. Empty without. */
  readonly workerPids: () => readonly number[];
  /**
   * Takes no more calls, gives those under way `stopGraceMs`, then closes everything but the
   * wallet.
   */
  close(): Promise<void>;
}

/** Where the store of a host stands in its directory. */
export function booksFile(dir: string): string {
  return join(dir, 'books.db');
}

/**
 * Opens the store of a host: whoever has it open is the one process of that host. When its
 * forerunner was killed, its workers may still be ending: they are waited for, and `log` says so.
 * @throws Fault `STORE_OWNED` when it is open in another process
 */
export async function openShopStore(dir: string, log: Log = silentLog): Promise<HostStoreFile> {
  const untilMs = systemClock.monotonicMs() + OLD_WORKERS_MS;
  for (let waits = false; ; waits = true) {
    try {
      return await openHostStore({ file: booksFile(dir), thread: true });
    } catch (error) {
      const isLog = isFault(error) && error.code === 'STORE_OWNED' && 'file' in error.facts;
      if (!isLog || systemClock.monotonicMs() >= untilMs) throw error;
      if (!waits) log.warn('waits for workers of a host that was killed to end');
      await systemClock.sleep(OLD_WORKERS_LOOK_MS);
    }
  }
}

/**
 * Opens a shop.
 * @throws Fault `STORE_OWNED` when it is open in another process, `CONFIG_INVALID` for its address
 */
export async function openShop(options: ShopOptions): Promise<Shop> {
  const { dir, admin = true, limits = {}, log = silentLog, onBroken = endProcess } = options;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    const store = options.store ?? (await openShopStore(dir, log));
    closers.push(() => store.close());
    const watch = options.metrics && watchOf(options.services);
    const books = await openBooks({
      store: watch?.commits.watch(store) ?? store,
      clock: systemClock,
      log,
      limits: limits.books ?? {},
      onBroken,
    });
    // From here on the books close the store, and the host closes the books.
    closers.splice(0, 1, () => books.close());
    const keys = await openHostKeys(dir);
    const late: { front?: ShopFront } = {};
    const endOthers = async (): Promise<void> => late.front?.close();
    const host = await openShopHost(options, { keys, books, endOthers, ...watch });
    closers.splice(0, 1, () => host.close());
    const front = await openFront(options, { host, books, keys, onBroken });
    late.front = front;
    // Together: the door waits for answers that the host still makes.
    closers.splice(0, 1, async () => {
      await Promise.all([host.close(), front.close()]);
    });
    const metrics = await openMetrics(options, { ...watch, host, store, books, front });
    if (metrics !== undefined) closers.push(() => metrics.close(LEAVE_MS));
    if (admin) {
      const flush = (): Promise<void> => books.owners.flush();
      const answers = hostAdmin({ store, sheet: () => books.sheet(), flush });
      const adminDoor = await openAdminDoor(dir, answers, log);
      closers.push(() => adminDoor.close());
    }
    const { door, workerPids } = front;
    const shop = { dir, url: door.url, host, books, door, workerPids, close };
    return metrics === undefined ? shop : { ...shop, metrics };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Watch {
  readonly meter: CallMeter;
  readonly commits: CommitMeter;
}

function watchOf(services: readonly Service[]): Watch {
  const meter = new CallMeter(services.map(({ name }) => name));
  return { meter, commits: new CommitMeter(systemClock) };
}

async function openShopHost(
  { wallet, services, creditKeepDays, limits = {}, log = silentLog }: ShopOptions,
  { keys, books, endOthers, meter }: Pick<HostParts, 'keys' | 'books' | 'endOthers' | 'meter'>,
): Promise<Host> {
  return openHost({
    keys,
    wallet,
    books,
    services,
    clock: systemClock,
    random: systemRandom,
    log,
    page: hostPage,
    limits: limits.host ?? {},
    ...(endOthers && { endOthers }),
    ...(creditKeepDays !== undefined && { creditKeepDays }),
    ...(meter && { meter }),
  });
}

/** @throws Fault `CONFIG_INVALID` */
async function openMetrics(
  { metrics: at, wallet, log = silentLog }: ShopOptions,
  parts: Partial<Watch> &
    Pick<MetricsParts, 'host' | 'store'> & { readonly books: Books; readonly front: ShopFront },
): Promise<HttpDoor | undefined> {
  const { meter, commits, host, store, books, front } = parts;
  if (at === undefined || meter === undefined || commits === undefined) return undefined;
  const { figures, door } = front;
  const metrics = new Metrics({
    meter,
    commits,
    host,
    store,
    wallet,
    sheet: () => books.sheet(),
    connections: () => (figures === undefined ? door.connections() : 0),
    clock: systemClock,
    ...(figures && { workers: figures }),
  });
  return openHttpDoor(metrics, at, log);
}

function endProcess(fault: Fault): void {
  // Out of the promise that noticed it: nobody may catch it.
  queueMicrotask(() => {
    throw fault;
  });
}
