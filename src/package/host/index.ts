/** What `tollcall/host` gives: everything to sell calls. @module */
export { z } from 'zod';
export { FAULTS, Fault, isFault, type FaultCode, type FaultRow } from '../../base/fault/index.ts';
export type { Json } from '../../base/json/index.ts';
export { openLog, silentLog, type Log } from '../../base/log/index.ts';
export {
  formatMsat,
  msat,
  parseMsat,
  sat,
  satToMsat,
  type Msat,
  type Sat,
} from '../../base/money/index.ts';
export { seededRandom, systemRandom, type Random } from '../../base/random/index.ts';
export { systemClock, unixMs, type Clock, type UnixMs } from '../../base/time/index.ts';
export {
  BOOKS_LIMITS,
  openBooks,
  type Books,
  type BooksLimits,
  type BooksOptions,
} from '../../books/index.ts';
export {
  hostAdmin,
  openAdminDoor,
  type HostAdmin,
  type SessionFacts,
} from '../../door/admin/index.ts';
export { openHttpDoor, type DoorAddress, type HttpDoor } from '../../door/http/index.ts';
export * from '../../host/index.ts';
export { isBalanced, type Sheet } from '../../pay/ledger/index.ts';
export { SEED_PRICE, type BundlePrice, type CallPrice } from '../../pay/price/index.ts';
export { openHostKeys, type HostKeys } from '../../port/keys/index.ts';
export { openHostStore, type HostStore, type HostStoreFile } from '../../port/store/index.ts';
export {
  openFakeNetwork,
  type FakeNetwork,
  type FakeWallet,
  type NodeWallet,
  type Wallet,
} from '../../port/wallet/index.ts';
export {
  defineConfig,
  parseConfig,
  type CheckedConfig,
  type ConfigProblem,
  type HostConfig,
  type ParsedConfig,
  type WalletSource,
} from './config.ts';
export { isWallet } from './config-shape.ts';
export { booksFile, openShop, openShopStore, type Shop } from './open-shop.ts';
export type { ShopLimits, ShopOptions, ShopWorkersOptions } from './shop-options.ts';
export { hostPage } from '../../web/index.ts';
