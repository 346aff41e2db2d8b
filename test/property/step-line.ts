/**
 * What waits until a test lets it go on: writes to a disk, and messages between processes.
 * @module
 */
import type { Channel } from '../../src/port/workers/index.ts';

/** Things done one after the other, each when the test says so. */
export class Gate {
  readonly #waiting: (() => Promise<void>)[] = [];
  #isOpen = false;

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** From now on nothing waits. */
  open(): void {
    this.#isOpen = true;
  }

  /** Waits for its turn, does the work, and resolves with its result. */
  pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isOpen) return work();
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => work().then(resolve, reject));
    });
  }

  /** The oldest goes on; its result is known in a later turn. */
  async step(): Promise<void> {
    await this.#waiting.shift()?.();
  }

  /** Whoever waits hears nothing any more. */
  drop(): void {
    this.#waiting.length = 0;
  }
}

/** A line between two processes, whose messages wait in their order. */
export class StepLine {
  readonly primary: Channel;
  readonly worker: Channel;
  readonly #ends: readonly [End, End];

  constructor() {
    const [near, far]: [End, End] = [new End(), new End()];
    this.#ends = [near, far];
    this.primary = channel(near, far);
    this.worker = channel(far, near);
  }

  /** Messages under way: to the primary, and to the worker. */
  get waiting(): readonly [toPrimary: number, toWorker: number] {
    return [this.#ends[0].messages.length, this.#ends[1].messages.length];
  }

  /** The oldest message arrives at the primary (0) or at the worker (1). */
  deliver(to: 0 | 1): void {
    const end = this.#ends[to];
    const message = end.messages.shift();
    if (message !== undefined) end.receive?.(message);
    if (end.cut && end.messages.length === 0) end.close();
  }

  /** The worker dies: the primary still gets the first `keep` messages, then the line closes. */
  cut(keep: number): void {
    const [near, far] = this.#ends;
    near.messages.length = Math.min(keep, near.messages.length);
    far.messages.length = 0;
    [near.cut, far.cut] = [true, true];
    if (near.messages.length === 0) near.close();
  }
}

class End {
  readonly messages: object[] = [];
  receive: ((message: unknown) => void) | undefined;
  closed: (() => void) | undefined;
  cut = false;

  close(): void {
    this.closed?.();
    this.closed = undefined;
  }
}

function channel(mine: End, other: End): Channel {
  return {
    open: (receive, closed) => {
      mine.receive = receive;
      mine.closed = closed;
    },
    send: (message) => {
      if (!mine.cut) other.messages.push(structuredClone(message));
    },
  };
}
