/**
 * Answers in memory, for repeats: first in, first out, bounded by bytes.
 * @module
 */
import type { Answer } from './books.ts';
import { ANSWER_OVERHEAD_BYTES } from './limits.ts';

/** The answers of all sessions. */
export class AnswerFifo {
  readonly #maxBytes: number;
  readonly #answers = new Map<string, Answer>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The answer to a call, if it is still here. */
  get(session: string, n: bigint): Answer | undefined {
    return this.#answers.get(keyOf(session, n));
  }

  /** Keeps an answer; the oldest ones make room. One that is too large by itself is not kept. */
  put(session: string, n: bigint, answer: Answer): void {
    const key = keyOf(session, n);
    if (this.#answers.has(key) || sizeOf(answer) > this.#maxBytes) return;
    this.#answers.set(key, answer);
    this.#bytes += sizeOf(answer);
    for (const [oldest, gone] of this.#answers) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#answers.delete(oldest);
      this.#bytes -= sizeOf(gone);
    }
  }
}

function keyOf(session: string, n: bigint): string {
  return `${session}:${n}`;
}

function sizeOf(answer: Answer): number {
  return answer.body.length + ANSWER_OVERHEAD_BYTES;
}
