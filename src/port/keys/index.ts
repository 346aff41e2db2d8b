/** Keys: identities and what they sign. @module */
export { hostKeys, openHostKeys, payerKeyring } from './files.ts';
export { peerKey, type HostKeys, type PayerKeyring, type PayerKeys, type PeerKey } from './keys.ts';
