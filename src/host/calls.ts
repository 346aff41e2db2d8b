/**
 * One paid call: check its code, admit it to the books, run the service, charge, answer.
 * @module
 */
import { sameSecret, utf8 } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import { MAX_JSON_DEPTH, parseJson, type Json } from '../base/json/index.ts';
import type { Log } from '../base/log/index.ts';
import { ZERO_MSAT } from '../base/money/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Admission, Answer, Books, HeldSession, Session } from '../books/index.ts';
import { CallCodes, requestDigest, requestHashHex } from '../pay/bundle/index.ts';
import { parseCall, type CallBalance, type CallCredential } from '../wire/toll/index.ts';
import { CALL_TIMEOUT_MS, MAX_ANSWER_BYTES, MAX_RUNNING_CALLS } from './limits.ts';
import type { PaymentWatch } from './payments.ts';
import { RunningCall } from './running-call.ts';
import type { Maybe, Service } from './service.ts';

/** A call as it comes out of its envelope. */
export interface Call {
  /** The text of the credential. */
  readonly credential: string;
  readonly service: string;
  readonly input: Json;
}

/** What goes back into the envelope. */
export interface CallAnswer {
  /** UTF-8 of a JSON text: the same bytes for each repeat. */
  readonly body: Uint8Array;
  readonly balance: CallBalance;
}

/** What the counter works with. */
export interface CounterParts {
  readonly fingerprint: string;
  readonly books: Books;
  readonly payments: PaymentWatch;
  readonly services: ReadonlyMap<string, Service>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where calls are served. */
export class Counter {
  readonly #parts: CounterParts;
  readonly #stopping = new AbortController();
  /** Calls whose handler takes its time: they can be cut. */
  readonly #waiting = new Set<RunningCall>();
  /** By the terms of a session: they live as long as it stays in memory. */
  readonly #codes = new WeakMap<Session['terms'], CallCodes>();
  #running = 0;
  /** Handlers that still run although their call has ended. */
  #overdue = 0;
  readonly #idle: (() => void)[] = [];
  #closed = false;

  constructor(parts: CounterParts) {
    this.#parts = parts;
  }

