/**
 * The HTTP door: node:http or node:https in front of a host. Plain text on loopback, or behind a
 * proxy, only. Several processes may share its port.
 * @module
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Server as NetServer, isIP, type AddressInfo, type Socket } from 'node:net';
import { Fault, asFault } from '../../base/fault/index.ts';
import type { Log } from '../../base/log/index.ts';
import { systemClock } from '../../base/time/index.ts';
import { HOST_LIMITS, problemResponse, type Host, type HostResponse } from '../../host/index.ts';
import { forwardedAddress, isLoopback, quotaAddress } from './address.ts';
import { CHECK_INTERVAL_MS, DOOR_LIMITS, type DoorLimits } from './limits.ts';
import { Visitors } from './visitors.ts';

/** An open door. */
export interface HttpDoor {
  /** `http://127.0.0.1:8402`. */
  readonly url: string;
  readonly port: number;
  /** Open connections. */
  connections(): number;
  /** New connections get this certificate. @throws Fault `CONFIG_INVALID` */
  renew(certificate: Certificate): void;
  /**
   * Takes no more requests, lets those under way be answered, then closes; after `graceMs` (by
   * default `answerTimeoutMs`) everybody is cut.
   */
  close(graceMs?: number): Promise<void>;
}

/** What a TLS server shows, and its secret. */
export interface Certificate {
  /** The chain, in PEM. */
  readonly cert: string;
  /** The private key, in PEM. */
  readonly key: string;
}

/** Where a door is. */
export interface DoorAddress {
  readonly address: string;
  readonly port: number;
  readonly tls?: Certificate;
  /**
   * A TLS proxy stands in front: who asks is the last address in `X-Forwarded-For`, which the proxy
   * writes. Without it all its visitors would share one quota. Nobody else may reach the port.
   */
  readonly behindProxy?: boolean;
  /** Other processes of this host listen here too. */
  readonly shared?: boolean;
  readonly limits?: Partial<DoorLimits>;
  /** The largest body; that of the host. */
  readonly bodyBytes?: number;
}

/** What a request is served with. */
interface Room {
  readonly host: Pick<Host, 'handle'>;
  readonly limits: DoorLimits;
  readonly bodyBytes: number;
  readonly visitors: Visitors;
  readonly proxy: boolean;
}

/**
 * Opens a door.
 * @throws Fault `CONFIG_INVALID` for plain HTTP off loopback, a certificate that does not fit its
 * key, and an address that is not free
 */
