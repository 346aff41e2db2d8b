/** What `tollcall/payer` gives: everything to buy calls. @module */
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
export * from '../../payer/index.ts';
export { payerKeyring, type PayerKeyring } from '../../port/keys/index.ts';
export { openNet, type Net, type NetRequest, type NetResponse } from '../../port/net/index.ts';
export { openPayerStore, type PayerStore } from '../../port/store/index.ts';
export {
  openFakeNetwork,
  type FakeNetwork,
  type FakeWallet,
  type NodeWallet,
  type Wallet,
} from '../../port/wallet/index.ts';
export { OpenPayer, openPayer, type OpenPayerOptions } from './open-payer.ts';
export {
  offerWallet,
  socketWallet,
  type ChannelFacts,
  type ChannelWallet,
} from './wallet-socket.ts';
