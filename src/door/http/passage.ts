/**
 * The way to the inner door of another process of this host: one line for all requests.
 * @module
 */
import { connect, type Socket } from 'node:net';
import { Fault } from '../../base/fault/index.ts';
import { systemClock } from '../../base/time/index.ts';
import type { HostRequest, HostResponse, Passage } from '../../host/index.ts';
import { FrameWriter, readFrames } from './frames.ts';
import { requestHead } from './inner.ts';
import { PASSAGE_REQUESTS } from './limits.ts';

/** A passage that is to be closed. */
export interface OpenPassage extends Passage {
  /** Whoever waits for an answer gets none. */
  close(): Promise<void>;
}

/** Opens the way to a socket; it need not be there yet. */
export function openPassage(path: string): OpenPassage {
  return new SocketPassage(path);
}

/** A request that waits for its answer. */
interface Waiting {
  readonly resolve: (answer: HostResponse) => void;
  readonly reject: (fault: Fault) => void;
  readonly stopTimer: () => void;
}

class SocketPassage implements OpenPassage {
  readonly #path: string;
  #line: Line | undefined;
  #underWay = 0;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  async send(request: HostRequest, timeoutMs: number): Promise<HostResponse> {
    if (this.#closed) throw new Fault('HOST_UNREACHABLE');
    if (this.#underWay >= PASSAGE_REQUESTS) throw new Fault('CALL_BUSY');
    this.#underWay++;
    try {
      this.#line ??= new Line(this.#path, (line) => {
        if (this.#line === line) this.#line = undefined;
      });
      return await this.#line.send(request, timeoutMs);
    } finally {
      this.#underWay--;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#line?.close();
  }
}

/** One connection, until it ends. */
class Line {
  readonly #socket: Socket;
  readonly #writer: FrameWriter;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #connected = false;
  #lastId = 0;

  constructor(path: string, ended: (line: Line) => void) {
    const socket = connect(path);
    this.#socket = socket;
    this.#writer = new FrameWriter(socket);
    socket.once('connect', () => (this.#connected = true));
    let cause: unknown;
    socket.on('error', (error) => (cause = error));
    this.#ended = new Promise((resolve) => {
      socket.once('close', () => {
        ended(this);
        this.#giveUp(cause);
        resolve();
      });
    });
    // Who half closes it has ended.
    socket.once('end', () => socket.destroy());
    readFrames(socket, (id, head, body) => this.#take(id, head, body));
  }

  send(request: HostRequest, timeoutMs: number): Promise<HostResponse> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId();
      const stopTimer = systemClock.timer(timeoutMs, () => {
        this.#waiting.delete(id);
        reject(new Fault('CALL_UNANSWERED'));
      });
      this.#waiting.set(id, { resolve, reject, stopTimer });
      this.#writer.write(id, requestHead(request), request.body);
    });
  }

  close(): Promise<void> {
    this.#socket.destroy();
    return this.#ended;
  }

  /** An answer that nobody waits for any more is dropped. */
  #take(id: number, head: unknown, body: Uint8Array): boolean {
    if (!isAnswerHead(head)) return false;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return true;
    this.#waiting.delete(id);
    waiting.stopTimer();
    const [status, headers] = head;
    waiting.resolve({ status, headers, body });
    return true;
  }

  /** What was never connected carried nothing; of all else nobody knows. */
  #giveUp(cause: unknown): void {
    const code = this.#connected ? 'CALL_UNANSWERED' : 'HOST_UNREACHABLE';
    for (const { reject, stopTimer } of this.#waiting.values()) {
      stopTimer();
      reject(new Fault(code, {}, cause));
    }
    this.#waiting.clear();
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#waiting.has(this.#lastId));
    return this.#lastId;
  }
}

function isAnswerHead(
  head: unknown,
): head is readonly [status: number, headers: HostResponse['headers']] {
  if (!Array.isArray(head) || head.length !== 2) return false;
  const [status, headers] = head as unknown[];
  return Number.isInteger(status) && typeof headers === 'object' && headers !== null;
}
