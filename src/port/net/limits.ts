/** Bounds on what a peer can make this room hold. @module */

/** An answer above this is refused with `HOST_MALFORMED`: it would have to be held in memory. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Connections to one host; further requests wait for a free one. */
export const MAX_CONNECTIONS = 64;
