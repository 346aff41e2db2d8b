/** Hashes: SHA-256, HMAC, HKDF, one-message boxes. @module */
export { hkdf32, hmacSha256, openOnce, sealOnce, sha256 } from './hash.ts';
