/**
 * The HTTP door: node:http in front of a host. Plain text on loopback only.
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP, type AddressInfo, type Socket } from 'node:net';
import { Fault, asFault } from '../../base/fault/index.ts';
import type { Log } from '../../base/log/index.ts';
import { MAX_BODY_BYTES, problemResponse, type Host, type HostResponse } from '../../host/index.ts';
import {
  ANSWER_IDLE_MS,
  CHECK_INTERVAL_MS,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_CONNECTIONS,
  MAX_HEADER_BYTES,
  MAX_PARKED_BYTES,
  REQUEST_TIMEOUT_MS,
} from './limits.ts';

/** An open door. */
export interface HttpDoor {
  /** `http://127.0.0.1:8402`. */
  readonly url: string;
  readonly port: number;
  /** Takes no more requests, lets those under way be answered, then closes. */
  close(): Promise<void>;
}

/** Where a door is. */
export interface DoorAddress {
  readonly address: string;
  readonly port: number;
  /**
   * A TLS proxy on this machine stands in front: who asks is the last address in `X-Forwarded-For`,
   * which the proxy writes. Without it all its visitors would share one quota.
   */
  readonly behindProxy?: boolean;
}

/** Opens a door. @throws Fault `CONFIG_INVALID` for an address that is not loopback or not free */
export async function openHttpDoor(
  host: Pick<Host, 'handle'>,
  at: DoorAddress,
  log: Log,
): Promise<HttpDoor> {
  if (!isLoopback(at.address)) {
    throw new Fault('CONFIG_INVALID', { address: at.address, problem: 'plain HTTP off loopback' });
  }
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const visitors = new Visitors();
  const server = createServer(options, (incoming, outgoing) => {
    serve(host, incoming, outgoing, { visitors, proxy: at.behindProxy ?? false }).catch(
      (error: unknown) => {
        if (incoming.complete) log.error('answer could not be sent', {}, error);
        outgoing.destroy();
      },
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket) => visitors.enter(socket));
  await listen(server, at);
  const { port } = server.address() as AddressInfo;
  const name = isIP(at.address) === 6 ? `[${at.address}]` : at.address;
  return { url: `http://${name}:${port}`, port, close: () => close(server, visitors) };
}

function isLoopback(address: string): boolean {
  return address === '::1' || address === 'localhost' || /^127(\.\d{1,3}){3}$/.test(address);
}

/** Connections, and which of them are owed an answer: the others are cut when the door closes. */
class Visitors {
  readonly #open = new Set<Socket>();
  readonly #owed = new Map<Socket, number>();
  #leaving = false;
  #parkedBytes = 0;

  /** Keeps count of what is held of unfinished bodies; false when it is too much. */
  park(bytes: number): boolean {
    this.#parkedBytes += bytes;
    return this.#parkedBytes <= MAX_PARKED_BYTES;
  }

  /** A body is complete, or was given up. */
  unpark(bytes: number): void {
    this.#parkedBytes -= bytes;
  }

  enter(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#owed.delete(socket);
    });
  }

  /** From here to the end of its answer a request is under way. */
  owe(socket: Socket, outgoing: ServerResponse): void {
    if (socket.destroyed) return;
    this.#owed.set(socket, (this.#owed.get(socket) ?? 0) + 1);
    outgoing.once('close', () => {
      const left = (this.#owed.get(socket) ?? 1) - 1;
      if (left > 0) return void this.#owed.set(socket, left);
      this.#owed.delete(socket);
      if (this.#leaving) socket.destroySoon();
    });
  }

  /** Lets those wait who are owed an answer; Node itself would wait for half-sent requests too. */
  leave(): void {
    this.#leaving = true;
    for (const socket of this.#open) if (!this.#owed.has(socket)) socket.destroy();
  }
}

async function serve(
  host: Pick<Host, 'handle'>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { visitors, proxy }: { readonly visitors: Visitors; readonly proxy: boolean },
): Promise<void> {
  const body = await readBody(incoming, visitors);
  visitors.owe(incoming.socket, outgoing);
  if (body instanceof Fault) return send(outgoing, lastAnswer(body));
  const url = incoming.url ?? '/';
  const query = url.indexOf('?');
  const answer = await host.handle({
    method: incoming.method ?? '',
    path: query < 0 ? url : url.slice(0, query),
    header: (name) => {
      const value = incoming.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    body,
    address: (proxy ? forwardedFor(incoming) : undefined) ?? incoming.socket.remoteAddress ?? '',
  });
  send(outgoing, answer);
}

/**
 * The address that the proxy on this machine saw; anything before it a visitor may have made up.
 */
function forwardedFor(incoming: IncomingMessage): string | undefined {
  const header = incoming.headers['x-forwarded-for'];
  const last = (Array.isArray(header) ? header.at(-1) : header)?.split(',').at(-1)?.trim();
  return last !== undefined && isIP(last) !== 0 ? last : undefined;
}

/** The whole body, or why it is not taken; the rest of it is not read then. */
function readBody(incoming: IncomingMessage, visitors: Visitors): Promise<Uint8Array | Fault> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): Fault => new Fault('REQUEST_TOO_LARGE', { max: MAX_BODY_BYTES });
    if (Number(incoming.headers['content-length'] ?? 0) > MAX_BODY_BYTES)
      return resolve(tooLarge());
    const chunks: Buffer[] = [];
    let size = 0;
    const add = (chunk: Buffer): void => {
      size += chunk.length;
      const room = visitors.park(chunk.length);
      if (room && size <= MAX_BODY_BYTES) return void chunks.push(chunk);
      incoming.off('data', add).pause();
      resolve(room ? tooLarge() : new Fault('CALL_BUSY'));
      chunks.length = 0;
    };
    // The sender went away in the middle of its request: nothing was asked.
    const gone = (error?: unknown): void => {
      if (!incoming.readableEnded) reject(asFault(error, 'REQUEST_MALFORMED'));
    };
    const leave = (): void => {
      visitors.unpark(size);
      size = 0;
    };
    incoming.on('data', add).once('error', gone).once('close', gone).once('close', leave);
    incoming.once('end', () => {
      leave();
      const [first] = chunks;
      resolve(chunks.length === 1 && first ? first : Buffer.concat(chunks));
    });
  });
}

/** After it the connection is closed: what else comes on it is the rest of a body. */
function lastAnswer(fault: Fault): HostResponse {
  const answer = problemResponse(fault);
  return { ...answer, headers: { ...answer.headers, connection: 'close' } };
}

function send(outgoing: ServerResponse, answer: HostResponse): void {
  if (outgoing.destroyed) return;
  const { status, headers, body } = answer;
  // RFC 9110, 8.6: an answer without content has no length.
  const length = status === 204 ? {} : { 'content-length': body.length };
  outgoing.writeHead(status, { ...headers, ...length });
  outgoing.end(body);
  const { socket } = outgoing;
  // What the kernel has taken already is not parked here.
  if (socket === null || socket.writableLength > 0) outgoing.setTimeout(ANSWER_IDLE_MS);
}

function listen(server: Server, at: { address: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const problem =
        'code' in error && error.code === 'EADDRINUSE' ? 'address in use' : 'cannot listen';
      reject(new Fault('CONFIG_INVALID', { port: at.port, problem }, error));
    });
    server.listen(at.port, at.address, resolve);
  });
}

function close(server: Server, visitors: Visitors): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    visitors.leave();
  });
}
