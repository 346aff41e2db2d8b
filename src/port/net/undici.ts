/**
 * The net port over undici: pooled connections, no global agent.
 * @module
 */
import { Agent, errors, request as undiciRequest } from 'undici';
import { Fault } from '../../base/fault/index.ts';
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

async function send(agent: Agent, request: NetRequest): Promise<NetResponse> {
  const { method, url, headers, body, timeoutMs, signal } = request;
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await undiciRequest(url, {
      dispatcher: agent,
      method,
      headers,
      body: body ?? null,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) throw new Fault('HOST_MALFORMED', { where: 'answer size' });
      chunks.push(chunk);
    }
    return {
      status: answer.statusCode,
      headers: flat(answer.headers),
      body: Buffer.concat(chunks),
    };
  } catch (error) {
    throw faultOf(error);
  }
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
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
