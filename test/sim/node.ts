/**
 * Nodes of a simulated world, which crash and restart.
 * @module
 */
import assert from 'node:assert/strict';
import type { Random } from '../../src/base/random/index.ts';
import { unixMs, type Clock, type UnixMs } from '../../src/base/time/index.ts';

/** What nodes and links see of their world. */
export interface Stage {
  readonly random: Random;
  /** The time that no node's skew touches. */
  readonly nowMs: number;
  /** Enters an event; the result cancels it. The owner is for the trace. */
  at(delayMs: number, owner: string, fire: () => void): () => void;
  /** Adds a line to the trace; never the time of the machine or anything else that varies. */
  note(owner: string, line: string): void;
  /** Ends the run with this error after the current event. */
  fail(error: unknown): void;
}

/** What a node is made of. */
interface NodeOptions {
  readonly name: string;
  readonly boot: (life: Life) => void | Promise<void>;
  readonly random: Random;
}

/**
 * A node from one start to the next crash: the clock that its code is given. After the crash no
 * sleep ends, no timer fires and no answer arrives, so code of this life never resumes.
 */
export class Life implements Clock {
  readonly name: string;
  readonly random: Random;
  readonly world: Stage;
  /** Differs from the world's time by so much; a time of day may jump. */
  skewMs = 0;
  #alive = true;
  #eventsToCrash = Number.POSITIVE_INFINITY;
  #onCrash: () => void = () => undefined;

  constructor(world: Stage, name: string, random: Random) {
    this.world = world;
    this.name = name;
    this.random = random;
  }

  /** False after the crash. */
  get alive(): boolean {
    return this.#alive;
  }

  now(): UnixMs {
    return unixMs(this.world.nowMs + this.skewMs);
  }

  monotonicMs(): number {
    return this.world.nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(signal?.reason as Error);
      if (signal?.aborted) return fail();
      const onAbort = (): void => {
        cancel();
        if (this.#alive) fail();
      };
      const cancel = this.timer(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  timer(ms: number, fire: () => void): () => void {
    return this.world.at(ms, this.name, () => this.#resume(fire));
  }

  /** Runs `action` now or never: a node's code goes on only while the node lives. */
  ifAlive(action: () => void): void {
    if (this.#alive) action();
  }

  /** Starts a task of the node; its error is the world's failure. */
  spawn(task: () => void | Promise<void>): void {
    // Both the synchronous part and the rest belong to the same promise.
    void (async () => task())().catch((error: unknown) => {
      this.ifAlive(() => this.world.fail(error));
    });
  }

  /**
   * The same object with every method behind two events: one before the call, one before its
   * answer. A crash in between leaves the call undone, or done without the node knowing.
   */
  through<Port extends object>(port: Port, maxDelayMs = 2): Port {
    return new Proxy(port, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]): Promise<unknown> => {
          await this.sleep(this.random.below(maxDelayMs + 1));
          const outcome = await settled(() => Reflect.apply(value, target, args) as unknown);
          await this.sleep(this.random.below(maxDelayMs + 1));
          if (outcome.ok) return outcome.value;
          throw outcome.error;
        };
      },
    });
  }

  /** Adds a line to the trace. */
  note(line: string): void {
    this.world.note(this.name, line);
  }

  /** For the node: arms a crash in place of the life's nth event. */
  arm(events: number, onCrash: () => void): void {
    this.#eventsToCrash = events;
    this.#onCrash = onCrash;
  }

  /** For the node: ends this life. */
  end(): void {
    this.#alive = false;
  }

  #resume(fire: () => void): void {
    if (!this.#alive) return;
    this.#eventsToCrash -= 1;
    if (this.#eventsToCrash <= 0) this.#onCrash();
    else fire();
  }
}

/** A node: its name and program last, its lives do not. */
export class SimNode {
  readonly name: string;
  readonly #world: Stage;
  readonly #options: NodeOptions;
  #life: Life | undefined;
  #crashes = 0;

  constructor(world: Stage, options: NodeOptions) {
    this.name = options.name;
    this.#world = world;
    this.#options = options;
  }

  /** The current life; undefined while the node is down. */
  get life(): Life | undefined {
    return this.#life;
  }

  /** How often it has crashed. */
  get crashes(): number {
    return this.#crashes;
  }

  /** Starts it; with `crashAfterEvents`, it crashes instead of its nth event. */
  start(options: { readonly crashAfterEvents?: number; readonly skewMs?: number } = {}): Life {
    assert(this.#life === undefined, `${this.name} runs already`);
    const { name, boot, random } = this.#options;
    const life = new Life(this.#world, name, random);
    life.skewMs = options.skewMs ?? 0;
    if (options.crashAfterEvents !== undefined) {
      life.arm(options.crashAfterEvents, () => this.crash());
    }
    this.#life = life;
    life.note('starts');
    life.spawn(() => boot(life));
    return life;
  }

  /** Ends its life: nothing it waits for will ever come. Does nothing to a node that is down. */
  crash(): void {
    if (this.#life === undefined) return;
    this.#life.note('crashes');
    this.#life.end();
    this.#life = undefined;
    this.#crashes += 1;
  }

  /** Crashes it now and starts it again after `downMs`, unless someone else has. */
  restart(downMs: number): void {
    this.crash();
    this.#world.at(downMs, this.name, () => {
      if (this.#life === undefined) this.start();
    });
  }
}

type Settled =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

async function settled(call: () => unknown): Promise<Settled> {
  try {
    return { ok: true, value: await call() };
  } catch (error) {
    return { ok: false, error };
  }
}
