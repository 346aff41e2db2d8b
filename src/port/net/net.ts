/**
 * The net port: one HTTP request out. The simulator puts a lossy link behind it.
 * @module
 */

/** A request. */
export interface NetRequest {
  readonly method: 'GET' | 'POST';
  /** Absolute. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** After this long without a complete answer the request is given up. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** An answer, whatever its status. */
export interface NetResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The way out. */
export interface Net {
  /**
   * Sends one request, once.
   * @throws Fault `HOST_UNREACHABLE` when it certainly did not arrive, `CALL_UNANSWERED` when
   * nobody
   * knows, `HOST_MALFORMED` when the answer is too large or is not HTTP
   */
  send(request: NetRequest): Promise<NetResponse>;
  close(): Promise<void>;
}
