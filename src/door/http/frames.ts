/**
 * What travels on a line between two processes of a host: frames, each with the number of what it
 * belongs to, a head in JSON, and a body. HTTP would cost each call as much as serving it does.
 *
 *      0  size        4   of all that follows; big-endian, as the two that follow
 *      4  id          4
 *      8  head size   4
 *     12  head            UTF-8
 *         body            to the end
 * @module
 */
import type { Socket } from 'node:net';
import { MAX_FRAME_BYTES } from './limits.ts';

const PREFIX_BYTES = 12;

/** Takes a frame; false when it makes no sense. */
export type TakeFrame = (id: number, head: unknown, body: Uint8Array) => boolean;

/** Writes frames to a socket: those of one turn of the event loop together. */
export class FrameWriter {
  readonly #socket: Socket;
  #waiting: Buffer[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Adds a frame. */
  write(id: number, head: unknown, body: Uint8Array): void {
    const text = JSON.stringify(head);
    const headBytes = Buffer.byteLength(text);
    const frame = Buffer.allocUnsafe(PREFIX_BYTES + headBytes + body.length);
    frame.writeUInt32BE(frame.length - 4, 0);
    frame.writeUInt32BE(id, 4);
    frame.writeUInt32BE(headBytes, 8);
    frame.write(text, PREFIX_BYTES);
    frame.set(body, PREFIX_BYTES + headBytes);
    if (this.#waiting.push(frame) === 1) setImmediate(() => this.flush());
  }

  /** Nothing waits here any more. */
  flush(): void {
    const frames = this.#waiting;
    if (frames.length === 0) return;
    this.#waiting = [];
    if (!this.#socket.destroyed) this.#socket.write(Buffer.concat(frames));
  }
}

/** Reads frames from a socket; one that makes no sense ends it. */
export function readFrames(socket: Socket, take: TakeFrame): void {
  let chunks: Buffer[] = [];
  let size = 0;
  let wanted = PREFIX_BYTES;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    // A large frame is put together once, not with each of its pieces.
    if (size < wanted) return;
    let bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    for (;;) {
      wanted = bytes.length < 4 ? PREFIX_BYTES : 4 + bytes.readUInt32BE(0);
      if (wanted < PREFIX_BYTES || wanted > MAX_FRAME_BYTES) return void socket.destroy();
      if (bytes.length < wanted) break;
      if (!takeOne(bytes.subarray(0, wanted), take)) return void socket.destroy();
      bytes = bytes.subarray(wanted);
    }
    chunks = bytes.length === 0 ? [] : [bytes];
    size = bytes.length;
  });
}

function takeOne(frame: Buffer, take: TakeFrame): boolean {
  const bodyAt = PREFIX_BYTES + frame.readUInt32BE(8);
  if (bodyAt > frame.length) return false;
  let head: unknown;
  try {
    head = JSON.parse(frame.toString('utf8', PREFIX_BYTES, bodyAt));
  } catch {
    return false;
  }
  return take(frame.readUInt32BE(4), head, frame.subarray(bodyAt));
}
