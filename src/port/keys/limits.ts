/** Bounds on what a peer can make this room do. @module */

/**
 * Set-ups waiting to be decrypted; one more is refused with `SETUP_BUSY`. At 2 to 4 ms each: 0.3 s.
 */
export const MAX_WAITING_UNWRAPS = 64;
/**
 * Private-key operations at once: Node's thread pool has four threads, one stays free for files.
 */
export const MAX_RUNNING_UNWRAPS = 3;