  /**
   * Serves one call.
   * @throws Fault the refusal, or what became of the call
   */
  async serve(call: Call): Promise<CallAnswer> {
    if (this.#closed) throw new Fault('HOST_STOPPING');
    if (this.#running + this.#overdue >= MAX_RUNNING_CALLS) throw new Fault('CALL_BUSY');
    this.#running++;
    try {
      return await this.#serve(call);
    } finally {
      if (--this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /**
   * Takes no more calls; those under way may go on for `graceMs`, then they are cut and released.
   */
  async stop(graceMs: number): Promise<void> {
    this.#closed = true;
    if (this.#running === 0) return;
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    const cancel = this.#parts.clock.timer(graceMs, () => {
      const fault = new Fault('HOST_STOPPING');
      this.#stopping.abort(fault);
      for (const running of this.#waiting) running.cut(fault);
    });
    await idle;
    cancel();
  }

  /** Nothing is awaited that is there already: a turn of the queue costs as much as a hash. */
  async #serve(call: Call): Promise<CallAnswer> {
    const { books, services } = this.#parts;
    const service = services.get(call.service);
    if (!service) throw new Fault('SERVICE_UNKNOWN', { service: call.service.slice(0, 64) });
    const credential = parseCall(call.credential);
    const id = credential.session;
    const session = books.sessionNow(id) ?? (await books.session(id));
    if (!session) throw new Fault('SESSION_UNKNOWN');
    const hash = requestHashHex(call.service, call.input);
    this.#authenticate(session, credential, hash);
    // The payer may be faster than the wallet's wake-up.
    if (!isPaid(session)) await this.#parts.payments.refresh().catch(() => undefined);
    if (session.terms.service !== service.name) {
      throw new Fault('CODE_INVALID', { sold: session.terms.service });
    }
    const { n, done } = credential;
    const request = { n, done, digest: requestDigest(hash) };
    let admission = books.admitNow(id, request, service.effect);
    if (admission instanceof Promise) admission = await admission;
    const { body, chargedMsat } = await this.#finish(admission, service, call.input, credential);
    const { state } = books.sessionNow(id) ?? (await books.session(id)) ?? session;
    const { creditMsat, callsLeft } = state;
    return { body, balance: { chargedMsat, creditMsat, callsLeft } };
  }

  /** @throws Fault `CODE_INVALID` unless the code is made with the session's key */
  #authenticate({ terms }: Session, credential: CallCredential, hash: string): void {
    let codes = this.#codes.get(terms);
    if (codes === undefined) {
      codes = new CallCodes(terms.codeKey, this.#parts.fingerprint, terms.session);
      this.#codes.set(terms, codes);
    }
    if (!sameSecret(codes.code(credential, hash), credential.code)) throw new Fault('CODE_INVALID');
  }

  #finish(
    admission: Admission,
    service: Service,
    input: Json,
    credential: CallCredential,
  ): Promise<Answer> {
    switch (admission.kind) {
      case 'repeat':
        return uncharged(admission.answer);
      case 'rerun':
        return this.#rerun(admission, this.#run(service, input, credential));
      case 'run':
        return this.#charge(admission, this.#run(service, input, credential));
    }
  }

  #charge(admission: Admission & { kind: 'run' }, ran: Ran): Promise<Answer> {
    if (ran instanceof Promise) return ran.then((end) => this.#charge(admission, end));
    if (ran instanceof Uint8Array) return admission.charge(ran);
    return admission.release(ran.fault).then(() => {
      throw ran.fault;
    });
  }

  async #rerun(admission: Admission & { kind: 'rerun' }, running: Ran): Promise<Answer> {
    const ran = await running;
    if (ran instanceof Uint8Array) return uncharged(admission.answered(ran));
    // It was charged when it was first answered: the payer must not believe that it was not.
    const fault = new Fault('CALL_RERUN_FAILED', {}, ran.fault);
    admission.failed(fault);
    throw fault;
  }

  /**
   * Checks the input and runs the handler: its result as bytes, or a fault of the service; never
   * later than its time limit. What was charged before is answered without looking at it again.
   */
  #run(service: Service, input: Json, credential: CallCredential): Ran {
    const { session, n } = credential;
    const running = new RunningCall(session, n, this.#stopping.signal);
    try {
      const { accept, run } = service.steps;
      const accepted = accept(input);
      const result =
        accepted instanceof Promise
          ? accepted.then((value) => run(value, running.context))
          : run(accepted, running.context);
      if (result instanceof Promise) return this.#wait(running, service, result);
      // A call that the host has cut is not charged, whatever came of it.
      running.check();
      return encode(result);
    } catch (error) {
      return this.#failed(service, running, error);
    }
  }

  async #wait(running: RunningCall, service: Service, result: Promise<Json>): Promise<Ended> {
    const timeoutMs = service.timeoutMs ?? CALL_TIMEOUT_MS;
    const cancel = this.#parts.clock.timer(timeoutMs, () => {
      running.cut(new Fault('SERVICE_TIMEOUT'));
    });
    this.#waiting.add(running);
    let returned = false;
    const gone = (): void => {
      if (this.#waiting.has(running)) returned = true;
      else this.#overdue--;
    };
    result.then(gone, gone);
    try {
      return encode(await running.race(result));
    } catch (error) {
      return this.#failed(service, running, error);
    } finally {
      this.#waiting.delete(running);
      // A handler that goes on after its call was cut keeps its place until it ends.
      if (!returned) this.#overdue++;
      cancel();
    }
  }

  #failed(service: Service, { session, n }: RunningCall, error: unknown): Ended {
    const fault = asFault(error, 'SERVICE_FAILED');
    const facts = { service: service.name, session, n, code: fault.code };
    this.#parts.log.warn('call failed', facts, error);
    return { fault };
  }
}

/** How a handler ended: its answer, or a fault of the service. */
type Ended = Uint8Array | { readonly fault: Fault };
type Ran = Maybe<Ended>;

function isPaid(session: Session | HeldSession): boolean {
  return 'paid' in session ? session.paid : session.state.paid;
}

async function uncharged(answer: Promise<Answer>): Promise<Answer> {
  return { body: (await answer).body, chargedMsat: ZERO_MSAT };
}

function encode(result: Json): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(result);
  } catch (error) {
    throw new Fault('SERVICE_FAILED', { reason: 'the result is not JSON' }, error);
  }
  text ??= 'null';
  // Only text that can be parsed again under the same rules may be charged: long ones can be too
  // deep, and half a character is written as an escape.
  if (text.length > 2 * MAX_JSON_DEPTH || text.includes('\\ud')) assertReadable(text);
  const body = utf8(text);
  if (body.length > MAX_ANSWER_BYTES)
    throw new Fault('SERVICE_FAILED', { reason: 'answer too large' });
  return body;
}

function assertReadable(text: string): void {
  try {
    parseJson(text);
  } catch (error) {
    throw new Fault('SERVICE_FAILED', { reason: 'the result is not JSON' }, error);
  }
}
