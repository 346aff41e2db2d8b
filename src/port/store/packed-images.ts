/**
 * What a commit writes for calls, as one block of bytes: it crosses to the writer thread at the
 * price of a copy, and goes into the file as it is.
 * @module
 */
import { Buffer } from 'node:buffer';
import type { Bytes } from '../../base/bytes/index.ts';
import { encodeEntries, imageOf, type SessionNumbers } from '../../pay/ledger/index.ts';
import type { Msat } from '../../base/money/index.ts';
import type { CommitGroup, GroupRefusal, GroupResult, SessionImage } from './host-store.ts';

/** The groups of one commit: first those that are images, in bytes, then the others. */
export interface PackedCommit {
  readonly images: Bytes;
  readonly groups: readonly CommitGroup[];
}

/** What became of them. */
export interface PackedResult {
  /** Of each image in turn: undefined when it was written. */
  readonly refusals: readonly (GroupRefusal | undefined)[];
  /** `NUMBERS_OF_IMAGE` for each image. */
  readonly numbers: BigInt64Array;
  readonly groups: readonly GroupResult[];
}

/** Version, debits pending and posted, credits pending and posted, folded. */
export const NUMBERS_OF_IMAGE = 6;

/** An image as the writer reads it. */
export interface PackedImage {
  readonly session: string;
  readonly version: bigint;
  readonly chargedMsat: Msat;
  readonly chargedCalls: number;
  /** What `encodeEntries` made. */
  readonly entries: Uint8Array;
  /** All of its bytes. */
  readonly packed: Uint8Array;
}

/** Session in hex (32), version (8), charged (8), charged calls (4), length of the entries (4). */
const HEAD_BYTES = 56;
const SESSION_CHARACTERS = 32;

/** Packs the images that the groups begin with. */
export function packCommit(groups: readonly CommitGroup[]): PackedCommit {
  const parts: Uint8Array[] = [];
  let packed = 0;
  for (const group of groups) {
    const image = onlyImage(group);
    if (image === undefined) break;
    parts.push(...packImage(image));
    packed++;
  }
  return { images: new Uint8Array(Buffer.concat(parts)), groups: groups.slice(packed) };
}

/** The results of all groups. */
export function unpackResults(
  groups: readonly CommitGroup[],
  { refusals, numbers, groups: others }: PackedResult,
): GroupResult[] {
  const results = refusals.map((code, i): GroupResult => {
    const image = groups[i]?.images?.[0];
    if (code !== undefined || image === undefined) return { code: code ?? 'session_unknown' };
    const at = NUMBERS_OF_IMAGE * i;
    const touched = { session: image.session, numbers: numbersOf(image, numbers, at) };
    return { code: 'ok', touched: [touched] };
  });
  return results.concat(others);
}

/** Reads packed images one after the other. */
export function* unpackImages(images: Uint8Array): Generator<PackedImage> {
  const bytes = Buffer.from(images.buffer, images.byteOffset, images.byteLength);
  for (let at = 0; at < bytes.length;) {
    const end = at + HEAD_BYTES + bytes.readUInt32BE(at + 52);
    yield {
      session: bytes.toString('latin1', at, at + SESSION_CHARACTERS),
      version: bytes.readBigInt64BE(at + 32),
      chargedMsat: bytes.readBigInt64BE(at + 40) as Msat,
      chargedCalls: bytes.readUInt32BE(at + 48),
      entries: bytes.subarray(at + HEAD_BYTES, end),
      packed: bytes.subarray(at, end),
    };
    at = end;
  }
}

/** The image of a group that has nothing else. */
function onlyImage(group: CommitGroup): SessionImage | undefined {
  const { images, answers, forget, ...others } = group;
  const more = (answers?.length ?? 0) + (forget?.length ?? 0) + Object.keys(others).length;
  const image = more === 0 && images?.length === 1 ? images[0] : undefined;
  return image?.session.length === SESSION_CHARACTERS ? image : undefined;
}

function packImage({ session, version, calls }: SessionImage): [Uint8Array, Uint8Array] {
  const entries = encodeEntries(imageOf(calls));
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.write(session, 0, SESSION_CHARACTERS, 'latin1');
  head.writeBigInt64BE(version, 32);
  head.writeBigInt64BE(calls.chargedMsat, 40);
  head.writeUInt32BE(calls.chargedCalls, 48);
  head.writeUInt32BE(entries.length, 52);
  return [head, entries];
}

function numbersOf(image: SessionImage, numbers: BigInt64Array, at: number): SessionNumbers {
  const number = (i: number): Msat => (numbers[at + i] ?? 0n) as Msat;
  return {
    version: number(0),
    counters: {
      debitsPendingMsat: number(1),
      debitsPostedMsat: number(2),
      creditsPendingMsat: number(3),
      creditsPostedMsat: number(4),
    },
    foldedMsat: number(5),
    calls: imageOf(image.calls),
  };
}
