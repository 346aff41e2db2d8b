/**
 * The spend log: the log of a host's file that the store itself writes.
 * @module
 */
import { closeSync } from 'node:fs';
import {
  LogBlocks,
  createLog,
  openToWrite,
  writeAll,
  type BlockKind,
  type LogOptions,
} from './log-file.ts';

/** A log that is written. */
export class SpendLog {
  readonly blocks: LogBlocks;
  readonly #handle: number;

  /** Makes the file, whole and on the disk, in the place of what was there. */
  constructor(options: LogOptions) {
    this.blocks = new LogBlocks(createLog(options));
    this.#handle = openToWrite(options.file);
  }

  /** Writes a block; it is durable when this returns. There must be room. */
  append(kind: BlockKind, images: readonly Uint8Array[]): void {
    const { block, position } = this.blocks.next(kind, images);
    writeAll(this.#handle, block, position);
  }

  close(): void {
    closeSync(this.#handle);
  }
}
