/**
 * A host as a payer sees it: where it is, which key it must show, how to ask it something.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import { Fault, fromProblem, isFault } from '../base/fault/index.ts';
import { parseJson, type Json } from '../base/json/index.ts';
import type { Random } from '../base/random/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Net, NetResponse } from '../port/net/index.ts';
import type { PayerStore } from '../port/store/index.ts';
import { parseResponse, printRequest } from '../wire/rpc/index.ts';
import { DESCRIPTION_PATH, parseDescription, type Description } from '../wire/toll/index.ts';
import { ASK_DEADLINE_MS, TRY_TIMEOUT_MS } from './limits.ts';
import { persist } from './retry.ts';
import { checkTrust, readKeys, type ShownKeys, type Trust } from './trust.ts';

/** What a link works with. */
export interface LinkParts {
  readonly net: Net;
  readonly store: PayerStore;
  readonly clock: Clock;
  readonly random: Random;
}

/** What is posted. */
export interface PostMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/** A host whose key is the expected one. */
export interface Link extends ShownKeys {
  readonly url: string;
  readonly description: Description;
  /**
   * JSON-RPC, tried again while the way or the moment is bad.
   * @throws Fault what the host reported
   */
  ask(method: string, params: Json, toll?: string, signal?: AbortSignal): Promise<Json>;
  /** One try of a POST, whatever comes back. @throws Fault `HOST_UNREACHABLE`, `CALL_UNANSWERED` */
  post(path: string, message: PostMessage): Promise<NetResponse>;
}

/**
 * Reads a host's description and checks its key.
 * @throws Fault `HOST_KEY_CHANGED`, `HOST_CERTIFICATE`, `HOST_SIGNATURE`, `HOST_FOREIGN`,
 * `HOST_UNREACHABLE`
 */
export async function openLink(parts: LinkParts, hostUrl: string, trust: Trust): Promise<Link> {
  const url = normalizeUrl(hostUrl);
  const patience = { ...parts, deadlineMs: ASK_DEADLINE_MS };
  const { description, shown } = await persist(patience, () =>
    readDescription(
      parts.net.send({ ...get, url: url + DESCRIPTION_PATH, timeoutMs: TRY_TIMEOUT_MS }),
    ),
  );
  await checkTrust({ ...parts, url, description, shown }, trust);
  return {
    url,
    ...shown,
    description,
    ask: (method, params, toll, signal) => ask(parts, url, { method, params, toll, signal }),
    post: (path, { headers, body, signal }) =>
      parts.net.send({
        method: 'POST',
        url: url + path,
        headers,
        body,
        timeoutMs: TRY_TIMEOUT_MS,
        ...(signal ? { signal } : {}),
      }),
  };
}

const jsonHeaders = { 'content-type': 'application/json', accept: 'application/json' };
const get = { method: 'GET', headers: { accept: 'application/json' } } as const;

/**
 * Nothing is bought yet: whatever is strange here costs nothing.
 * @throws Fault `HOST_FOREIGN`, `HOST_SIGNATURE`
 */
async function readDescription(
  answer: Promise<NetResponse>,
): Promise<{ description: Description; shown: ShownKeys }> {
  try {
    const description = parseDescription(jsonOf(accepted(await answer)));
    return { description, shown: readKeys(description) };
  } catch (error) {
    const told = isFault(error) && (error.row.retry === 'same' || error.code === 'HOST_SIGNATURE');
    throw told ? error : new Fault('HOST_FOREIGN', {}, error);
  }
}

/**
 * `127.0.0.1:8402` means plain HTTP on loopback; everything else has to be TLS.
 * @throws Fault `USAGE_INVALID`
 */
export function normalizeUrl(text: string): string {
  const full = /^[a-z]+:\/\//i.test(text)
    ? text
    : `${isLoopbackName(text) ? 'http' : 'https'}://${text}`;
  const url = URL.parse(full);
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new Fault('USAGE_INVALID', { url: text });
  if (url.protocol === 'http:' && !isLoopbackName(url.host)) {
    throw new Fault('USAGE_INVALID', { url: text, problem: 'plain HTTP off loopback' });
  }
  return url.origin;
}

function isLoopbackName(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?(\/|$)/i.test(host);
}

function ask(
  parts: LinkParts,
  url: string,
  request: {
    readonly method: string;
    readonly params: Json;
    readonly toll: string | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Json> {
  const { method, params, toll, signal } = request;
  const envelope = printRequest({ id: 1, method, params, ...(toll === undefined ? {} : { toll }) });
  const body = utf8(JSON.stringify(envelope));
  return persist({ ...parts, deadlineMs: ASK_DEADLINE_MS, signal }, async () => {
    const response = await parts.net.send({
      method: 'POST',
      url: `${url}/rpc`,
      headers: jsonHeaders,
      body,
      timeoutMs: TRY_TIMEOUT_MS,
      ...(signal ? { signal } : {}),
    });
    return parseResponse(jsonOf(response), 1).result;
  });
}

/** The answer, if it is one. @throws Fault what the host reported */
export function accepted(answer: NetResponse): NetResponse {
  if (answer.status === 200) return answer;
  let problem: Json;
  try {
    problem = parseJson(answer.body);
  } catch {
    throw foreign(answer);
  }
  throw fromProblem(problem);
}

function jsonOf(answer: NetResponse): Json {
  try {
    return parseJson(answer.body);
  } catch {
    throw foreign(answer);
  }
}

/**
 * Not the host's words: a proxy on the way says that it got no answer, or it is not our protocol.
 */
function foreign({ status }: NetResponse): Fault {
  const proxy = [502, 503, 504].includes(status);
  return new Fault(proxy ? 'CALL_UNANSWERED' : 'HOST_MALFORMED', { status });
}
