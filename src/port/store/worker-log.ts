/**
 * The log of a worker, as its process writes it: one durable write for each commit, from the event
 * loop. What it holds is folded into the store by the primary: all of a half while the other one is
 * in use, lanes that are let go, and calls with effect once, which never stand in it.
 * @module
 */
import { closeSync, write } from 'node:fs';
import { sameBytes } from '../../base/bytes/index.ts';
import { Fault, asFault } from '../../base/fault/index.ts';
import { lockLog, type FileLock } from './file-lock.ts';
import type { HostStore, LaneExtra, LaneLogFold, LaneLogPlace } from './host-store.ts';
import { FOLD_SLICE } from './limits.ts';
import { LogBlocks, nextBlock, openToWrite, readLogHead } from './log-file.ts';
import { packLaneLeaps, readLaneImages, type LaneImageRead } from './packed-lanes.ts';
import { storeFault } from './sqlite-file.ts';

/** The log of a worker, open. */
export interface WorkerLogFile extends Pick<HostStore, 'commitLanes' | 'gather'> {
  /**
   * `HostStore.commitLanes`, one after the other; all are written, for nobody else has these lanes.
   * `images` is kept: its bytes must not change afterwards.
   */
  commitLanes(images: Uint8Array, extra?: LaneExtra): Promise<Uint8Array>;
  /** Resolves when all that was written before is in the store: of these lanes, or of all. */
  flush(lanes?: readonly string[]): Promise<void>;
  /** Closes the file and lets its lock go. Folds nothing. */
  close(): Promise<void>;
}

/** Brings what the log of a worker holds into the store. */
export interface LaneLogStore {
  fold(fold: LaneLogFold): Promise<void>;
}

/**
 * Opens the log that `HostStore.openLaneLog` has made. As long as it is open, nobody can close it
 * in the store. When a write or a fold fails, every commit after it rejects with that Fault.
 * @throws Fault `STORE_OWNED` when another process has it, or it was closed meanwhile
 */
export async function openWorkerLog(
  { file, id }: LaneLogPlace,
  store: LaneLogStore,
): Promise<WorkerLogFile> {
  const lock = lockLog(file);
  try {
    const head = readLogHead(file);
    if (head === undefined || !sameBytes(head.id, id)) {
      throw new Fault('STORE_OWNED', { file, reason: 'the log was closed' });
    }
    const blocks = new LogBlocks(head);
    const log = new WorkerLog({ handle: openToWrite(file), blocks, lock, store });
    return {
      // After all sockets that are readable now: their calls go into the same commit.
      gather: () => new Promise((resolve) => setImmediate(resolve)),
      commitLanes: (images, extra) => log.commitLanes(images, extra),
      flush: (lanes) => log.flush(lanes),
      close: () => log.close(),
    };
  } catch (error) {
    lock.close();
    throw storeFault(error, 'STORE_OWNED');
  }
}

/** A lane of which the store has not seen the last image. */
interface AheadLane {
  /** The version of its row in the store. */
  from: number;
  /** The last image. */
  image: LaneImageRead;
}

interface WorkerLogParts {
  readonly handle: number;
  readonly blocks: LogBlocks;
  readonly lock: FileLock;
  readonly store: LaneLogStore;
}

class WorkerLog {
  readonly #parts: WorkerLogParts;
  /** All that is ahead of the store: at most what both halves hold. */
  readonly #ahead = new Map<string, AheadLane>();
  /** Lanes with an image in the half that is in use. */
  #newer = new Set<string>();
  /** Those with an image in the other half. */
  #older = new Set<string>();
  /** Up to this block all is in the log, durably; and up to this one in the store. */
  #written: number;
  #folded: number;
  /** The other half is being folded. */
  #emptying: Promise<void> = Promise.resolve();
  /** Folds, one after the other: each begins with the versions that the one before has left. */
  #folding: Promise<unknown> = Promise.resolve();
  #committing = false;
  #writing: Promise<void> | undefined;
  #broken: Fault | undefined;

  constructor(parts: WorkerLogParts) {
    this.#parts = parts;
    this.#written = parts.blocks.last;
    this.#folded = parts.blocks.last;
  }

