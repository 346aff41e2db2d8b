/**
 * The file of a log: what was committed and is not in the database yet, in a preallocated file
 * beside it. One write for each commit.
 *
 *     page 0             name (16), id (16), bytes of a half (8), base (8), CRC-32 (4)
 *     first half         blocks, each on pages of its own: writing one cannot harm another
 *     second half        the same; the halves are used in turn
 *
 *     a block            id (16), sequence (8), kind (4), length (4), CRC-32 (4), images
 *
 * Sequences rise by one from `base` + 1 on. The database says up to which one everything is in it;
 * the blocks above must be there without a gap, for only the last one can have been under way when
 * a process ended. The id of the log, which nobody outside knows, keeps images from looking like
 * blocks. Big endian.
 * @module
 */
import {
  closeSync,
  constants,
  fsyncSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { sameBytes } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { syncPath } from './backup.ts';
import { LOG_PAGE_BYTES, MAX_BLOCK_BYTES, MIN_LOG_BYTES } from './limits.ts';

/** What a block holds. Kept in the log: append only. */
export const BLOCK_KINDS = ['sessions', 'lanes'] as const;
/** What a block holds. */
export type BlockKind = (typeof BLOCK_KINDS)[number];

/** What one commit has written. */
export interface LogBlock {
  readonly sequence: number;
  readonly kind: BlockKind;
  readonly images: Uint8Array;
}

/** What a log says of itself. */
export interface LogHead {
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** Blocks were written from the one after this: up to here everything is in the database. */
  readonly base: number;
  readonly halfBytes: number;
}

/** A log as it was found. */
export interface FoundLog extends LogHead {
  /** All that are whole, by their sequence. */
  readonly blocks: ReadonlyMap<number, LogBlock>;
  /** The file is as long as it was made. */
  readonly whole: boolean;
}

/** What a log is made with. */
export interface LogOptions extends Pick<LogHead, 'id' | 'base'> {
  readonly file: string;
  /** Of both halves together. */
  readonly bytes: number;
}

const NAME = Buffer.from('tollcall spend 1', 'latin1');
const FILE_HEAD_BYTES = 52;
const BLOCK_HEAD_BYTES = 36;
const ID_BYTES = 16;
const FILL_BYTES = 1 << 20;

/** Can this system write durably in one call? */
export const CAN_LOG = typeof constants.O_DSYNC === 'number';

/** Makes the file, whole and on the disk, in the place of what was there. */
export function createLog({ file, id, base, bytes }: LogOptions): LogHead {
  const least = Math.max(bytes, MIN_LOG_BYTES) / 2;
  const halfBytes = Math.ceil(least / LOG_PAGE_BYTES) * LOG_PAGE_BYTES;
  const head = { id, base, halfBytes };
  const handle = openSync(file, 'w', 0o600);
  try {
    fill(handle, LOG_PAGE_BYTES + 2 * halfBytes);
    writeAll(handle, printHead(head), 0);
    fsyncSync(handle);
  } catch (error) {
    closeSync(handle);
    rmSync(file, { force: true });
    throw error;
  }
  closeSync(handle);
  syncPath(dirname(file));
  return head;
}

/** Opens a log so that a write is durable when it returns. */
export function openToWrite(file: string): number {
  return openSync(file, constants.O_WRONLY | constants.O_DSYNC);
}

/** The blocks of a log that is written: where the next one stands, and its bytes. */
export class LogBlocks {
  readonly #head: LogHead;
  #bytes = Buffer.alloc(LOG_PAGE_BYTES);
  #half = 0;
  #at = 0;
  #last: number;
  #otherEnd: number;

  constructor(head: LogHead) {
    this.#head = head;
    this.#last = head.base;
    this.#otherEnd = head.base;
  }

  /** The sequence of the last block. */
  get last(): number {
    return this.#last;
  }

  /** The sequence of the last block in the half that is not in use. */
  get otherEnd(): number {
    return this.#otherEnd;
  }

  /** The most bytes of images in a block. */
  get maxBytes(): number {
    return Math.min(MAX_BLOCK_BYTES, this.#head.halfBytes - BLOCK_HEAD_BYTES);
  }

  /** Is there room in this half? */
  hasRoom(imageBytes: number): boolean {
    return this.#at + pagesOf(imageBytes) <= this.#head.halfBytes;
  }

  /** Goes on in the other half. All that is in there must be in the database. */
  turn(): void {
    this.#half = 1 - this.#half;
    this.#at = 0;
    this.#otherEnd = this.#last;
  }

  /** The next block, and its place in the file. Its bytes hold until the one after it. */
  next(
    kind: BlockKind,
    images: readonly Uint8Array[],
  ): { readonly block: Buffer; readonly position: number } {
    const imageBytes = images.reduce((total, part) => total + part.length, 0);
    const size = pagesOf(imageBytes);
    const { id, halfBytes } = this.#head;
    if (this.#at + size > halfBytes) throw new Error('invariant: there is room in the log');
    if (this.#bytes.length < size) this.#bytes = Buffer.alloc(size);
    const block = this.#bytes.subarray(0, size);
    block.set(id);
    block.writeBigUInt64BE(BigInt(this.#last + 1), 16);
    block.writeUInt32BE(BLOCK_KINDS.indexOf(kind), 24);
    block.writeUInt32BE(imageBytes, 28);
    let end = BLOCK_HEAD_BYTES;
    for (const part of images) {
      block.set(part, end);
      end += part.length;
    }
    block.fill(0, end);
    block.writeUInt32BE(crcOf(block, imageBytes), 32);
    const position = LOG_PAGE_BYTES + this.#half * halfBytes + this.#at;
    this.#at += size;
    this.#last++;
    return { block, position };
  }
}

/** The images from `from` on that go into one block, at least one, and how many bytes they are. */
export function nextBlock<T extends { readonly packed: Uint8Array }>(
  images: readonly T[],
  from: number,
  maxBytes: number,
): { readonly block: readonly T[]; readonly bytes: number } {
  let [to, bytes] = [from, 0];
  for (; to < images.length; to++) {
    const size = images[to]?.packed.length ?? 0;
    if (bytes + size > maxBytes && to > from) break;
    bytes += size;
  }
  return { block: images.slice(from, to), bytes };
}

/** Writes all of the bytes. */
export function writeAll(handle: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length;) {
    const written = writeSync(handle, bytes, at, bytes.length - at, position + at);
    if (written === 0) throw new Fault('STORE_FULL');
    at += written;
  }
}

/** Reads the head of a log; undefined when there is none, or it was never made to the end. */
export function readLogHead(file: string): LogHead | undefined {
  return readIfThere(file, (handle) => {
    const bytes = Buffer.alloc(FILE_HEAD_BYTES);
    return parseHead(bytes.subarray(0, readSync(handle, bytes)));
  });
}

/** Reads a log; undefined when there is none, or it was never made to the end. */
export function readLog(file: string): FoundLog | undefined {
  const bytes = readIfThere(file, (handle) => readFileSync(handle));
  const head = bytes && parseHead(bytes);
  if (bytes === undefined || head === undefined) return undefined;
  const blocks = new Map<number, LogBlock>();
  for (let at = LOG_PAGE_BYTES; at + BLOCK_HEAD_BYTES <= bytes.length;) {
    const block = readBlock(bytes, at, head.id);
    if (block !== undefined) blocks.set(block.sequence, block);
    at += block === undefined ? LOG_PAGE_BYTES : pagesOf(block.images.length);
  }
  return { ...head, blocks, whole: bytes.length === LOG_PAGE_BYTES + 2 * head.halfBytes };
}

function readIfThere<T>(file: string, read: (handle: number) => T): T | undefined {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return fstatSync(handle).isFile() ? read(handle) : undefined;
  } finally {
    closeSync(handle);
  }
}

function parseHead(bytes: Buffer): LogHead | undefined {
  if (bytes.length < FILE_HEAD_BYTES) return undefined;
  const head = bytes.subarray(0, FILE_HEAD_BYTES);
  if (!sameBytes(head.subarray(0, NAME.length), NAME)) return undefined;
  if (head.readUInt32BE(48) !== crc32(head.subarray(0, 48))) return undefined;
  return {
    id: head.subarray(16, 16 + ID_BYTES),
    halfBytes: Number(head.readBigUInt64BE(32)),
    base: Number(head.readBigUInt64BE(40)),
  };
}

function printHead({ id, halfBytes, base }: LogHead): Buffer {
  const head = Buffer.alloc(FILE_HEAD_BYTES);
  head.set(NAME);
  head.set(id, 16);
  head.writeBigUInt64BE(BigInt(halfBytes), 32);
  head.writeBigUInt64BE(BigInt(base), 40);
  head.writeUInt32BE(crc32(head.subarray(0, 48)), 48);
  return head;
}

function readBlock(bytes: Buffer, at: number, id: Uint8Array): LogBlock | undefined {
  if (bytes.compare(id, 0, ID_BYTES, at, at + ID_BYTES) !== 0) return undefined;
  const kind = BLOCK_KINDS[bytes.readUInt32BE(at + 24)];
  const imageBytes = bytes.readUInt32BE(at + 28);
  const end = at + BLOCK_HEAD_BYTES + imageBytes;
  if (kind === undefined || end > bytes.length) return undefined;
  const block = bytes.subarray(at, end);
  if (block.readUInt32BE(32) !== crcOf(block, imageBytes)) return undefined;
  const sequence = Number(block.readBigUInt64BE(16));
  return { sequence, kind, images: block.subarray(BLOCK_HEAD_BYTES) };
}

/** Of all of a block but the CRC itself. */
function crcOf(block: Buffer, imageBytes: number): number {
  const head = crc32(block.subarray(0, BLOCK_HEAD_BYTES - 4));
  return crc32(block.subarray(BLOCK_HEAD_BYTES, BLOCK_HEAD_BYTES + imageBytes), head);
}

/** Bytes that a block takes with that much in it. */
function pagesOf(imageBytes: number): number {
  return Math.ceil((BLOCK_HEAD_BYTES + imageBytes) / LOG_PAGE_BYTES) * LOG_PAGE_BYTES;
}

/** Zeros that are written, not only reserved: else the first lap would be slow. */
function fill(handle: number, bytes: number): void {
  const zeros = Buffer.alloc(Math.min(FILL_BYTES, bytes));
  for (let at = 0; at < bytes; at += zeros.length) {
    writeAll(handle, zeros.subarray(0, Math.min(zeros.length, bytes - at)), at);
  }
}
