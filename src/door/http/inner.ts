/**
 * The inner door: a Unix socket between the processes of one host, where requests come as they came
 * to a worker. Who may open the socket is believed about the visitor for whom it asks; its
 * directory is therefore its owner's alone.
 * @module
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { Fault } from '../../base/fault/index.ts';
import type { Log } from '../../base/log/index.ts';
import { systemClock } from '../../base/time/index.ts';
import { HOST_HEADERS, type Host, type HostRequest } from '../../host/index.ts';
import { FrameWriter, readFrames } from './frames.ts';
import {
  DOOR_LIMITS,
  INNER_BACKLOG,
  INNER_CONNECTIONS,
  MAX_PARKED_FRAMES_BYTES,
  MAX_SOCKET_PATH_BYTES,
} from './limits.ts';

/** An open inner door. */
export interface InnerDoor {
  readonly path: string;
  /** Open connections. */
  connections(): number;
  /**
   * Takes no more connections and lets requests under way be answered; after `graceMs` all are cut.
   * The socket is gone then.
   */
  close(graceMs?: number): Promise<void>;
}

/** Where an inner door is. */
export interface InnerDoorAddress {
  /** In a directory of its own, which is made and closed to others. */
  readonly path: string;
}

/**
 * Opens an inner door. A socket that a killed process left there is replaced: the caller must be
 * the only one who speaks for this path.
 * @throws Fault `CONFIG_INVALID` for a path that is too long or cannot be made
 */
export async function openInnerDoor(
  host: Pick<Host, 'handle'>,
  { path }: InnerDoorAddress,
  log: Log,
): Promise<InnerDoor> {
  makePlace(path);
  const lines = new Lines(host, log);
  const server = createServer((socket) => lines.enter(socket));
  server.maxConnections = INNER_CONNECTIONS;
  await listen(server, path);
  chmodSync(path, 0o600);
  return {
    path,
    connections: () => lines.count,
    close: async (graceMs = DOOR_LIMITS.answerTimeoutMs) => {
      const closed = new Promise((resolve) => server.close(resolve));
      const cancel = systemClock.timer(graceMs, () => lines.cut());
      await lines.leave();
      await closed;
      cancel();
    },
  };
}

/** The connections of an inner door, and what is under way on them. */
class Lines {
  readonly #host: Pick<Host, 'handle'>;
  readonly #log: Log;
  readonly #lines = new Map<Socket, FrameWriter>();
  #underWay = 0;
  #idle: (() => void) | undefined;

  constructor(host: Pick<Host, 'handle'>, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  get count(): number {
    return this.#lines.size;
  }

  enter(socket: Socket): void {
    const writer = new FrameWriter(socket);
    this.#lines.set(socket, writer);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#lines.delete(socket));
    readFrames(socket, (id, head, body) => {
      const request = requestOf(head, body);
      if (request === undefined) {
        this.#log.error('a process of this host said what makes no sense');
        return false;
      }
      void this.#answer(request, id, socket, writer);
      return true;
    });
  }

  /** Ends each line, once all requests are answered. */
  async leave(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    for (const [socket, writer] of this.#lines) {
      writer.flush();
      socket.destroySoon();
    }
  }

  /** Ends all at once. */
  cut(): void {
    for (const socket of this.#lines.keys()) socket.destroy();
    this.#idle?.();
  }

  async #answer(
    request: HostRequest,
    id: number,
    socket: Socket,
    writer: FrameWriter,
  ): Promise<void> {
    this.#underWay++;
    const { status, headers, body } = await this.#host.handle(request);
    writer.write(id, [status, headers], body);
    // Who asks takes its answers: it is one of us.
    if (socket.writableLength > MAX_PARKED_FRAMES_BYTES) socket.destroy();
    if (--this.#underWay === 0) this.#idle?.();
  }
}

/** The head of a request, as `requestHead` makes it. */
type RequestHead = readonly [
  method: string,
  path: string,
  address: string,
  via: number,
  ...headers: (string | null)[],
];

/** What a request says besides its body. Without the worker that asks it goes nowhere. */
export function requestHead({ method, path, address, via = 0, header }: HostRequest): RequestHead {
  return [method, path, address, via, ...HOST_HEADERS.map((name) => header(name) ?? null)];
}

function requestOf(head: unknown, body: Uint8Array): HostRequest | undefined {
  if (!isRequestHead(head)) return undefined;
  const [method, path, address, via, ...headers] = head;
  const header: HostRequest['header'] = (name) => headers[HOST_HEADERS.indexOf(name)] ?? undefined;
  return { method, path, header, body, address, via };
}

function isRequestHead(head: unknown): head is RequestHead {
  if (!Array.isArray(head) || head.length !== 4 + HOST_HEADERS.length) return false;
  const [method, path, address, via, ...headers] = head as unknown[];
  return (
    [method, path, address].every((text) => typeof text === 'string') &&
    typeof via === 'number' &&
    headers.every((value) => value === null || typeof value === 'string')
  );
}

/** @throws Fault `CONFIG_INVALID` */
function makePlace(path: string): void {
  const max = MAX_SOCKET_PATH_BYTES;
  if (Buffer.byteLength(path) > max) {
    throw new Fault('CONFIG_INVALID', { path, problem: 'too long for a socket', max });
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    chmodSync(dirname(path), 0o700);
    rmSync(path, { force: true });
  } catch (error) {
    throw noSocket(path, error);
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(noSocket(path, error)));
    // Exclusive: the processes of a cluster would share it.
    server.listen({ path, exclusive: true, backlog: INNER_BACKLOG }, resolve);
  });
}

function noSocket(path: string, cause: unknown): Fault {
  return new Fault('CONFIG_INVALID', { path, problem: 'no socket can be made here' }, cause);
}
