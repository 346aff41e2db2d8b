/**
 * The net port over undici: pooled connections, no global agent.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, errors, type Dispatcher } from 'undici';
import { Fault } from '../../base/fault/index.ts';
import { systemClock } from '../../base/time/index.ts';
import { MAX_ANSWER_BYTES, MAX_CONNECTIONS } from './limits.ts';
import type { Net, NetRequest, NetResponse } from './net.ts';

/** Opens a pool of connections. */
export function openNet(): Net {
  const agent = new Agent({ connections: MAX_CONNECTIONS, pipelining: 1, allowH2: false });
  return {
    send: (request) => send(agent, request),
    close: () => agent.destroy(),
  };
}

/**
 * By `dispatch`, with one handler for head and body: a stream, an iterator and two signals for each
 * answer would take most of the time of a paid call.
 */
function send(agent: Agent, request: NetRequest): Promise<NetResponse> {
  return new Promise<NetResponse>((resolve, reject) => {
    const receiver = new Receiver(request, resolve, reject);
    try {
      const { origin, pathname, search } = new URL(request.url);
      const { method, headers, body = null, timeoutMs } = request;
      const limits = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
      if (!receiver.ended)
        agent.dispatch(
          { origin, path: pathname + search, method, headers, body, ...limits },
          receiver,
        );
    } catch (error) {
      receiver.fail(error);
    }
  });
}

/** Takes one answer. */
class Receiver implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: NetResponse) => void;
  readonly #reject: (fault: Fault) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #stopTimer: () => void;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: Record<string, string> = {};
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  ended = false;

  constructor(
    { timeoutMs, signal }: NetRequest,
    resolve: (answer: NetResponse) => void,
    reject: (fault: Fault) => void,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
    this.#stopTimer = systemClock.timer(timeoutMs, this.#giveUp);
    signal?.addEventListener('abort', this.#giveUp, { once: true });
    if (signal?.aborted === true) this.#giveUp();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.ended) controller.abort(new errors.RequestAbortedError());
  }

  onResponseStart(_: unknown, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = flat(headers);
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size <= MAX_ANSWER_BYTES) return void this.#chunks.push(chunk);
    this.fail(new Fault('HOST_MALFORMED', { where: 'answer size' }));
  }

  onResponseEnd(): void {
    if (!this.#end()) return;
    const [first] = this.#chunks;
    const body = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_: unknown, error: Error): void {
    this.fail(error);
  }

  /** There will be no answer. */
  fail(error: unknown): void {
    if (!this.#end()) return;
    this.#reject(faultOf(error));
    this.#controller?.abort(new errors.RequestAbortedError());
  }

  readonly #giveUp = (): void => this.fail(new errors.RequestAbortedError());

  #end(): boolean {
    if (this.ended) return false;
    this.ended = true;
    this.#stopTimer();
    this.#signal?.removeEventListener('abort', this.#giveUp);
    return true;
  }
}

function flat(headers: IncomingHttpHeaders): Record<string, string> {
  const all: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const value = headers[name] ?? '';
    all[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return all;
}

/**
 * Errors of a connection or a TLS handshake that was never made, and of an address that is none.
 */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ERR_INVALID_URL',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** True when the connection ended inside an answer: undici's parser then shows no bytes. */
function isCutShort(error: errors.HTTPParserError): boolean {
  return 'data' in error && error.data === '';
}

/** A connection that was never made certainly carried nothing; of all else nobody knows. */
function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  if (error instanceof errors.ConnectTimeoutError) return new Fault('HOST_UNREACHABLE', {}, error);
  if (error instanceof errors.InvalidArgumentError) return new Fault('HOST_UNREACHABLE', {}, error);
  if (error instanceof errors.HTTPParserError && !isCutShort(error)) {
    return new Fault('HOST_MALFORMED', {}, error);
  }
  if (error instanceof errors.HeadersOverflowError) return new Fault('HOST_MALFORMED', {}, error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new Fault(NOT_SENT.has(code) ? 'HOST_UNREACHABLE' : 'CALL_UNANSWERED', {}, error);
}
