/**
 * Questions and answers over a line between two processes.
 * @module
 */
import { Fault, asFault, isFaultCode, type FaultDetail } from '../../base/fault/index.ts';
import type { Channel } from './channel.ts';
import { MAX_ASKED } from './limits.ts';

/** What can be asked at the other end. What it throws comes back: a Fault with its facts. */
export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

type Message = Question | Answer;

interface Question {
  /** Without one no answer is wanted. */
  readonly id?: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

type Answer =
  | { readonly answer: number; readonly value: unknown }
  | {
      readonly answer: number;
      readonly code: string;
      readonly facts: FaultDetail;
      readonly reason: string;
    };

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Fault): void;
}

/** One end of a line on which questions are asked and answered. */
export class Questions {
  readonly #channel: Channel;
  readonly #waiting = new Map<number, Waiting>();
  #methods: Methods | undefined;
  /** What was asked before anybody answered. */
  readonly #early: Question[] = [];
  #lastId = 0;
  #gone: Fault | undefined;

  /** @param closed called once when the line has closed: the other process has ended */
  constructor(channel: Channel, closed: () => void) {
    this.#channel = channel;
    channel.open((message) => this.#receive(message as Message), closed);
  }

  /** Answers from now on, and what was asked before. */
  serve(methods: Methods): void {
    this.#methods = methods;
    for (const message of this.#early.splice(0)) this.#receive(message);
  }

  /** Asks. @throws Fault what the other end has thrown; `CALL_BUSY` */
  ask<T>(method: string, ...args: readonly unknown[]): Promise<T> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (this.#waiting.size >= MAX_ASKED) return Promise.reject(new Fault('CALL_BUSY'));
    const id = ++this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    this.#channel.send({ id, method, args });
    return answer as Promise<T>;
  }

  /** Says something to which there is no answer. */
  tell(method: string, ...args: readonly unknown[]): void {
    this.#channel.send({ method, args });
  }

  /** Nothing is answered any more: who waits is told. */
  end(fault: Fault): void {
    this.#gone = fault;
    for (const waiting of this.#waiting.values()) waiting.reject(fault);
    this.#waiting.clear();
  }

  #receive(message: Message): void {
    if ('answer' in message) return this.#settle(message);
    if (this.#methods === undefined) return void this.#early.push(message);
    const method = this.#methods[message.method] as (...args: readonly unknown[]) => unknown;
    const { id, args } = message;
    if (id === undefined) method(...args);
    else void this.#answer(id, () => method(...args));
  }

  async #answer(answer: number, work: () => unknown): Promise<void> {
    try {
      this.#channel.send({ answer, value: await work() });
    } catch (error) {
      const { code, facts, cause } = asFault(error);
      const reason = cause instanceof Error ? cause.message : '';
      this.#channel.send({ answer, code, facts, reason });
    }
  }

  #settle(message: Answer): void {
    const waiting = this.#waiting.get(message.answer);
    this.#waiting.delete(message.answer);
    if ('value' in message) return waiting?.resolve(message.value);
    const code = isFaultCode(message.code) ? message.code : 'HOST_BROKEN';
    waiting?.reject(new Fault(code, message.facts, new Error(message.reason)));
  }
}
