/**
 * A host from a directory, a wallet and services: keys, books and a door.
 * @module
 */
import { join } from 'node:path';
import type { Fault } from '../../base/fault/index.ts';
import { silentLog, type Log } from '../../base/log/index.ts';
import { systemRandom } from '../../base/random/index.ts';
import { systemClock } from '../../base/time/index.ts';
import { openBooks, type Books, type BooksLimits } from '../../books/index.ts';
import { hostAdmin, openAdminDoor } from '../../door/admin/index.ts';
import {
  openHttpDoor,
  type DoorAddress,
  type DoorLimits,
  type HttpDoor,
} from '../../door/http/index.ts';
import {
  CallMeter,
  CommitMeter,
  HOST_LIMITS,
  Metrics,
  openHost,
  type Host,
  type HostLimits,
  type Service,
} from '../../host/index.ts';
import { openHostKeys } from '../../port/keys/index.ts';
import { openHostStore, type HostStoreFile } from '../../port/store/index.ts';
import type { Wallet } from '../../port/wallet/index.ts';
import { hostPage } from '../../web/index.ts';

const DEFAULT_PORT = 8402;
const DEFAULT_ADDRESS = '127.0.0.1';
/** Answers that were made when calls were cut may still leave for this long. */
const LEAVE_MS = 1_000;

/** What may be set of the bounds of each part; the rest has its default. */
export interface ShopLimits {
  readonly host?: Partial<HostLimits>;
  readonly door?: Partial<DoorLimits>;
  readonly books?: Partial<BooksLimits>;
}

/** What a shop is made of. */
export interface ShopOptions {
  /** Keeps the keys and the books; they are made when they are missing. One process at a time. */
  readonly dir: string;
  /** Is paid, and pays refunds. It stays open when the shop is closed. */
  readonly wallet: Wallet;
  readonly services: readonly Service[];
  /** Default 8402; 0: any free one. */
  readonly port?: number;
  /** Default 127.0.0.1; off loopback only with `tls` or behind a proxy. */
  readonly address?: string;
  readonly tls?: DoorAddress['tls'];
  readonly behindProxy?: boolean;
  /** Serves `GET /metrics` here, on loopback. Absent: nothing is measured. */
  readonly metrics?: { readonly address: string; readonly port: number };
  /** Answers `tollcall books` and `backup` at a socket in `dir`. Default: true. */
  readonly admin?: boolean;
  /** Credit of a session that expired longer ago is no longer owed. Absent: owed for ever. */
  readonly creditKeepDays?: number;
  readonly limits?: ShopLimits;
  /** A store that the caller has opened already; the shop closes it. */
  readonly store?: HostStoreFile;
  /**
   * A charge could not be made durable: nothing is answered any more, and the process has to start
   * again. Default: an uncaught exception, which ends it.
   */
  readonly onBroken?: (fault: Fault) => void;
  /** Default: writes nothing. */
  readonly log?: Log;
}

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

/** Opens the store of a host: whoever has it open is the one process of that host. */
export function openShopStore(dir: string): Promise<HostStoreFile> {
  return openHostStore({ file: booksFile(dir), thread: true });
}

/**
 * Opens a shop.
 * @throws Fault `STORE_OWNED` when it is open in another process, `CONFIG_INVALID` for its address
 */
export async function openShop(options: ShopOptions): Promise<Shop> {
  const { dir, admin = true, limits = {}, log = silentLog } = options;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    const store = options.store ?? (await openShopStore(dir));
    closers.push(() => store.close());
    const watch = options.metrics && watchOf(options.services);
    const books = await openBooks({
      store: watch?.commits.watch(store) ?? store,
      clock: systemClock,
      log,
      limits: limits.books ?? {},
      onBroken: options.onBroken ?? endProcess,
    });
    // From here on the books close the store, and the host closes the books.
    closers.splice(0, 1, () => books.close());
    const host = await openShopHost(options, books, watch?.meter);
    closers.splice(0, 1, () => host.close());
    const door = await openShopDoor(options, host);
    const graceMs = limits.host?.stopGraceMs ?? HOST_LIMITS.stopGraceMs;
    // Together: the door waits for answers that the host still makes.
    closers.splice(0, 1, async () => {
      await Promise.all([host.close(), door.close(graceMs + LEAVE_MS)]);
    });
    const { metrics } = options;
    let metricsDoor: HttpDoor | undefined;
    if (metrics !== undefined && watch !== undefined) {
      const figures = new Metrics({
        ...watch,
        host,
        store,
        sheet: () => books.sheet(),
        wallet: options.wallet,
        connections: () => door.connections(),
        clock: systemClock,
      });
      metricsDoor = await openHttpDoor(figures, metrics, log);
      closers.push(async () => metricsDoor?.close(LEAVE_MS));
    }
    if (admin) {
      const answers = hostAdmin({ store, sheet: () => books.sheet() });
      const adminDoor = await openAdminDoor(dir, answers, log);
      closers.push(() => adminDoor.close());
    }
    const shop = { dir, url: door.url, host, books, door, close };
    return metricsDoor === undefined ? shop : { ...shop, metrics: metricsDoor };
  } catch (error) {
    await close();
    throw error;
  }
}

function watchOf(services: readonly Service[]): { meter: CallMeter; commits: CommitMeter } {
  const meter = new CallMeter(services.map(({ name }) => name));
  return { meter, commits: new CommitMeter(systemClock) };
}

async function openShopHost(
  { dir, wallet, services, creditKeepDays, limits = {}, log = silentLog }: ShopOptions,
  books: Books,
  meter: CallMeter | undefined,
): Promise<Host> {
  return openHost({
    keys: await openHostKeys(dir),
    wallet,
    books,
    services,
    clock: systemClock,
    random: systemRandom,
    log,
    page: hostPage,
    limits: limits.host ?? {},
    ...(creditKeepDays !== undefined && { creditKeepDays }),
    ...(meter && { meter }),
  });
}

function openShopDoor(options: ShopOptions, host: Host): Promise<HttpDoor> {
  const { tls, limits = {}, log = silentLog } = options;
  const at: DoorAddress = {
    address: options.address ?? DEFAULT_ADDRESS,
    port: options.port ?? DEFAULT_PORT,
    behindProxy: options.behindProxy ?? false,
    limits: limits.door ?? {},
    bodyBytes: limits.host?.bodyBytes ?? HOST_LIMITS.bodyBytes,
    ...(tls && { tls }),
  };
  return openHttpDoor(host, at, log);
}

function endProcess(fault: Fault): void {
  // Out of the promise that noticed it: nobody may catch it.
  queueMicrotask(() => {
    throw fault;
  });
}
