/** Bounds on what a peer can make this room do. @module */

/**
 * Set-ups waiting to be decrypted; one more is refused with `SETUP_BUSY`. At 2 to 4 ms each: 0.3 s.
 */
export const MAX_WAITING_UNWRAPS = 64;
/**
 * Private-key operations at once: Node's thread pool has four threads, one stays free for files.
 */
export const MAX_RUNNING_UNWRAPS = 3;

/**
 * Certificates in a host's chain, its own and those up to the root: web chains have two to four.
 * One more and the chain is refused.
 */
export const MAX_CERTIFICATES = 6;
/** The chain as text, in PEM: six times an RSA-4096 certificate of 2 kB, and room. */
export const MAX_CERTIFICATES_TEXT = 24_000;
/** Certificates in the file of CAs that a payer names; the bundles of systems hold about 150. */
export const MAX_CA_CERTIFICATES = 1000;
