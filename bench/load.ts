/**
 * The load: requests that were made beforehand, over connections that each have one in flight. Raw
 * sockets, so that it takes less than the server that it measures.
 * @module
 */
import { connect, type Socket } from 'node:net';

/** Where the next request of a connection comes from. */
export interface Lane {
  /** The next request; undefined when one that it declares resolved is still under way. */
  next(): Request | undefined;
  /** It was answered. */
  answered(request: Request): void;
}

/** A request, ready to be sent. */
export interface Request {
  readonly index: number;
  readonly bytes: Buffer;
}

/** Connections, spread over lanes. */
export class Load {
  readonly #connections: readonly Connection[];
  #left = 0;
  #done: () => void = () => undefined;

  private constructor(connections: readonly Connection[]) {
    this.#connections = connections;
  }

  /** Connects. */
  static async open(url: string, lanes: readonly Lane[], connections: number): Promise<Load> {
    const { port, hostname } = new URL(url);
    const list = await Promise.all(
      Array.from({ length: connections }, async (_, i) => {
        const socket = connect({ port: Number(port), host: hostname, noDelay: true });
        await new Promise((resolve) => socket.once('connect', resolve));
        const lane = lanes[i % lanes.length];
        if (lane === undefined) throw new Error('no lane');
        return new Connection(socket, lane);
      }),
    );
    return new Load(list);
  }

  /** Sends `count` requests and waits for all answers. */
  run(count: number): Promise<void> {
    let toSend = count;
    this.#left = count;
    const parked = new Set<Connection>();
    const send = (connection: Connection): void => {
      if (toSend === 0) return;
      if (connection.send()) toSend--;
      else parked.add(connection);
    };
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      for (const connection of this.#connections) {
        connection.onAnswer = (error) => {
          if (error !== undefined) return reject(error);
          if (--this.#left === 0) return this.#done();
          send(connection);
          const waiting = [...parked];
          parked.clear();
          for (const other of waiting) send(other);
        };
        send(connection);
      }
    });
  }

  /** Hangs up. */
  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

const HEAD_END = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

class Connection {
  onAnswer: (error?: Error) => void = () => undefined;
  readonly #socket: Socket;
  readonly #lane: Lane;
  #sent: Request | undefined;
  #text = '';

  constructor(socket: Socket, lane: Lane) {
    this.#socket = socket;
    this.#lane = lane;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.onAnswer(error));
    socket.on('end', () => this.onAnswer(new Error('the server has hung up')));
  }

  /** Sends the next request of its lane; false when it has to wait. */
  send(): boolean {
    this.#sent = this.#lane.next();
    if (this.#sent === undefined) return false;
    if (this.#socket.destroyed) throw new Error('the server has hung up');
    this.#socket.write(this.#sent.bytes);
    return true;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: string): void {
    const text = this.#text === '' ? chunk : this.#text + chunk;
    const head = text.indexOf(HEAD_END);
    const length = Number(LENGTH.exec(text)?.[1] ?? Number.NaN);
    if (head < 0 || text.length < head + HEAD_END.length + length) {
      this.#text = text;
      return;
    }
    this.#text = '';
    const request = this.#sent;
    if (request === undefined || !text.startsWith('HTTP/1.1 200 ')) {
      return this.onAnswer(new Error(text));
    }
    this.#sent = undefined;
    this.#lane.answered(request);
    this.onAnswer();
  }
}

/** The same request over and over. */
export function sameLane(bytes: Buffer): Lane {
  const request = { index: 0, bytes };
  return { next: () => request, answered: () => undefined };
}

/**
 * Requests of one session in order. A request declares all below `index - lag` resolved, so it
 * waits for them, as a payer does.
 */
export function sessionLane(list: readonly Buffer[], lag: number): Lane {
  let next = 0;
  let lowest = 0;
  const open = new Set<number>();
  return {
    next: () => {
      const bytes = list[next];
      if (bytes === undefined) throw new Error('too few requests were made beforehand');
      if (next - lag > lowest) return undefined;
      open.add(next);
      return { index: next++, bytes };
    },
    answered: ({ index }) => {
      open.delete(index);
      while (lowest < next && !open.has(lowest)) lowest++;
    },
  };
}
