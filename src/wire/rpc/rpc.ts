/**
 * JSON-RPC 2.0: envelopes in and out.
 *
 * A request may carry the member `toll` (a credential). An error's `data` is the problem document
 * that HTTP would have shown, so that both surfaces say the same.
 * @module
 */
import { concat, utf8 } from '../../base/bytes/index.ts';
import { Fault, fromProblem, toProblem, type FaultCode } from '../../base/fault/index.ts';
import { jsonObject, type Json, type JsonObject } from '../../base/json/index.ts';

/** A request that parsed. */
export interface RpcRequest {
  /** Absent for a notification, which gets no response. */
  readonly id?: string | number | null;
  readonly method: string;
  readonly params: Json;
  readonly toll?: string;
}

/** The code of every fault that has no place in JSON-RPC's own list. */
const TOLL_FAULT = -32000;
const CODES: { readonly [code: string]: number } = {
  JSON_MALFORMED: -32700,
  REQUEST_MALFORMED: -32600,
  REQUEST_UNKNOWN: -32601,
  SERVICE_INPUT: -32602,
  HOST_BROKEN: -32603,
};

/** Reads one request. @throws Fault `REQUEST_MALFORMED` */
export function parseRequest(value: Json): RpcRequest {
  const { jsonrpc, id, method, params, toll } = requestObject(value);
  const idOk = id === undefined || id === null || ['string', 'number'].includes(typeof id);
  if (jsonrpc !== '2.0' || typeof method !== 'string' || !idOk) throw malformed('request');
  if (params !== undefined && (typeof params !== 'object' || params === null)) {
    throw malformed('params');
  }
  if (toll !== undefined && typeof toll !== 'string') throw malformed('toll');
  return {
    ...(id === undefined ? {} : { id: id as string | number | null }),
    method,
    params: params ?? {},
    ...(toll === undefined ? {} : { toll }),
  };
}

/** A request, ready to be sent. */
export function printRequest(request: RpcRequest): JsonObject {
  const { id, method, params, toll } = request;
  return {
    jsonrpc: '2.0',
    ...(id === undefined ? {} : { id }),
    method,
    params,
    ...(toll === undefined ? {} : { toll }),
  };
}

/** The id to answer a request with that did not parse: its own if it has a usable one. */
export function salvageId(value: Json): string | number | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const id = (value as JsonObject)['id'];
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}

/** The number of a fault in JSON-RPC; most share one, and `data.code` tells them apart. */
export function rpcCode(code: FaultCode): number {
  return CODES[code] ?? TOLL_FAULT;
}

/** An error response. */
export function printError(id: string | number | null, fault: Fault): JsonObject {
  const problem = toProblem(fault);
  return {
    jsonrpc: '2.0',
    id,
    error: { code: rpcCode(fault.code), message: problem.title, data: { ...problem } as Json },
  };
}

/** A result response; `toll` says what it cost. */
export function printResult(id: string | number | null, result: Json, toll?: Json): JsonObject {
  return { jsonrpc: '2.0', id, result, ...(toll === undefined ? {} : { toll }) };
}

/** A result response around a result that is JSON text already. */
export function spliceResult(
  id: string | number | null,
  result: Uint8Array,
  toll: Json,
): Uint8Array {
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`;
  return concat(utf8(head), result, utf8(`,"toll":${JSON.stringify(toll)}}`));
}

/**
 * Reads one response.
 * @throws Fault the one that the host reported, or `HOST_MALFORMED`
 */
export function parseResponse(value: Json, id: string | number): { result: Json; toll?: Json } {
  const { jsonrpc, result, error, toll, id: answered } = responseObject(value, 'response');
  // A host that could not read the id answers with null, and with an error only.
  const mine = answered === id || (answered === null && error !== undefined);
  if (jsonrpc !== '2.0' || !mine) throw new Fault('HOST_MALFORMED', { where: 'response' });
  if (error !== undefined) throw fromProblem(responseObject(error, 'error')['data']);
  if (result === undefined) throw new Fault('HOST_MALFORMED', { where: 'result' });
  return { result, ...(toll === undefined ? {} : { toll }) };
}

function requestObject(value: Json): JsonObject {
  try {
    return jsonObject(value);
  } catch {
    throw malformed('request');
  }
}

function responseObject(value: Json, where: string): JsonObject {
  try {
    return jsonObject(value);
  } catch {
    throw new Fault('HOST_MALFORMED', { where });
  }
}

function malformed(name: string): Fault {
  return new Fault('REQUEST_MALFORMED', { name });
}
