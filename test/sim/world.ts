/**
 * A deterministic world: virtual time, seeded randomness, nodes that crash and restart, links that
 * lose, delay and repeat. One seed, one history.
 *
 * Everything a node waits for goes through its `Life`: its clock, its links, its ports. A crash
 * ends the life: whatever that life still waits for never comes, so its code never resumes.
 * @module
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { seededRandom, type Random } from '../../src/base/random/index.ts';
import type { Clock } from '../../src/base/time/index.ts';
import { Agenda } from './agenda.ts';
import { Life, SimNode, type Stage } from './node.ts';

/** When every world begins: some day in 2027. */
const START_MS = 1_800_000_000_000;
/** A history longer than this is a loop, unless the scenario says otherwise. */
const MAX_EVENTS = 200_000;
/** How much of the trace is kept for the report of a failure. */
const TRACE_TAIL_LINES = 200;

/** What a world is made of. */
export interface WorldOptions {
  readonly seed: number;
  /** After so many events the run fails. */
  readonly maxEvents?: number;
}

/** One history. */
export class World implements Stage {
  readonly seed: number;
  /** The scenario's own draws; each node has a generator of its own. */
  readonly random: Random;
  /** The scenario's own clock: it outlives every node. */
  readonly clock: Clock;
  /** The last lines of the trace. */
  readonly trace: string[] = [];
  readonly #agenda = new Agenda();
  readonly #hash = createHash('sha256');
  readonly #invariants: (() => void)[] = [];
  readonly #maxEvents: number;
  readonly #nodes = new Map<string, SimNode>();
  #nowMs = START_MS;
  #events = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor({ seed, maxEvents = MAX_EVENTS }: WorldOptions) {
    this.seed = seed;
    this.random = seededRandom(seed);
    this.#maxEvents = maxEvents;
    this.clock = new Life(this, 'world', seededRandom(0));
  }

  /** How many events have happened. */
  get events(): number {
    return this.#events;
  }

  /** The time of this world, which no node's skew touches. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** A node that runs `boot` each time it starts; it does not start by itself. */
  node(name: string, boot: (life: Life) => void | Promise<void>): SimNode {
    assert(!this.#nodes.has(name), `there is a node '${name}' already`);
    const random = seededRandom(this.random.below(2 ** 31));
    const node = new SimNode(this, { name, boot, random });
    this.#nodes.set(name, node);
    return node;
  }

  /** Adds a check that runs after every event; it throws when something is not as promised. */
  invariant(check: () => void): void {
    this.#invariants.push(check);
  }

  /** Adds a line to the trace; never the time of the machine or anything else that varies. */
  note(owner: string, line: string): void {
    const text = `${String(this.#nowMs - START_MS).padStart(8)} ${owner} ${line}`;
    this.#hash.update(`${text}\n`);
    this.trace.push(text);
    if (this.trace.length > TRACE_TAIL_LINES) this.trace.shift();
  }

  /** Identifies the history so far: every event's time and owner, and every note. */
  traceHash(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Enters an event; the result cancels it. The owner is for the trace. */
  at(delayMs: number, owner: string, fire: () => void): () => void {
    assert(delayMs >= 0, 'an event cannot lie in the past');
    return this.#agenda.add({ atMs: this.#nowMs + delayMs, owner, fire });
  }

  /** Ends the run with this error after the current event. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /**
   * Lets the world run until `main` is done.
   * @throws the error of `main`, of a node, or of an invariant; or that nothing is left to happen
   */
  async run<Result>(main: Promise<Result>): Promise<Result> {
    let done = false;
    main.then(
      () => (done = true),
      (error: unknown) => this.fail(error),
    );
    for (;;) {
      await drainMicrotasks();
      if (this.#failure === undefined) this.#check();
      if (this.#failure !== undefined) throw this.#failure.error;
      if (done) return main;
      const entry = this.#agenda.next();
      assert(entry !== undefined, 'the world stands still: nothing will happen any more');
      assert(this.#events < this.#maxEvents, `no end after ${this.#maxEvents} events`);
      this.#events += 1;
      this.#nowMs = entry.atMs;
      this.#hash.update(`${entry.atMs} ${entry.owner}\n`);
      this.#fire(entry.fire);
    }
  }

  #fire(fire: (() => void) | undefined): void {
    try {
      fire?.();
    } catch (error) {
      this.fail(error);
    }
  }

  #check(): void {
    for (const check of this.#invariants) this.#fire(check);
  }
}

/** Until no code can go on without another event. */
function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export { Life, SimNode } from './node.ts';
export { Link, Mailbox, type CallOptions, type Handler, type LinkOptions } from './link.ts';
