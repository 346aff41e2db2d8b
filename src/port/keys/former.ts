/**
 * The keys that a host had before, in `former/<number>/` of its directory: number 1 was replaced by
 * the first rotation.
 *
 * A rotation is one rename, which gives such a directory its name; the new keys come in it as
 * `next_*.pem` and are moved to their places afterwards, by whoever opens the directory.
 * @module
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fromBase64url, toBase64url } from '../../base/bytes/index.ts';
import { Fault, isFault } from '../../base/fault/index.ts';
import { unixMs } from '../../base/time/index.ts';
import { receiptSigner, rsaOperations } from './identity.ts';
import { assertRsa4096, fingerprintOf, peerKey, type FormerKeys } from './keys.ts';
import { assertOwnFolder, moveFile, readKeyFile } from './private-files.ts';
import type { Succession } from './succession.ts';

/** RSA-4096, PKCS #8 in PEM. */
export const HOST_KEY_FILE = 'host_key.pem';
/** Ed25519, PKCS #8 in PEM. */
export const RECEIPT_KEY_FILE = 'receipt_key.pem';
/** The certificate chain of the host's key, if there is one. */
export const CERTIFICATE_FILE = 'host_cert.pem';
/** Where the former keys stand. */
export const FORMER_DIR = 'former';
/** Its presence says that this key, and each older one, was declared stolen. */
export const REVOKED_FILE = 'revoked';
/** What is publicly known of a former key. */
export const SUCCESSION_FILE = 'succession.json';
/** The key that follows, until it is in its place. */
export const NEXT_HOST_KEY_FILE = `next_${HOST_KEY_FILE}`;
/** The receipt key that follows, until it is in its place. */
export const NEXT_RECEIPT_KEY_FILE = `next_${RECEIPT_KEY_FILE}`;

const binary = z.string().regex(/^[\w-]{1,1000}$/);
const moment = z.number().int().nonnegative();
const schema = z.strictObject({
  version: z.literal(1),
  host_key: z.string(),
  next: z.string().regex(/^[0-9a-f]{64}$/),
  at_ms: moment,
  until_ms: moment,
  signature: binary,
  countersignature: binary,
  receipt_certificate: binary,
});

