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

/** Opens a door. @throws Fault `CONFIG_INVALID` for an address that is not loopback or not free */
export async function openHttpDoor(
  host: Pick<Host, 'handle'>,
  at: { readonly address: string; readonly port: number },
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
    serve(host, incoming, outgoing, visitors).catch((error: unknown) => {
      if (incoming.complete) log.error('answer could not be sent', {}, error);
      outgoing.destroy();
    });
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
  visitors: Visitors,
): Promise<void> {
  const body = await readBody(incoming);
  visitors.owe(incoming.socket, outgoing);
  if (body === undefined) return send(outgoing, tooLarge());
  const [path = '/'] = (incoming.url ?? '/').split('?', 1);
  const answer = await host.handle({
    method: incoming.method ?? '',
    path,
    header: (name) => {
      const value = incoming.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    body,
    address: incoming.socket.remoteAddress ?? '',
  });
  send(outgoing, answer);
}

/** The whole body; nothing when it is larger than a host takes. The rest of it is not read. */
async function readBody(incoming: IncomingMessage): Promise<Uint8Array | undefined> {
  if (Number(incoming.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving a loop over the request itself would cut the connection before the answer.
  const reader = incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  try {
    for await (const chunk of reader) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) return undefined;
      chunks.push(chunk);
    }
  } catch (error) {
    // The sender went away in the middle of its request: nothing was asked.
    throw asFault(error, 'REQUEST_MALFORMED');
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

function tooLarge(): HostResponse {
  const answer = problemResponse(new Fault('REQUEST_TOO_LARGE', { max: MAX_BODY_BYTES }));
  return { ...answer, headers: { ...answer.headers, connection: 'close' } };
}

function send(outgoing: ServerResponse, answer: HostResponse): void {
  if (outgoing.destroyed) return;
  const { status, headers, body } = answer;
  // RFC 9110, 8.6: an answer without content has no length.
  const length = status === 204 ? {} : { 'content-length': body.length };
  outgoing.setTimeout(ANSWER_IDLE_MS);
  outgoing.writeHead(status, { ...headers, ...length });
  outgoing.end(body);
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
