/** Keys: identities and what they sign. @module */
export { HOST_KEY_FILES, hostKeys, openHostKeys, payerKeyring, readHostKeys } from './files.ts';
export { peerKey, type HostKeys, type PayerKeyring, type PayerKeys, type PeerKey } from './keys.ts';
