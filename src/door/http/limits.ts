/** Bounds on what a connection can make this door hold. @module */

/** What a door may set; each has a safe default. */
export interface DoorLimits {
  /** Connections at once; one more is closed. */
  readonly connections: number;
  /**
   * The same for one address (an IPv6 network of 64 bits); one more is closed. Not behind a proxy,
   * whose address is everybody's.
   */
  readonly connectionsPerAddress: number;
  /**
   * Bytes of bodies that are not complete yet, of all connections together: 10,000 times the
   * largest body would not fit any machine. Above it a request is answered `CALL_BUSY` and its
   * connection closed.
   */
  readonly parkedBytes: number;
  /**
   * Bytes of answers that their readers have not taken yet, of all connections together. Above it
   * the connection whose answer has waited longest is cut; what was charged can be fetched again.
   */
  readonly parkedAnswerBytes: number;
  /** All headers of one request; above it node answers 431. */
  readonly headerBytes: number;
  /**
   * A TLS handshake, or the headers of a request, that take longer than this are cut: a slow sender
   * holds no connection for ever.
   */
  readonly headersTimeoutMs: number;
  /** The same for the whole request. */
  readonly requestTimeoutMs: number;
  /** A connection that takes nothing of its answer for this long is cut. */
  readonly answerIdleMs: number;
  /**
   * A connection that has not taken its whole answer after this long is cut, however steadily it
   * reads: nobody parks answers here.
   */
  readonly answerTimeoutMs: number;
  /** An idle connection is closed after this. */
  readonly keepAliveMs: number;
}

/**
 * 10,000 connections (256 for one address), 256 MiB each of unfinished bodies and
 * of answers that are not taken, 16 KiB of headers, 10 s
 * for headers, 30 s for a request, 30 s without reading and 120 s in all for an answer, 30 s idle.
 */
export const DOOR_LIMITS: DoorLimits = {
  connections: 10_000,
  connectionsPerAddress: 256,
  parkedBytes: 256 * 1024 * 1024,
  parkedAnswerBytes: 256 * 1024 * 1024,
  headerBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  answerIdleMs: 30_000,
  answerTimeoutMs: 120_000,
  keepAliveMs: 30_000,
};

/**
 * How often Node looks for requests that are over their time; its default would allow 40 s.
 */
export const CHECK_INTERVAL_MS = 5_000;
/** Connections of an inner door at once: one of each other process of the host. */
export const INNER_CONNECTIONS = 256;
/** Connections to an inner door that wait to be taken; one more finds nobody there. */
export const INNER_BACKLOG = 256;
/**
 * Requests under way to one other process, as many as a host has calls under way; one more is
 * `CALL_BUSY`.
 */
export const PASSAGE_REQUESTS = 1024;
/**
 * A request or an answer between two processes of a host, which both were bounded where they were
 * made; a larger one is no frame and ends the line.
 */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024;
/** Answers that a process of the host does not take; its line is ended then. */
export const MAX_PARKED_FRAMES_BYTES = 1024 * 1024 * 1024;
/** The longest path that a Unix socket can have: sun_path, less its final zero. */
export const MAX_SOCKET_PATH_BYTES = 107;
