/**
 * Wallet: the port, and the fake. The embedded node has an entry of its own, `ldk/index.ts`.
 * @module
 */
export type {
  Balance,
  CreatedInvoice,
  Held,
  Incoming,
  InvoiceRequest,
  Liquidity,
  ListedIncoming,
  ListedOutgoing,
  NodeInfo,
  NodeWallet,
  Outgoing,
  PayFailure,
  PayRequest,
  Received,
  Wallet,
} from './wallet.ts';
export { paymentFault } from './failure.ts';
export {
  openFakeNetwork,
  type FakeFault,
  type FakeNetwork,
  type FakeNetworkOptions,
  type FakeWallet,
} from './fake.ts';
export type { FakeTotals } from './fake-ledger.ts';
