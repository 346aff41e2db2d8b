/**
 * The pump: the one place where a node's state becomes durable and its words leave the process.
 *
 * Each turn takes events from LDK, lets it write its messages into buffers, commits monitors,
 * manager and our rows in one transaction, and only then lets the buffers go: to peers, to the
 * chain, to the wallet. So the manager on disk is never older than its monitors, and a crash at
 * any moment loses only what nobody else has seen.
 * @module
 */
import { fatal } from './guard.ts';
import type { State } from './state.ts';

/** What takes part in a turn. */
export interface PumpParts {
  readonly state: State;
  /** Takes LDK's events and lets it prepare messages; true when there may be more. */
  readonly work: () => boolean;
  /** Writes what changed in LDK into the open transaction. */
  readonly save: () => void;
  /** Lets go what the commit made true: bytes for peers, transactions. */
  readonly release: () => void;
}

/** A running pump. */
export interface Pump {
  /** Asks for a turn soon. */
  wake(): void;
  /** Runs `send` after the next commit. */
  afterCommit(send: () => void): void;
  /** One turn now. */
  turn(): void;
  stop(): void;
}

/** Rounds of events within one commit, so that a busy node still answers. */
const ROUNDS_PER_TURN = 20;

/** Starts a pump. */
export function openPump({ state, work, save, release }: PumpParts): Pump {
  let outbox: (() => void)[] = [];
  let scheduled = false;
  let stopped = false;
  const wake = (): void => {
    if (scheduled || stopped) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      turn();
    });
  };
  const turn = (): void => {
    if (stopped) return;
    try {
      let rounds = 0;
      while (work() && ++rounds < ROUNDS_PER_TURN);
      if (rounds === ROUNDS_PER_TURN) wake();
      save();
      state.commit();
      release();
      const sends = outbox;
      outbox = [];
      for (const send of sends) send();
    } catch (error) {
      fatal(error);
    }
  };
  return {
    wake,
    turn,
    afterCommit: (send) => {
      outbox.push(send);
      wake();
    },
    stop: () => {
      stopped = true;
    },
  };
}
