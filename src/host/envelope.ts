/**
 * The JSON-RPC envelope: one request or a batch, each of them dispatched on its own. The same for a
 * host and for a worker of it.
 * @module
 */
import { concat, utf8 } from '../base/bytes/index.ts';
import { Fault, asFault, isFault, isHostCode, type FaultCode } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import type { Log } from '../base/log/index.ts';
import { parseRequest, printError, salvageId, type RpcRequest } from '../wire/rpc/index.ts';
import type { HostLimits } from './limits.ts';
import { jsonBody, jsonResponse, type HostRequest, type HostResponse } from './message.ts';

/** What an envelope is opened with. */
export interface EnvelopeParts {
  readonly limits: Pick<HostLimits, 'batchRequests' | 'batchAnswerBytes'>;
  readonly log: Log;
  /** Answers a message whole, where it is not to be opened here. */
  readonly whole?: (body: Json, request: HostRequest) => Promise<HostResponse> | undefined;
  /** The response to one request, as JSON text. @throws Fault what the response is to say */
  readonly dispatch: (request: RpcRequest, from: HostRequest) => Promise<Uint8Array>;
}

/** Answers `POST /rpc`. */
export async function answerEnvelope(
  parts: EnvelopeParts,
  request: HostRequest,
): Promise<HostResponse> {
  let body: Json;
  try {
    body = jsonBody(request);
  } catch (error) {
    const fault = reported(parts.log, error);
    return jsonResponse(fault.row.status, printError(null, fault));
  }
  const whole = parts.whole?.(body, request);
  if (whole !== undefined) return whole;
  if (!Array.isArray(body)) {
    const answer = await answerOne(parts, body, request);
    return answer === undefined ? NO_CONTENT : jsonResponse(200, answer);
  }
  const { batchRequests: max } = parts.limits;
  if (body.length === 0 || body.length > max) {
    const code = body.length === 0 ? 'REQUEST_MALFORMED' : 'REQUEST_TOO_LARGE';
    const fault = new Fault(code, { max });
    return jsonResponse(fault.row.status, printError(null, fault));
  }
  const list = body as readonly Json[];
  const answers = await Promise.all(list.map((item) => answerOne(parts, item, request)));
  const batch = joinBatch(list, answers, parts.limits.batchAnswerBytes);
  return batch === undefined ? NO_CONTENT : jsonResponse(200, batch);
}

const NO_CONTENT = jsonResponse(204, new Uint8Array(0));

/**
 * The fault to show. What is not a fault is a defect: it is logged, and the payer learns no more.
 */
export function reported(log: Log, error: unknown): Fault {
  const known = asFault(error);
  const fault = isHostCode(known.code) ? known : new Fault('HOST_BROKEN', {}, known);
  if (isFault(fault.cause) && UNANSWERED.has(fault.cause.code)) {
    // Of each call that was under way there; the primary says once that a worker has ended.
    log.info('another process of this host did not answer', { code: fault.cause.code });
  } else if (fault.code === 'HOST_BROKEN') {
    log.error('internal error', {}, error);
  }
  return fault;
}

/** Why there is no answer of a process that has ended, or is waited for no more. */
const UNANSWERED: ReadonlySet<FaultCode> = new Set(['CALL_UNANSWERED', 'HOST_STOPPING']);

/** A JSON value as bytes. */
export function encodeJson(value: Json): Uint8Array {
  return utf8(JSON.stringify(value));
}

/** The credential of a request. @throws Fault `CODE_MISSING` */
export function credentialOf(request: RpcRequest): string {
  if (request.toll === undefined) throw new Fault('CODE_MISSING');
  return request.toll;
}

/** The answers as one array, as many as fit; undefined when all were notifications. */
function joinBatch(
  requests: readonly Json[],
  answers: readonly (Uint8Array | undefined)[],
  maxBytes: number,
): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const [i, answer] of answers.entries()) {
    if (answer === undefined) continue;
    size += answer.length;
    const large = (): Uint8Array =>
      encodeJson(printError(salvageId(requests[i] ?? null), new Fault('CALL_ANSWER_LARGE')));
    parts.push(utf8(parts.length === 0 ? '[' : ','));
    parts.push(size <= maxBytes ? answer : large());
  }
  return parts.length === 0 ? undefined : concat(...parts, utf8(']'));
}

/** The answer to one request, as JSON text; nothing for a notification. */
async function answerOne(
  parts: EnvelopeParts,
  value: Json,
  from: HostRequest,
): Promise<Uint8Array | undefined> {
  let request: RpcRequest;
  try {
    request = parseRequest(value);
  } catch (error) {
    return encodeJson(printError(salvageId(value), reported(parts.log, error)));
  }
  try {
    const answer = await parts.dispatch(request, from);
    return request.id === undefined ? undefined : answer;
  } catch (error) {
    const fault = reported(parts.log, error);
    return request.id === undefined ? undefined : encodeJson(printError(request.id, fault));
  }
}
