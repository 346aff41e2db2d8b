/**
 * What `@tollcall/regtest` gives: a private chain and Lightning nodes, to try things on and to
 * test with. Loads bcoin and LDK, which a production install does not have.
 * @module
 */
export {
  openRegtest,
  type RegtestChain,
  type RegtestOptions,
} from '../../port/chain/regtest/index.ts';
export {
  openLdkWallet,
  type Channel,
  type ChannelRequest,
  type LdkOptions,
  type LdkWallet,
  type NodeAddress,
} from '../../port/wallet/ldk/index.ts';
export { offerWallet } from '../payer/index.ts';
export { openNetwork, type NetworkOptions, type RegtestNetwork, type Step } from './network.ts';
