/** Bounds on what a connection can make this door hold. @module */

/** Connections at once; one more is closed. */
export const MAX_CONNECTIONS = 10_000;
/**
 * Bytes of bodies that are not complete yet, of all connections together: 10,000 times the largest
 * body would not fit any machine. Above it a request is answered `CALL_BUSY` and its connection
 * closed.
 */
export const MAX_PARKED_BYTES = 256 * 1024 * 1024;
/** All headers of one request; above it node answers 431. */
export const MAX_HEADER_BYTES = 16 * 1024;
/**
 * A request whose headers take longer than this is cut: a slow sender holds no connection for ever.
 */
export const HEADERS_TIMEOUT_MS = 10_000;
/** The same for the whole request. */
export const REQUEST_TIMEOUT_MS = 30_000;
/**
 * How often Node looks for requests that are over these two limits; its default would allow 40 s.
 */
export const CHECK_INTERVAL_MS = 5_000;
/**
 * A connection that takes nothing of its answer for this long is cut: nobody parks answers here.
 */
export const ANSWER_IDLE_MS = 30_000;
/** An idle connection is closed after this. */
export const KEEP_ALIVE_MS = 30_000;
