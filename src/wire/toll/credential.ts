/**
 * Credentials of tollcall's own protocol: `Authorization: Toll <credential>` on HTTP, the member
 * `toll` on JSON-RPC.
 *
 * `b1.` and 80 bytes in base64url: a call of a bundle. `a1.` and 64 bytes: a question.
 * @module
 */
import {
  bytesOf,
  concat,
  fromBase64url,
  fromHex,
  readU64,
  toBase64url,
  toHex,
  u64,
} from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';

/** The credential of one call. */
export interface CallCredential {
  /** 16 bytes, hex. */
  readonly session: string;
  readonly n: bigint;
  readonly done: bigint;
  /** 16 bytes. */
  readonly salt: Uint8Array;
  /** 32 bytes. */
  readonly code: Uint8Array;
}

/** The credential of one question. */
export type AskCredential = Pick<CallCredential, 'session' | 'salt' | 'code'>;

/** The media type of an encrypted body. */
export const ENCRYPTED_TYPE = 'application/vnd.tollcall.encrypted';

const SCHEME = /^toll /i;
const CALL_PREFIX = 'b1.';
const ASK_PREFIX = 'a1.';
const CALL_BYTES = 80;
const ASK_BYTES = 64;

/** The text of a call's credential. */
export function printCall(credential: CallCredential): string {
  const { session, n, done, salt, code } = credential;
  const bytes = concat(fromHex(session, 'session'), u64(n), u64(done), salt, code);
  return CALL_PREFIX + toBase64url(bytesOf(bytes, CALL_BYTES, 'credential'));
}

/** Reads a call's credential. @throws Fault `CODE_MALFORMED` */
export function parseCall(text: string): CallCredential {
  const bytes = decode(text, CALL_PREFIX, CALL_BYTES);
  return {
    session: toHex(bytes.slice(0, 16)),
    n: readU64(bytes, 16),
    done: readU64(bytes, 24),
    salt: bytes.slice(32, 48),
    code: bytes.slice(48, 80),
  };
}

/** The text of a question's credential. */
export function printAsk(credential: AskCredential): string {
  const bytes = concat(fromHex(credential.session, 'session'), credential.salt, credential.code);
  return ASK_PREFIX + toBase64url(bytesOf(bytes, ASK_BYTES, 'credential'));
}

/** Reads a question's credential. @throws Fault `CODE_MALFORMED` */
export function parseAsk(text: string): AskCredential {
  const bytes = decode(text, ASK_PREFIX, ASK_BYTES);
  return {
    session: toHex(bytes.slice(0, 16)),
    salt: bytes.slice(16, 32),
    code: bytes.slice(32, 64),
  };
}

/**
 * The credential in an `Authorization` header.
 * @throws Fault `CODE_MISSING` when there is none for us
 */
export function fromAuthorization(header: string | undefined): string {
  if (header === undefined || !SCHEME.test(header)) throw new Fault('CODE_MISSING');
  return header.slice(header.indexOf(' ')).trim();
}

/** The `Authorization` header of a credential. */
export function toAuthorization(credential: string): string {
  return `Toll ${credential}`;
}

function decode(text: string, prefix: string, length: number): Uint8Array {
  if (!text.startsWith(prefix)) throw new Fault('CODE_MALFORMED');
  try {
    return bytesOf(fromBase64url(text.slice(prefix.length), 'credential'), length, 'credential');
  } catch {
    throw new Fault('CODE_MALFORMED');
  }
}
