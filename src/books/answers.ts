/**
 * Answers in memory, for repeats: first in, first out, bounded by bytes.
 * @module
 */
import type { Answer } from './books.ts';
import { ANSWER_OVERHEAD_BYTES } from './limits.ts';

/** An answer between the one that came before it and the one that came after it. */
interface Held {
  readonly session: string;
  readonly n: bigint;
  readonly answer: Answer;
  older: Held | undefined;
  newer: Held | undefined;
}

/** The answers of all sessions. */
export class AnswerFifo {
  readonly #maxBytes: number;
  readonly #sessions = new Map<string, Map<bigint, Held>>();
  #oldest: Held | undefined;
  #newest: Held | undefined;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The answer to a call, if it is still here. */
  get(session: string, n: bigint): Answer | undefined {
    return this.#sessions.get(session)?.get(n)?.answer;
  }

  /** Keeps an answer; the oldest ones make room. One that is too large by itself is not kept. */
  put(session: string, n: bigint, answer: Answer): void {
    let answers = this.#sessions.get(session);
    if (answers?.has(n) || sizeOf(answer) > this.#maxBytes) return;
    if (answers === undefined) this.#sessions.set(session, (answers = new Map<bigint, Held>()));
    const held: Held = { session, n, answer, older: this.#newest, newer: undefined };
    answers.set(n, held);
    if (this.#newest === undefined) this.#oldest = held;
    else this.#newest.newer = held;
    this.#newest = held;
    this.#bytes += sizeOf(answer);
    while (this.#bytes > this.#maxBytes && this.#oldest !== undefined) this.#drop(this.#oldest);
  }

  /** Nobody can ask for it any more. */
  forget(session: string, n: bigint): void {
    const held = this.#sessions.get(session)?.get(n);
    if (held !== undefined) this.#drop(held);
  }

  #drop({ session, n, answer, older, newer }: Held): void {
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    this.#bytes -= sizeOf(answer);
    const answers = this.#sessions.get(session);
    answers?.delete(n);
    if (answers?.size === 0) this.#sessions.delete(session);
  }
}

function sizeOf(answer: Answer): number {
  return answer.body.length + ANSWER_OVERHEAD_BYTES;
}
