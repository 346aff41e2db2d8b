/**
 * Questions and answers over a Unix socket that only its owner can open: one JSON object a line.
 *
 * `{"id": 1, "method": "sheet", "params": []}` is answered by `{"id": 1, "result": ...}` or
 * `{"id": 1, "fault": {"code": ..., "facts": ...}}`. An amount is a decimal text, and the name of
 * its member ends in its unit; so is a cursor.
 * @module
 */
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Fault, asFault, fromProblem, isFaultCode } from '../../base/fault/index.ts';
import type { Log } from '../../base/log/index.ts';
import { MAX_CONNECTIONS, MAX_LINE_BYTES, MAX_PATH_BYTES, MAX_QUESTIONS } from './limits.ts';

/** What can be asked at a socket, by name. */
export type LineMethods = Readonly<Record<string, (...params: never[]) => Promise<unknown>>>;

/** An open socket. */
export interface LineServer {
  close(): Promise<void>;
}

/**
 * Answers at `path`, mode 0600. A socket that a killed process left there is replaced: the caller
 * must own whatever the socket speaks for.
 * @throws Fault `CONFIG_INVALID` for a path that is too long or cannot be made
 */
export async function openLineServer(
  path: string,
  methods: LineMethods,
  log: Log,
): Promise<LineServer> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new Fault('CONFIG_INVALID', { path, problem: 'too long for a socket', max: 107 });
  }
  removeOld(path);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const queue = new Questions(socket, (line) => answer(socket, line, methods, log));
    readLines(socket, (line) => queue.add(line));
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, path);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Questions of one caller: it is read no faster than it is answered, and reads its answers. */
class Questions {
  readonly #socket: Socket;
  readonly #answer: (line: string) => Promise<void>;
  #waiting: string[] = [];
  #running = 0;

  constructor(socket: Socket, answer: (line: string) => Promise<void>) {
    this.#socket = socket;
    this.#answer = answer;
    socket.on('drain', () => this.#next());
    socket.once('close', () => (this.#waiting = []));
  }

  add(line: string): void {
    this.#waiting.push(line);
    this.#next();
  }

  #next(): void {
    const socket = this.#socket;
    while (this.#running < MAX_QUESTIONS && socket.writableLength < MAX_LINE_BYTES) {
      const line = this.#waiting.shift();
      if (line === undefined) return void socket.resume();
      this.#running++;
      void this.#answer(line).finally(() => {
        this.#running--;
        this.#next();
      });
    }
    socket.pause();
  }
}

/** A line to a socket. */
export interface LineClient {
  /** Asks; `undefined` and `null` come back as undefined. @throws Fault what was answered */
  ask(method: string, ...params: readonly unknown[]): Promise<unknown>;
  close(): void;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(fault: Fault): void;
}

/**
 * Connects to a socket; undefined when nobody answers there.
 * @param gone what an open question gets when the connection ends
 */
export function connectLine(path: string, gone: () => Fault): Promise<LineClient | undefined> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const socket = connect(path);
    const waiting = new Map<number, Waiting>();
    let lastId = 0;
    const end = (): void => {
      socket.destroy();
      for (const open of waiting.values()) open.reject(gone());
      waiting.clear();
      resolve(undefined);
    };
    socket.on('error', end);
    socket.on('close', end);
    readLines(socket, (line) => take(line, waiting, end));
    socket.once('connect', () =>
      resolve({
        ask: (method, ...params) =>
          new Promise((done, failed) => {
            if (socket.destroyed) return failed(gone());
            const id = ++lastId;
            waiting.set(id, { resolve: done, reject: failed });
            socket.write(`${encode({ id, method, params })}\n`);
          }),
        close: () => void socket.end(),
      }),
    );
  });
}

function take(line: string, waiting: Map<number, Waiting>, end: () => void): void {
  const answered = decode(line);
  const id = Number(answered?.['id']);
  const open = waiting.get(id);
  if (answered === undefined || open === undefined) return end();
  waiting.delete(id);
  const { fault } = answered;
  if (fault === undefined) return open.resolve(answered['result'] ?? undefined);
  open.reject(faultOf(fault));
}

/** Codes of wallets and stores are good here; facts are plain ones, as those of any peer. */
function faultOf(told: unknown): Fault {
  const { code, facts } = Object(told) as { readonly code?: unknown; readonly facts?: unknown };
  const plain = fromProblem({ code: 'HOST_BROKEN', facts }).facts;
  return new Fault(isFaultCode(code) ? code : 'HOST_MALFORMED', plain);
}

async function answer(socket: Socket, line: string, methods: LineMethods, log: Log): Promise<void> {
  const asked = decode(line);
  const { id = 0, method, params } = asked ?? {};
  try {
    const known = typeof method === 'string' && Object.hasOwn(methods, method);
    const run = known ? methods[method] : undefined;
    if (run === undefined || !Array.isArray(params)) throw new Fault('REQUEST_UNKNOWN');
    const result = await run(...(params as never[]));
    socket.write(`${encode({ id, result: result ?? null })}\n`);
  } catch (error) {
    const { code, facts } = asFault(error);
    if (code === 'HOST_BROKEN') log.error('local question failed', {}, error);
    socket.write(`${encode({ id, fault: { code, facts } })}\n`);
  }
}

function readLines(socket: Socket, each: (line: string) => void): void {
  let size = 0;
  socket.on('data', (chunk: Buffer) => {
    const last = chunk.lastIndexOf(0x0a);
    size = last < 0 ? size + chunk.length : chunk.length - last - 1;
    if (size > MAX_LINE_BYTES) socket.destroy();
  });
  createInterface({ input: socket, crlfDelay: Infinity })
    .on('line', each)
    .on('error', () => socket.destroy());
}

function encode(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'bigint' ? member.toString() : member,
  );
}

/** Members whose value is a whole number of any size. */
const WHOLE = /(Msat|Sat)$|^cursor$/;

function decode(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line, (name, member: unknown) =>
      typeof member === 'string' && WHOLE.test(name) && /^\d+$/.test(member)
        ? BigInt(member)
        : member,
    );
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** @throws Fault `CONFIG_INVALID` */
function removeOld(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw new Fault('CONFIG_INVALID', { path, problem: 'something else is in its place' }, error);
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Fault('CONFIG_INVALID', { path, problem: 'no socket can be made here' }, error)),
    );
    // Nobody may connect between the making of the socket and the change of its mode.
    const before = process.umask(0o177);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
    process.umask(before);
  });
}