export async function openHttpDoor(
  host: Pick<Host, 'handle'>,
  at: DoorAddress,
  log: Log,
): Promise<HttpDoor> {
  const { tls, behindProxy: proxy = false, bodyBytes = HOST_LIMITS.bodyBytes } = at;
  if (tls === undefined && !proxy && !isLoopback(at.address)) {
    throw new Fault('CONFIG_INVALID', { address: at.address, problem: 'plain HTTP off loopback' });
  }
  const limits = { ...DOOR_LIMITS, ...at.limits };
  const visitors = new Visitors(limits, proxy);
  const room = { host, limits, bodyBytes, visitors, proxy };
  const { server, renew } = makeServer(limits, tls, (incoming, outgoing) => {
    serve(room, incoming, outgoing).catch((error: unknown) => {
      if (incoming.complete) log.error('answer could not be sent', {}, error);
      outgoing.destroy();
    });
  });
  // In a process of a cluster, a connection that is one too many would otherwise be handed to the
  // others, and round and round while all are full.
  Object.assign(server, { maxConnections: limits.connections, dropMaxConnection: true });
  server.on('connection', (socket: Socket) => visitors.enter(socket));
  if (tls !== undefined)
    server.on('secureConnection', (socket: Socket) => visitors.secured(socket));
  await listen(server, at);
  const { port } = server.address() as AddressInfo;
  const name = isIP(at.address) === 6 ? `[${at.address}]` : at.address;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${port}`,
    port,
    connections: () => visitors.count,
    renew,
    close: (graceMs = limits.answerTimeoutMs) => close(server, visitors, graceMs),
  };
}

function makeServer(
  limits: DoorLimits,
  tls: Certificate | undefined,
  listener: RequestListener,
): { server: Server; renew: (certificate: Certificate) => void } {
  const options = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, limits.headersTimeoutMs),
    keepAliveTimeout: limits.keepAliveMs,
  };
  if (tls === undefined) {
    return { server: createServer(options, listener), renew: () => undefined };
  }
  const handshakeTimeout = limits.headersTimeoutMs;
  const server = checked(() => createTlsServer({ ...options, ...tls, handshakeTimeout }, listener));
  return { server, renew: (certificate) => checked(() => server.setSecureContext(certificate)) };
}

/** @throws Fault `CONFIG_INVALID` instead of OpenSSL's own error */
function checked<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    const problem = 'the certificate and the private key cannot be used';
    throw new Fault('CONFIG_INVALID', { problem }, error);
  }
}

async function serve(
  room: Room,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { host, visitors } = room;
  const body = await readBody(incoming, room);
  visitors.owe(incoming.socket, outgoing);
  if (body instanceof Fault) return send(room, outgoing, lastAnswer(body));
  const url = originForm(incoming.url ?? '/');
  const query = url.indexOf('?');
  const answer = await host.handle({
    method: incoming.method ?? '',
    path: query < 0 ? url : url.slice(0, query),
    header: (name) => {
      const value: string | string[] | undefined = incoming.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    body,
    // Of all that a visitor may say of itself, nothing else is believed.
    address: visitorOf(room, incoming),
  });
  send(room, outgoing, answer);
}

function visitorOf({ proxy }: Room, { headers, socket }: IncomingMessage): string {
  const header = headers['x-forwarded-for'];
  const last = Array.isArray(header) ? header.at(-1) : header;
  const forwarded = proxy ? forwardedAddress(last) : undefined;
  return quotaAddress(forwarded ?? socket.remoteAddress ?? '');
}

/** A target may name its origin as well (RFC 9112, 3.2.2); which one it is says the proxy. */
function originForm(target: string): string {
  return target.replace(/^https?:\/\/[^/?#]*(?=\/)/i, '');
}

/** The whole body, or why it is not taken; the rest of it is not read then. */
function readBody(
  incoming: IncomingMessage,
  { visitors, bodyBytes }: Room,
): Promise<Uint8Array | Fault> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): Fault => new Fault('REQUEST_TOO_LARGE', { max: bodyBytes });
    if (Number(incoming.headers['content-length'] ?? 0) > bodyBytes) return resolve(tooLarge());
    const chunks: Buffer[] = [];
    let size = 0;
    const add = (chunk: Buffer): void => {
      size += chunk.length;
      const room = visitors.park(chunk.length);
      if (room && size <= bodyBytes) return void chunks.push(chunk);
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

function send({ limits, visitors }: Room, outgoing: ServerResponse, answer: HostResponse): void {
  if (outgoing.destroyed) return;
  const { status, headers, body } = answer;
  // RFC 9110, 8.6: an answer without content has no length.
  const length = status === 204 || status === 304 ? {} : { 'content-length': body.length };
  outgoing.writeHead(status, { ...headers, ...length });
  outgoing.end(body);
  const { socket } = outgoing;
  // What the kernel has taken already is not parked here.
  if (socket !== null && socket.writableLength === 0) return;
  visitors.parkAnswer(outgoing, body.length);
  outgoing.setTimeout(limits.answerIdleMs);
  const done = systemClock.timer(limits.answerTimeoutMs, () => outgoing.destroy());
  outgoing.once('close', done);
}

/**
 * Linux deals connections out to all who listen at one port, and resets those that wait for a
 * process that dies: who has come tries again at once. Elsewhere `node:cluster` deals, from one
 * process, and leaves such a connection silent.
 */
const SYSTEM_DEALS = process.platform === 'linux';

function listen(server: Server, { address, port, shared = false }: DoorAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const problem =
        'code' in error && error.code === 'EADDRINUSE' ? 'address in use' : 'cannot listen';
      reject(new Fault('CONFIG_INVALID', { port, problem }, error));
    });
    server.listen({ port, host: address, reusePort: shared && SYSTEM_DEALS }, resolve);
  });
}

function close(server: Server, visitors: Visitors, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = systemClock.timer(graceMs, () => visitors.cut());
    // Node's own `close` would also cut answers that are made and not yet taken.
    NetServer.prototype.close.call(server, () => {
      done();
      server.close();
      resolve();
    });
    visitors.leave();
  });
}
