/**
 * A host in a process of its own, with its successor loaded and waiting: a kill costs no start-up.
 * @module
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';

/** The process to be killed. */
export class Victim {
  readonly #dir: string;
  readonly #port: number;
  readonly #durability: string;
  #child: ChildProcess | undefined;
  #next: Loading | undefined;

  /** @param durability of its lanes */
  constructor(dir: string, port: number, durability: 'commit' | 'lazy' = 'commit') {
    this.#dir = dir;
    this.#port = port;
    this.#durability = durability;
  }

  /** Starts a host, which opens what the last one has left. */
  async start(): Promise<void> {
    const { child, loaded } = this.#next ?? this.#load();
    this.#next = undefined;
    this.#child = child;
    await loaded;
    const serves = messageOf(child);
    child.send('begin');
    await serves;
    this.#next = this.#load();
  }

  /** How often each call was begun by the host that runs, by session and number. */
  async runs(): Promise<ReadonlyMap<string, number>> {
    const child = this.#child;
    if (!child) throw new Error('no host runs');
    const runs = messageOf(child);
    child.send('runs');
    return new Map((await runs) as [string, number][]);
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await end(child);
  }

  /** Ends it and whoever waits. */
  async close(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    await Promise.all([this.kill(), end(next?.child)]);
  }

  #load(): Loading {
    const file = new URL('./host-process.ts', import.meta.url);
    const child = fork(file, [this.#dir, String(this.#port), this.#durability], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(this.#dir, 'code') },
    });
    const loaded = messageOf(child);
    loaded.catch(() => undefined);
    return { child, loaded };
  }
}

interface Loading {
  readonly child: ChildProcess;
  readonly loaded: Promise<unknown>;
}

/** The next message of a process. @throws when it ends first */
async function messageOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  const { signal } = over;
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`the host ended by itself (${String(code)})`);
  });
  ended.catch(() => undefined);
  try {
    const messages: Promise<unknown[]> = once(child, 'message', { signal });
    return (await Promise.race([messages, ended]))[0];
  } finally {
    over.abort();
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
