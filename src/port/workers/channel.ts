/**
 * Lines between two processes of a host: Node's IPC, and one in memory that does the same.
 * @module
 */

/**
 * One end of a line. What is sent arrives at the other end in its order, copied, at most once; what
 * is under way when the line closes may be lost.
 */
export interface Channel {
  /** Begins to receive; once. `closed` is called once, after the last message. */
  open(receive: (message: unknown) => void, closed: () => void): void;
  /** Sends; into a closed line it does nothing. */
  send(message: object): void;
}

/**
 * What Node's IPC looks like at both ends: `process`, a `ChildProcess`, a `cluster.Worker`. Its
 * serialization must be `advanced`: byte strings and bigints cross.
 */
export interface NodeEnd {
  readonly send?:
    | ((
        message: object,
        handle?: undefined,
        options?: undefined,
        sent?: (error: Error | null) => void,
      ) => boolean)
    | undefined;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'disconnect' | 'exit', listener: () => void): unknown;
}

/** A line over Node's IPC; several of them, each with its name, do not meet. */
export function nodeChannel(end: NodeEnd, name: string): Channel {
  return {
    open: (receive, closed) => {
      let isOpen = true;
      const close = (): void => {
        if (isOpen) closed();
        isOpen = false;
      };
      end.on('message', (message) => {
        if (isOpen && isNamed(message) && message.tollcall === name) receive(message.message);
      });
      end.on('disconnect', close);
      // Of a process that was killed before it took a socket that it was handed, Node never says
      // that it is disconnected. This one's own exit is nobody's news.
      if (end !== process) end.on('exit', close);
    },
    send: (message) => {
      // An error says that the line is closed, as its end will.
      end.send?.({ tollcall: name, message }, undefined, undefined, () => undefined);
    },
  };
}

function isNamed(value: unknown): value is { tollcall: unknown; message: unknown } {
  return typeof value === 'object' && value !== null && 'tollcall' in value && 'message' in value;
}

/** A line in memory: its two ends, and what cuts it. */
export function channelPair(): {
  readonly ends: readonly [Channel, Channel];
  readonly cut: () => void;
} {
  const [left, right] = [new MemoryEnd(), new MemoryEnd()];
  left.other = right;
  right.other = left;
  const cut = (): void => {
    for (const end of [left, right]) end.close();
  };
  return { ends: [left, right], cut };
}

class MemoryEnd implements Channel {
  other: MemoryEnd | undefined;
  #receive: ((message: unknown) => void) | undefined;
  #closed: (() => void) | undefined;
  /** What came before anybody listened. */
  readonly #early: unknown[] = [];
  #isCut = false;

  open(receive: (message: unknown) => void, closed: () => void): void {
    this.#receive = receive;
    this.#closed = closed;
    for (const message of this.#early.splice(0)) receive(message);
    if (this.#isCut) closed();
  }

  send(message: object): void {
    if (this.#isCut) return;
    const copy: unknown = structuredClone(message);
    queueMicrotask(() => this.other?.take(copy));
  }

  take(message: unknown): void {
    if (this.#isCut) return;
    if (this.#receive === undefined) this.#early.push(message);
    else this.#receive(message);
  }

  close(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#closed?.();
  }
}
