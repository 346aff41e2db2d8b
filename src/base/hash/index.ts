/** Hashes: SHA-256, HMAC, HKDF, one-message boxes. @module */
export { MacFrame, hkdf32, hmacSha256, openOnce, sealOnce, sha256, sha256Hex } from './hash.ts';
