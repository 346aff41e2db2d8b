/**
 * One call on its way: in the clear where TLS hides it, else encrypted.
 * @module
 */
import { Fault, fromProblem, isFault, type FaultCode } from '../base/fault/index.ts';
import { parseJson } from '../base/json/index.ts';
import { decryptAnswer, encryptRequest, type EncryptedCall } from '../pay/bundle/index.ts';
import type { NetResponse } from '../port/net/index.ts';
import {
  BALANCE_HEADER,
  ENCRYPTED_TYPE,
  parseBalanceHeader,
  toAuthorization,
  type CallBalance,
} from '../wire/toll/index.ts';
import { accepted, type Link } from './link.ts';

/** What a host says about the one number it was asked for; the number can be forgotten then. */
export const VERDICTS: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'SERVICE_INPUT',
  'SERVICE_FAILED',
  'SERVICE_TIMEOUT',
  'SESSION_EXPIRED',
  'SESSION_EXHAUSTED',
  'CALL_FORGOTTEN',
  'CALL_CONFLICT',
  'CALL_OUTCOME_UNKNOWN',
  'CALL_FAILED',
  'CALL_RERUNS',
]);

/** A call that is ready to be sent. */
export interface CallMessage {
  readonly call: EncryptedCall;
  readonly encrypted: boolean;
  /** JSON. */
  readonly input: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/** An answer that was paid for, now or before. */
export interface CallResponse {
  readonly body: Uint8Array;
  readonly balance: CallBalance;
}

/** One try of `POST /call/<service>`. @throws Fault what the host reported */
export async function sendCall(link: Link, message: CallMessage): Promise<CallResponse> {
  const { call, encrypted, input, signal } = message;
  const type = encrypted ? ENCRYPTED_TYPE : 'application/json';
  const response = await link.post(`/call/${call.service}`, {
    headers: {
      'content-type': type,
      accept: type,
      authorization: toAuthorization(call.credential),
    },
    body: encrypted ? encryptRequest(call, input) : input,
    signal,
  });
  const { body, headers } = encrypted ? opened(call, response) : accepted(response);
  return { body, balance: parseBalanceHeader(headers[BALANCE_HEADER]) };
}

/** @throws Fault what the host reported; `HOST_MALFORMED` for what only a stranger can have said */
function opened(call: EncryptedCall, response: NetResponse): NetResponse {
  const { status, headers } = response;
  if (headers['content-type'] !== ENCRYPTED_TYPE) throw inTheClear(response);
  const head = { status, balance: headers[BALANCE_HEADER] ?? '' };
  const body = decryptAnswer(call, head, response.body);
  if (status !== 200) throw fromProblem(parseJson(body));
  return { ...response, body };
}

/** Somebody on the way could have said it: no number ends by it. */
function inTheClear(response: NetResponse): Fault {
  try {
    accepted(response);
  } catch (error) {
    if (isFault(error) && !VERDICTS.has(error.code)) return error;
  }
  return new Fault('HOST_MALFORMED', { where: 'answer in the clear' });
}