/** The text of `succession.json`. */
export function printFormer(
  publicPem: string,
  receiptCertificate: Uint8Array,
  succession: Succession,
): string {
  const record: z.infer<typeof schema> = {
    version: 1,
    host_key: publicPem,
    next: succession.to,
    at_ms: succession.atMs,
    until_ms: succession.untilMs,
    signature: toBase64url(succession.signature),
    countersignature: toBase64url(succession.countersignature),
    receipt_certificate: toBase64url(receiptCertificate),
  };
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** The numbers of the former keys: 1, 2 and so on. @throws Fault `KEY_MALFORMED` for a gap */
export function formerNumbers(dir: string): readonly number[] {
  const folder = join(dir, FORMER_DIR);
  if (!existsSync(folder)) return [];
  const numbers = readdirSync(folder)
    .filter((name) => /^[1-9]\d{0,8}$/.test(name))
    .map(Number)
    .toSorted((a, b) => a - b);
  if (numbers.some((number, i) => number !== i + 1)) {
    throw new Fault('KEY_MALFORMED', { dir: folder, expected: 'every former key' });
  }
  return numbers;
}

/** The directory of a former key. */
export function formerDir(dir: string, number: number): string {
  return join(dir, FORMER_DIR, `${number}`);
}

/** Where the new keys of a rotation wait that was not finished. */
export function pendingRotation(dir: string): string | undefined {
  const place = formerDir(dir, formerNumbers(dir).length);
  return existsSync(join(place, NEXT_HOST_KEY_FILE)) ? place : undefined;
}

/**
 * Puts the new keys of a rotation in their places. Done again after a crash, or by two processes at
 * once, it has the same end: the host key comes last.
 */
export function finishRotation(dir: string): void {
  const from = pendingRotation(dir);
  if (from === undefined) return;
  if (existsSync(join(dir, CERTIFICATE_FILE))) {
    moveFile(join(dir, CERTIFICATE_FILE), join(from, CERTIFICATE_FILE));
  }
  if (existsSync(join(from, NEXT_RECEIPT_KEY_FILE))) {
    moveFile(join(from, NEXT_RECEIPT_KEY_FILE), join(dir, RECEIPT_KEY_FILE));
  }
  moveFile(join(from, NEXT_HOST_KEY_FILE), join(dir, HOST_KEY_FILE));
}

/** A former key that was read, and how its RSA key is destroyed. */
export interface LoadedFormer {
  readonly keys: FormerKeys;
  destroy(): void;
}

/** Reads the former keys, oldest first. @throws Fault `KEY_EXPOSED`, `KEY_MALFORMED` */
export function loadFormer(dir: string): readonly LoadedFormer[] {
  const numbers = formerNumbers(dir);
  if (numbers.length > 0) assertOwnFolder(join(dir, FORMER_DIR));
  const revoked = numbers.findLast((number) =>
    existsSync(join(formerDir(dir, number), REVOKED_FILE)),
  );
  return numbers.map((number) => loadOne(dir, number, number <= (revoked ?? 0)));
}

function loadOne(dir: string, number: number, revoked: boolean): LoadedFormer {
  const place = formerDir(dir, number);
  assertOwnFolder(place);
  const { publicPem, fingerprint, receiptCertificate, succession } = readRecord(place, number);
  const rsaFile = join(place, HOST_KEY_FILE);
  let rsa =
    revoked || !existsSync(rsaFile) ? undefined : rsaOperations(rsaOf(rsaFile, fingerprint));
  const held = (): NonNullable<typeof rsa> => {
    if (rsa === undefined) throw new Fault('SETUP_HOST_KEY');
    return rsa;
  };
  const keys: FormerKeys = {
    publicPem,
    fingerprint,
    succession,
    revoked,
    opensUntilMs: rsa ? succession.untilMs : unixMs(0),
    receiptCertificate,
    ...receiptSigner(readKeyFile(join(place, RECEIPT_KEY_FILE))),
    unwrap: async (wrapped) => held().unwrap(wrapped),
    sign: async (statement) => held().sign(statement),
  };
  const destroy = (): void => {
    rsa = undefined;
    rmSync(rsaFile, { force: true });
  };
  return { keys, destroy };
}

interface FormerRecord {
  readonly publicPem: string;
  readonly fingerprint: string;
  readonly receiptCertificate: Uint8Array;
  readonly succession: Succession;
}

function readRecord(place: string, number: number): FormerRecord {
  const file = join(place, SUCCESSION_FILE);
  try {
    const record = schema.parse(JSON.parse(readFileSync(file, 'utf8')));
    const { publicPem, fingerprint } = peerKey(record.host_key);
    const succession = {
      from: fingerprint,
      to: record.next,
      number,
      atMs: unixMs(record.at_ms),
      untilMs: unixMs(record.until_ms),
      signature: fromBase64url(record.signature, 'signature'),
      countersignature: fromBase64url(record.countersignature, 'countersignature'),
    };
    const receiptCertificate = fromBase64url(record.receipt_certificate, 'receipt_certificate');
    return { publicPem, fingerprint, receiptCertificate, succession };
  } catch (error) {
    if (isMissing(error)) throw error;
    throw new Fault('KEY_MALFORMED', { file, expected: 'a succession' }, error);
  }
}

function isMissing(error: unknown): boolean {
  return !isFault(error) && error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function rsaOf(file: string, fingerprint: string): KeyObject {
  const rsa = assertRsa4096(readKeyFile(file));
  if (fingerprintOf(createPublicKey(rsa)) === fingerprint) return rsa;
  throw new Fault('KEY_MALFORMED', { file, expected: 'the key of its succession' });
}
