/** Keys: identities and what they sign. @module */
export { checkCertificates, type CertificateCheck } from './certificate.ts';
export { hostKeyFiles, openHostKeys, readHostKeys } from './files.ts';
export { hostKeys, payerKeyring } from './identity.ts';
export {
  peerKey,
  type FormerKeys,
  type FormerPeerKey,
  type HostIdentity,
  type HostKeys,
  type PayerKeyring,
  type PayerKeys,
  type PeerKey,
} from './keys.ts';
export { MAX_CERTIFICATES_TEXT } from './limits.ts';
export { revokeFormerKey, rotateHostKeys, type RotateOptions } from './rotation.ts';
export {
  acceptanceStatement,
  checkSuccessions,
  successionStatement,
  type Succession,
  type SuccessionFacts,
} from './succession.ts';
