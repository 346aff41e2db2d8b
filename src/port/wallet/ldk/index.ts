/** The embedded wallet. Its process loads LDK, which a production install does not have. @module */
export type { Channel, ChannelRequest, NodeAddress } from './api.ts';
export { openLdkWallet, type LdkOptions, type LdkWallet } from './ldk-wallet.ts';
