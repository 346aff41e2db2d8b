/**
 * A host that sells the sample quotes, from keys to door.
 * @module
 */
import { join } from 'node:path';
import type { Fault } from '../base/fault/index.ts';
import { silentLog, type Log } from '../base/log/index.ts';
import { msat } from '../base/money/index.ts';
import { systemRandom } from '../base/random/index.ts';
import { systemClock } from '../base/time/index.ts';
import { openBooks, type Books } from '../books/index.ts';
import { hostAdmin, openAdminDoor } from '../door/admin/index.ts';
import { openHttpDoor, type HttpDoor } from '../door/http/index.ts';
import { openHost, type Host } from '../host/index.ts';
import { openHostKeys } from '../port/keys/index.ts';
import { openHostStore, type HostStoreFile } from '../port/store/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { SAMPLE_QUOTES, quotesService } from './quotes.ts';

/** What one call of the sample service costs. */
export const SAMPLE_PRICE_MSAT = msat(1000);

/** Where the store of a host stands in its directory. */
export function booksFile(dir: string): string {
  return join(dir, 'books.db');
}

/** An open shop. */
export interface Shop {
  readonly dir: string;
  readonly host: Host;
  readonly books: Books;
  readonly door: HttpDoor;
  /** Answers what is under way, then closes everything but the wallet. */
  close(): Promise<void>;
}

/** What a shop is made of. */
export interface ShopOptions {
  readonly dir: string;
  readonly wallet: Wallet;
  /** 0: any free one. */
  readonly port: number;
  /** A store that the caller has opened already; the shop closes it. */
  readonly store?: HostStoreFile;
  /** Answers `tollcall books` and `backup` at a socket in `dir`. */
  readonly admin: boolean;
  readonly onBroken: (fault: Fault) => void;
  readonly log?: Log;
}

/** Opens the store of a host: whoever has it open is the one process of that host. */
export function openShopStore(dir: string): Promise<HostStoreFile> {
  return openHostStore({ file: booksFile(dir), thread: true });
}

/**
 * Opens a shop.
 * @throws Fault `STORE_OWNED` when it is open in another process, `CONFIG_INVALID` for its port
 */
export async function openShop(options: ShopOptions): Promise<Shop> {
  const { dir, wallet, port, onBroken, log = silentLog } = options;
  const [clock, random] = [systemClock, systemRandom];
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    const store = options.store ?? (await openShopStore(dir));
    closers.push(() => store.close());
    const keys = await openHostKeys(dir);
    const books = await openBooks({ store, clock, log, onBroken });
    // From here on the books close the store, and the host closes the books.
    closers.splice(0, 1, () => books.close());
    const services = [quotesService(SAMPLE_QUOTES, { kind: 'each', priceMsat: SAMPLE_PRICE_MSAT })];
    const host = await openHost({ keys, wallet, books, services, clock, random, log });
    closers.splice(0, 1, () => host.close());
    const door = await openHttpDoor(host, { address: '127.0.0.1', port }, log);
    closers.push(() => door.close());
    if (options.admin) {
      const admin = hostAdmin({ store, sheet: () => books.sheet() });
      const adminDoor = await openAdminDoor(dir, admin, log);
      closers.push(() => adminDoor.close());
    }
    return { dir, host, books, door, close };
  } catch (error) {
    await close();
    throw error;
  }
}