  async commitLanes(images: Uint8Array, extra?: LaneExtra): Promise<Uint8Array> {
    if (this.#committing) throw new Error('invariant: one commit at a time');
    this.#committing = true;
    try {
      const read = readLaneImages(images);
      await (extra === undefined ? this.#append(read) : this.#store(read, extra));
      return new Uint8Array(read.length);
    } finally {
      this.#committing = false;
    }
  }

  async flush(lanes?: readonly string[]): Promise<void> {
    this.#check();
    const all = lanes ?? [...this.#ahead.keys()];
    const keys = lanes === undefined ? all : all.filter((lane) => this.#ahead.has(lane));
    const through = lanes === undefined ? this.#written : this.#folded;
    for (let at = 0; at < keys.length; at += FOLD_SLICE) {
      const slice = keys.slice(at, at + FOLD_SLICE);
      const isLast = at + FOLD_SLICE >= keys.length;
      await this.#inTurn(() => this.#fold(slice, isLast ? through : this.#folded));
    }
  }

  async close(): Promise<void> {
    this.#broken ??= new Fault('STORE_FAILED', { reason: 'the log is closed' });
    await this.#writing?.catch(() => undefined);
    closeSync(this.#parts.handle);
    this.#parts.lock.close();
  }

  /** Writes images into the log. */
  async #append(images: readonly LaneImageRead[]): Promise<void> {
    const { blocks } = this.#parts;
    for (let from = 0; from < images.length;) {
      const { block, bytes } = nextBlock(images, from, blocks.maxBytes);
      if (!blocks.hasRoom(bytes)) await this.#turn();
      this.#check();
      this.#writing = this.#write(block);
      await this.#writing;
      // At once: a flush must not believe that a block is in the store whose lanes it cannot see.
      for (const image of block) this.#note(image);
      this.#written = blocks.last;
      from += block.length;
    }
  }

  /** Goes on in the other half, once all that it held is in the store. */
  async #turn(): Promise<void> {
    await this.#emptying;
    this.#parts.blocks.turn();
    [this.#older, this.#newer] = [this.#newer, new Set()];
    this.#emptying = this.#empty(this.#written);
    // Whoever needs the room hears of it, and every commit.
    this.#emptying.catch(() => undefined);
  }

  /** Folds the half that is not in use, up to its last block; even when nothing of it is ahead. */
  async #empty(end: number): Promise<void> {
    while (this.#folded < end) {
      await this.#inTurn(() => {
        const keys = [...this.#older.values().take(FOLD_SLICE)];
        return this.#fold(keys, keys.length === this.#older.size ? end : this.#folded);
      });
    }
  }

  async #write(images: readonly LaneImageRead[]): Promise<void> {
    const { handle, blocks } = this.#parts;
    const parts = images.map(({ packed }) => packed);
    const { block, position } = blocks.next('lanes', parts);
    try {
      for (let at = 0; at < block.length;) {
        const written = await writeSome(handle, block.subarray(at), position + at);
        if (written === 0) throw new Fault('STORE_FULL');
        at += written;
      }
    } catch (error) {
      throw this.#break(storeFault(error, 'STORE_OWNED'));
    }
  }

  #note(image: LaneImageRead): void {
    const lane = this.#ahead.get(image.lane);
    if (lane === undefined) this.#ahead.set(image.lane, { from: image.version, image });
    else lane.image = image;
    this.#newer.add(image.lane);
  }

  /** Writes images into the store, with what goes with them. */
  async #store(images: readonly LaneImageRead[], extra: LaneExtra): Promise<void> {
    await this.#inTurn(async () => {
      const leaps = images.map((image) => ({
        from: this.#ahead.get(image.lane)?.from ?? image.version,
        image,
      }));
      await this.#send({ images: packLaneLeaps(leaps), through: this.#folded, extra });
      for (const { lane } of images) {
        this.#ahead.delete(lane);
        this.#newer.delete(lane);
        this.#older.delete(lane);
      }
    });
  }

  /** Brings lanes into the store as they are now. Call it in turn. */
  async #fold(lanes: readonly string[], through: number): Promise<void> {
    const leaps = lanes.flatMap((lane) => {
      const ahead = this.#ahead.get(lane);
      return ahead === undefined ? [] : { ...ahead };
    });
    // When the halves turn meanwhile, these lanes may have later images in what is older then.
    const older = this.#older;
    if (leaps.length > 0 || through > this.#folded) {
      await this.#send({ images: packLaneLeaps(leaps), through });
    }
    for (const { image } of leaps) this.#settle(image);
    for (const lane of lanes) older.delete(lane);
    this.#folded = Math.max(this.#folded, through);
  }

  /** The store has this image; there may be a later one. */
  #settle({ lane, version }: LaneImageRead): void {
    const ahead = this.#ahead.get(lane);
    if (ahead !== undefined && ahead.image.version > version) ahead.from = version + 1;
    else {
      this.#ahead.delete(lane);
      this.#newer.delete(lane);
    }
  }

  async #send(fold: LaneLogFold): Promise<void> {
    this.#check();
    try {
      await this.#parts.store.fold(fold);
    } catch (error) {
      throw this.#break(asFault(error, 'STORE_FAILED'));
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#folding.then(work);
    this.#folding = mine.catch(() => undefined);
    return mine;
  }

  #check(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  #break(fault: Fault): Fault {
    this.#broken ??= fault;
    return fault;
  }
}

function writeSome(handle: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(handle, bytes, 0, bytes.length, position, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}
