/**
 * A crowd of connections from many loopback addresses that behaves badly, each kind in its way.
 * @module
 */
import { connect, type Socket } from 'node:net';
import { systemClock } from '../../src/base/time/index.ts';

/** How the members of a crowd behave. */
export interface Manner {
  readonly name: string;
  /** What is sent at once, and then again and again; nothing more when it is empty. */
  readonly first: (i: number) => Buffer | string;
  readonly next: Buffer | string;
  /** Takes what comes back. */
  readonly reads: boolean;
  /** Goes and comes again as soon as it was answered. */
  readonly hurries: boolean;
}

const HEAD = 'POST /call/echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';
const ASK = 'GET /.well-known/tollcall.json HTTP/1.1\r\nhost: a\r\n\r\n';

/** Connections that hold on, and say as little as they can. */
export const HOLDING: readonly Manner[] = [
  { name: 'silent connections', first: () => '', next: '', reads: true, hurries: false },
  {
    name: 'slow headers',
    first: () => 'GET / HTTP/1.1\r\nhost: a\r\n',
    next: 'x: y\r\n',
    reads: true,
    hurries: false,
  },
  {
    name: 'slow bodies of 1 MiB',
    first: () => `${HEAD}content-length: 1048576\r\n\r\n${' '.repeat(16_384)}`,
    next: ' '.repeat(16),
    reads: true,
    hurries: false,
  },
  {
    name: 'readers of nothing',
    first: () => ASK.repeat(20),
    next: ASK,
    reads: false,
    hurries: false,
  },
];

const RPC =
  'POST /rpc HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\n';
const withBody = (body: string): string => `${RPC}content-length: ${body.length}\r\n\r\n${body}`;
const setup = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'toll.setup', params: { a: 1 } });

const LONG = 'A'.repeat(8000);
const MALFORMED: readonly (string | Buffer)[] = [
  'GARBAGE\r\n\r\n',
  Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0xff]),
  `GET / HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`,
  `${RPC}content-length: 99999999999\r\n\r\n`,
  `${RPC}transfer-encoding: chunked\r\n\r\nzz\r\n`,
  withBody('['.repeat(100_000)),
  withBody('{"a":1,"a":2}'),
  withBody(`[${Array.from({ length: 64 }, () => setup).join(',')}]`),
  withBody(JSON.stringify('x'.repeat(1_000_000))),
  `${HEAD}connection: close\r\ncontent-length: 2\r\nauthorization: Toll ${LONG}\r\n\r\n{}`,
  `GET ${'/..'.repeat(3000)} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`,
];

/** Connections that send what is wrong in every way, as fast as they are answered. */
export const HURRYING: Manner = {
  name: 'malformed requests, one after the other',
  first: (i) => MALFORMED[i % MALFORMED.length] ?? '',
  next: '',
  reads: true,
  hurries: true,
};

const PER_ADDRESS = 250;
/** Connections begun in one go: a backlog is finite. */
const AT_ONCE = 250;
const BEAT_MS = 500;

/** A crowd; whoever is sent away comes again. */
export class Crowd {
  readonly #port: number;
  readonly #manner: Manner;
  readonly #sockets = new Map<number, Socket>();
  /** Places of those that were sent away and are to come again. */
  readonly #away: number[];
  #count = 0;
  #over = false;
  readonly #beat: Promise<void>;
  /** Connections that were made, and those that the host has cut or answered to their end. */
  made = 0;
  ended = 0;

  constructor(port: number, manner: Manner, size: number) {
    this.#port = port;
    this.#manner = manner;
    this.#away = Array.from({ length: size }, (_, i) => i);
    this.#beat = this.#go();
  }

  /** Connections that stand now. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Sends everybody home. */
  async end(): Promise<void> {
    this.#over = true;
    await this.#beat;
    for (const socket of this.#sockets.values()) socket.destroy();
    while (this.#sockets.size > 0) await systemClock.sleep(10);
  }

  async #go(): Promise<void> {
    while (!this.#over) {
      while (this.#away.length > 0 && !this.#over) {
        await Promise.all(this.#away.splice(0, AT_ONCE).map((i) => this.#come(i)));
        // The honest payer beside it shares this process.
        await systemClock.sleep(1);
      }
      if (this.#manner.next !== '') {
        for (const socket of this.#sockets.values()) {
          if (socket.writableLength === 0) socket.write(this.#manner.next);
        }
      }
      await systemClock.sleep(this.#manner.hurries ? 1 : BEAT_MS);
    }
  }

  #come(i: number): Promise<void> {
    const address = Math.floor(i / PER_ADDRESS) + 1;
    const localAddress = `127.0.${1 + Math.floor(address / 250)}.${1 + (address % 250)}`;
    const socket = connect({ host: '127.0.0.1', port: this.#port, localAddress });
    this.#sockets.set(i, socket);
    socket.on('error', () => undefined);
    if (this.#manner.reads) socket.resume();
    else socket.pause();
    return new Promise((resolve) => {
      socket.once('connect', () => {
        this.made++;
        const first = this.#manner.first(this.#count++);
        if (first !== '') socket.write(first);
        resolve();
      });
      socket.once('close', () => {
        if (!this.#over) this.ended++;
        this.#sockets.delete(i);
        this.#away.push(i);
        resolve();
      });
    });
  }
}
