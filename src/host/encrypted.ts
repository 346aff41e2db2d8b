/**
 * Encrypted calls: the input comes in a box that only the session's key opens, and the answer, or
 * what is wrong, goes back in another one.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import { toProblem, type Fault } from '../base/fault/index.ts';
import { parseJson } from '../base/json/index.ts';
import type { Random } from '../base/random/index.ts';
import { decryptRequest, encryptAnswer, type EncryptedCall } from '../pay/bundle/index.ts';
import { BALANCE_HEADER, ENCRYPTED_TYPE, printBalanceHeader } from '../wire/toll/index.ts';
import type { Counter } from './calls.ts';
import type { HostRequest, HostResponse } from './message.ts';

/** What encrypted calls are answered with. */
export interface EncryptedParts {
  readonly counter: Counter;
  readonly random: Random;
  /** The fault to show; what is not one is logged. */
  readonly reported: (error: unknown) => Fault;
}

/** True when the body is encrypted. */
export function isEncrypted(request: HostRequest): boolean {
  return request.header('content-type') === ENCRYPTED_TYPE;
}

/**
 * Serves an encrypted call.
 * @throws Fault in the clear, before it is known who asks: `SERVICE_UNKNOWN`, `CODE_MALFORMED`,
 * `SESSION_UNKNOWN`, `CODE_DECRYPT`
 */
export async function encryptedCall(
  { counter, random, reported }: EncryptedParts,
  call: { readonly credential: string; readonly service: string; readonly body: Uint8Array },
): Promise<HostResponse> {
  const { credential, service, body } = call;
  const box: EncryptedCall = { credential, service, ...(await counter.callKey(call)) };
  const plain = decryptRequest(box, body);
  const salt = random.bytes(16);
  try {
    const answer = await counter.serve({
      credential,
      service,
      input: parseJson(plain),
      encrypted: true,
    });
    const balance = printBalanceHeader(answer.balance);
    const encrypted = encryptAnswer(box, { status: 200, balance, salt, plain: answer.body });
    return encryptedResponse(200, encrypted, { [BALANCE_HEADER]: balance });
  } catch (error) {
    const fault = reported(error);
    const { status } = fault.row;
    const problem = utf8(JSON.stringify(toProblem(fault)));
    return encryptedResponse(
      status,
      encryptAnswer(box, { status, balance: '', salt, plain: problem }),
    );
  }
}

function encryptedResponse(
  status: number,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): HostResponse {
  return {
    status,
    headers: { 'content-type': ENCRYPTED_TYPE, 'cache-control': 'no-store', ...headers },
    body,
  };
}
