/**
 * A request and its answer as the host sees them, whatever brought them.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import { toProblem, type Fault } from '../base/fault/index.ts';
import { parseJson, type Json } from '../base/json/index.ts';
import { Fault as FaultError } from '../base/fault/index.ts';

/** Every header that a host reads: a request that is passed on to another process has these. */
export const HOST_HEADERS = ['authorization', 'content-type', 'accept', 'if-none-match'] as const;

/** A request that came in. */
export interface HostRequest {
  readonly method: string;
  /** Path without query. */
  readonly path: string;
  /** A header by its lower-case name. */
  readonly header: (name: (typeof HOST_HEADERS)[number]) => string | undefined;
  readonly body: Uint8Array;
  /** Who sent it, for quotas: an IP address. */
  readonly address: string;
  /** The worker of this host that has passed it on for a visitor. */
  readonly via?: number;
}

/** An answer that goes out. */
export interface HostResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const JSON_TYPE = 'application/json';

/** A JSON answer. Nothing that depends on a payment may be kept by a cache. */
export function jsonResponse(
  status: number,
  body: Json | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): HostResponse {
  return {
    status,
    headers: { 'content-type': JSON_TYPE, 'cache-control': 'no-store', ...headers },
    body: body instanceof Uint8Array ? body : utf8(JSON.stringify(body)),
  };
}

/** A fault as problem JSON (RFC 9457). */
export function problemResponse(fault: Fault): HostResponse {
  return problem(fault, fault.row.status);
}

/** The same as 503: for who asks whether the host is there. */
export function unavailableResponse(fault: Fault): HostResponse {
  return problem(fault, 503);
}

function problem(fault: Fault, status: number): HostResponse {
  const body = { ...toProblem(fault), status } as unknown as Json;
  const allow = fault.facts['allow'];
  return jsonResponse(status, body, {
    'content-type': 'application/problem+json',
    ...(typeof allow === 'string' ? { allow } : {}),
  });
}

/** The body as JSON. @throws Fault `REQUEST_MEDIA`, `JSON_MALFORMED` */
export function jsonBody(request: HostRequest): Json {
  const type = request.header('content-type') ?? '';
  if (type !== JSON_TYPE && !/^application\/json *(;|$)/i.test(type))
    throw new FaultError('REQUEST_MEDIA');
  return parseJson(request.body);
}
