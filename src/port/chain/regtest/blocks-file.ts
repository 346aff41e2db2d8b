/**
 * The file that keeps the blocks of a regtest chain, in the order in which they were accepted.
 *
 * Kept on disk, append only: records of a u32 length and a raw block, in the order of acceptance,
 * so that replaying them repeats every reorganisation. A torn tail is cut off.
 * @module
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { concat, u32 } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';

const LENGTH_BYTES = 4;

/** An open blocks file. */
export interface BlocksFile {
  /** Writes blocks and waits until they are durable. @throws Fault `STORE_FAILED` */
  append(blocks: readonly Uint8Array[]): void;
  close(): void;
}

/**
 * Opens or creates the file and hands each block in it to `accept`. The last block may be torn;
 * any other one that is refused means that the file is damaged.
 * @throws Fault `STORE_CORRUPT`, `STORE_FAILED`
 */
export async function openBlocksFile(
  file: string,
  accept: (block: Uint8Array) => Promise<void>,
): Promise<BlocksFile> {
  const handle = storing(() => openSync(file, 'a+', 0o600));
  const bytes = storing(() => readFileSync(handle));
  let end = 0;
  for (const record of records(bytes)) {
    try {
      await accept(record.block);
    } catch (error) {
      if (record.end < bytes.length) throw new Fault('STORE_CORRUPT', { file }, error);
      break;
    }
    end = record.end;
  }
  if (end < bytes.length) storing(() => ftruncateSync(handle, end));
  return {
    append: (blocks) =>
      storing(() => {
        writeAll(handle, concat(...blocks.flatMap((block) => [u32(block.length), block])));
        fsyncSync(handle);
      }),
    close: () => closeSync(handle),
  };
}

function* records(bytes: Buffer): Generator<{ block: Uint8Array; end: number }> {
  let start = 0;
  while (start + LENGTH_BYTES <= bytes.length) {
    const end = start + LENGTH_BYTES + bytes.readUInt32BE(start);
    if (end > bytes.length) return;
    yield { block: bytes.subarray(start + LENGTH_BYTES, end), end };
    start = end;
  }
}

function writeAll(handle: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) written += writeSync(handle, bytes, written);
}

function storing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Fault('STORE_FAILED', {}, error);
  }
}
