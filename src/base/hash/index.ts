/** Hashes: SHA-256, HMAC, HKDF, one-message boxes. @module */
export {
  MacFrame,
  hkdf32,
  hmacSha256,
  decryptOnce,
  encryptOnce,
  isSha256Of,
  sha256,
  sha256Hex,
} from './hash.ts';
