/**
 * A host as a payer sees it: where it is, which key it must show, how to ask it something.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import { Fault, fromProblem, isFault } from '../base/fault/index.ts';
import { parseJson, type Json } from '../base/json/index.ts';
import type { Random } from '../base/random/index.ts';
import type { Clock } from '../base/time/index.ts';
import { peerKey, type PeerKey } from '../port/keys/index.ts';
import type { Net, NetResponse } from '../port/net/index.ts';
import type { PayerStore } from '../port/store/index.ts';
import { parseResponse, printRequest } from '../wire/rpc/index.ts';
import {
  BALANCE_HEADER,
  DESCRIPTION_PATH,
  parseBalanceHeader,
  parseDescription,
  toAuthorization,
  type CallBalance,
  type Description,
} from '../wire/toll/index.ts';
import { ASK_DEADLINE_MS, TRY_TIMEOUT_MS } from './limits.ts';
import { persist } from './retry.ts';

/** What a link works with. */
export interface LinkParts {
  readonly net: Net;
  readonly store: PayerStore;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * How to know that a host is the right one: its key, the key's fingerprint, or the first one it
 * shows.
 */
export interface Trust {
  /** SPKI in PEM, from a file that the seller gave out. */
  readonly hostKeyPem?: string;
  /** SHA-256 of the key in DER, hex. */
  readonly fingerprint?: string;
}

/** A host whose key is the expected one. */
export interface Link {
  readonly url: string;
  readonly key: PeerKey;
  readonly description: Description;
  /**
   * JSON-RPC, tried again while the way or the moment is bad.
   * @throws Fault what the host reported
   */
  ask(method: string, params: Json, toll?: string): Promise<Json>;
  /** One try of `POST /call/<service>`. */
  call(
    service: string,
    input: Uint8Array,
    credential: string,
    signal?: AbortSignal,
  ): Promise<{ body: Uint8Array; balance: CallBalance }>;
}

/**
 * Reads a host's description and checks its key.
 * @throws Fault `HOST_KEY_CHANGED`, `HOST_FOREIGN`, `HOST_UNREACHABLE`
 */
export async function openLink(parts: LinkParts, hostUrl: string, trust: Trust): Promise<Link> {
  const url = normalizeUrl(hostUrl);
  const patience = { ...parts, deadlineMs: ASK_DEADLINE_MS };
  const { description, key } = await persist(patience, async () =>
    readDescription(
      await parts.net.send({ ...get, url: url + DESCRIPTION_PATH, timeoutMs: TRY_TIMEOUT_MS }),
    ),
  );
  await checkTrust(parts, url, key, trust);
  return {
    url,
    key,
    description,
    ask: (method, params, toll) => ask(parts, url, { method, params, toll }),
    call: async (service, input, credential, signal) => {
      const response = await parts.net.send({
        method: 'POST',
        url: `${url}/call/${service}`,
        headers: { ...jsonHeaders, authorization: toAuthorization(credential) },
        body: input,
        timeoutMs: TRY_TIMEOUT_MS,
        ...(signal ? { signal } : {}),
      });
      const { body, headers } = accepted(response);
      return { body, balance: parseBalanceHeader(headers[BALANCE_HEADER]) };
    },
  };
}

const jsonHeaders = { 'content-type': 'application/json', accept: 'application/json' };
const get = { method: 'GET', headers: { accept: 'application/json' } } as const;

/** Nothing is bought yet: whatever is strange here costs nothing. @throws Fault `HOST_FOREIGN` */
function readDescription(answer: NetResponse): { description: Description; key: PeerKey } {
  try {
    const description = parseDescription(jsonOf(accepted(answer)));
    const key = peerKey(description.host_key);
    if (key.fingerprint !== description.host_key_fingerprint) throw new Fault('HOST_FOREIGN');
    return { description, key };
  } catch (error) {
    const passing = isFault(error) && error.row.retry === 'same';
    throw passing ? error : new Fault('HOST_FOREIGN', {}, error);
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

async function checkTrust(
  parts: LinkParts,
  url: string,
  key: PeerKey,
  trust: Trust,
): Promise<void> {
  const { fingerprint } = key;
  const told =
    trust.hostKeyPem === undefined ? trust.fingerprint : peerKey(trust.hostKeyPem).fingerprint;
  if (told !== undefined) {
    if (told !== fingerprint)
      throw new Fault('HOST_KEY_CHANGED', { expected: told, shown: fingerprint });
    return;
  }
  const pinned = await parts.store.pin({ host: url, fingerprint, pinnedAtMs: parts.clock.now() });
  if (pinned.fingerprint !== fingerprint) {
    throw new Fault('HOST_KEY_CHANGED', { expected: pinned.fingerprint, shown: fingerprint });
  }
}

function ask(
  parts: LinkParts,
  url: string,
  request: { readonly method: string; readonly params: Json; readonly toll: string | undefined },
): Promise<Json> {
  const { method, params, toll } = request;
  const envelope = printRequest({ id: 1, method, params, ...(toll === undefined ? {} : { toll }) });
  const body = utf8(JSON.stringify(envelope));
  return persist({ ...parts, deadlineMs: ASK_DEADLINE_MS }, async () => {
    const response = await parts.net.send({
      method: 'POST',
      url: `${url}/rpc`,
      headers: jsonHeaders,
      body,
      timeoutMs: TRY_TIMEOUT_MS,
    });
    return parseResponse(jsonOf(response), 1).result;
  });
}

/** The answer, if it is one. @throws Fault what the host reported */
function accepted(answer: NetResponse): NetResponse {
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
