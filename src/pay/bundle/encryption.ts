/**
 * Encrypted calls: input and answer under keys of the session, for ways without TLS.
 *
 * Each message has a key of its own, made of a salt of its own, so no key ever encrypts two
 * messages.
 * What a message belongs to is bound to it: the credential, the service, and for an answer its
 * status and balance.
 * @module
 */
import { concat, lengthPrefixed, utf8 } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { hkdf32, decryptOnce, encryptOnce, sha256 } from '../../base/hash/index.ts';

const REQUEST_TAG = utf8('tollcall/bundle/encrypt-request/1');
const ANSWER_TAG = utf8('tollcall/bundle/encrypt-answer/1');
const CODE_TAG = utf8('tollcall/bundle/encrypt-code/1');
const SALT_BYTES = 16;

/** The message that a call is sent in. */
export interface EncryptedCall {
  /** The key of the session's codes. */
  readonly codeKey: Uint8Array;
  /** That of the credential. */
  readonly salt: Uint8Array;
  /** The credential as a text. */
  readonly credential: string;
  readonly service: string;
}

/** What an answer says besides its body. */
export interface AnswerHead {
  /** Of HTTP. */
  readonly status: number;
  /** The header `Toll-Session`; empty when there is none. */
  readonly balance: string;
}

/**
 * What the code of an encrypted call is made over, in place of the request's hash: the credential
 * is read on the way, and in the clear it must not ask for the answer to a guessed input.
 */
export function encryptedHash(requestHash: Uint8Array): Uint8Array {
  return sha256(concat(CODE_TAG, requestHash));
}

/** The input, encrypted by the payer. */
export function encryptRequest(call: EncryptedCall, plain: Uint8Array): Uint8Array {
  return encryptOnce(requestKey(call), plain, requestBound(call));
}

/** The input, opened by the host. @throws Fault `CODE_DECRYPT` */
export function decryptRequest(call: EncryptedCall, encrypted: Uint8Array): Uint8Array {
  try {
    return decryptOnce(requestKey(call), encrypted, requestBound(call));
  } catch {
    throw new Fault('CODE_DECRYPT');
  }
}

/**
 * The answer, encrypted by the host.
 * @param salt 16 bytes, fresh for every answer: a repeat may have another one
 */
export function encryptAnswer(
  call: EncryptedCall,
  answer: AnswerHead & { readonly salt: Uint8Array; readonly plain: Uint8Array },
): Uint8Array {
  const { salt, plain } = answer;
  return concat(salt, encryptOnce(answerKey(call, salt), plain, answerBound(call, answer)));
}

/** The answer, opened by the payer. @throws Fault `HOST_MALFORMED` */
export function decryptAnswer(
  call: EncryptedCall,
  head: AnswerHead,
  encrypted: Uint8Array,
): Uint8Array {
  const salt = encrypted.subarray(0, SALT_BYTES);
  try {
    const key = answerKey(call, salt);
    return decryptOnce(key, encrypted.subarray(SALT_BYTES), answerBound(call, head));
  } catch {
    throw new Fault('HOST_MALFORMED', { where: 'encrypted answer' });
  }
}

function requestKey({ codeKey, salt }: EncryptedCall): Uint8Array {
  return hkdf32(codeKey, salt, REQUEST_TAG);
}

function requestBound({ credential, service }: EncryptedCall): Uint8Array {
  return lengthPrefixed(REQUEST_TAG, utf8(credential), utf8(service));
}

function answerKey({ codeKey, salt }: EncryptedCall, answerSalt: Uint8Array): Uint8Array {
  return hkdf32(codeKey, concat(salt, answerSalt), ANSWER_TAG);
}

function answerBound({ credential, service }: EncryptedCall, head: AnswerHead): Uint8Array {
  const said = [utf8(`${head.status}`), utf8(head.balance)];
  return lengthPrefixed(ANSWER_TAG, utf8(credential), utf8(service), ...said);
}
