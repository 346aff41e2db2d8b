/**
 * What a shop is opened with.
 * @module
 */
import type { Fault } from '../../base/fault/index.ts';
import type { Log, LogLevel } from '../../base/log/index.ts';
import type { BooksLimits } from '../../books/index.ts';
import type { DoorAddress, DoorLimits } from '../../door/http/index.ts';
import type { HostLimits, Service } from '../../host/index.ts';
import type { HostStoreFile } from '../../port/store/index.ts';
import type { Wallet } from '../../port/wallet/index.ts';

/** What may be set of the bounds of each part; the rest has its default. */
export interface ShopLimits {
  readonly host?: Partial<HostLimits>;
  readonly door?: Partial<DoorLimits>;
  readonly books?: Partial<BooksLimits>;
}

/** The worker processes of a shop. */
export interface ShopWorkersOptions {
  /** 1 to 32; about one for each core. */
  readonly count: number;
  /**
   * A module that each of them loads: it exports the services that the shop is opened with as
   * `services`, or by default: the list, or an object that has it as `services`.
   */
  readonly services: URL;
  /** Modules that each of them loads first. */
  readonly preload?: readonly URL[];
  /** What they write to standard error, as JSON lines. Default: nothing. */
  readonly logLevel?: LogLevel;
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
  /**
   * So many more processes take the connections and serve the calls that are paid with ticks.
   * Absent: this process does all.
   */
  readonly workers?: ShopWorkersOptions;
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
