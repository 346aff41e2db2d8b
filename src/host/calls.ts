/**
 * One paid call: check its code, admit it to the books, run the service, charge, answer.
 * @module
 */
import { sameSecret, utf8 } from '../base/bytes/index.ts';
import { Fault, asFault, isFault } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import type { Log } from '../base/log/index.ts';
import { ZERO_MSAT, type Msat } from '../base/money/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Admission, Books, Session } from '../books/index.ts';
import { callCode, requestDigest, requestHash } from '../pay/bundle/index.ts';
import { parseCall, type CallBalance, type CallCredential } from '../wire/toll/index.ts';
import { CALL_TIMEOUT_MS, MAX_ANSWER_BYTES, MAX_RUNNING_CALLS } from './limits.ts';
import type { PaymentWatch } from './payments.ts';
import type { Service } from './service.ts';

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
  readonly #running = new Set<Promise<unknown>>();
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
    if (this.#running.size >= MAX_RUNNING_CALLS) throw new Fault('CALL_BUSY');
    const served = this.#serve(call);
    this.#running.add(served);
    try {
      return await served;
    } finally {
      this.#running.delete(served);
    }
  }

  /**
   * Takes no more calls; those under way may go on for `graceMs`, then they are cut and released.
   */
  async stop(graceMs: number): Promise<void> {
    this.#closed = true;
    const all = Promise.allSettled(this.#running);
    const cancel = this.#parts.clock.timer(graceMs, () => {
      this.#stopping.abort(new Fault('HOST_STOPPING'));
    });
    await all;
    cancel();
  }

  async #serve(call: Call): Promise<CallAnswer> {
    const service = this.#parts.services.get(call.service);
    if (!service) throw new Fault('SERVICE_UNKNOWN', { service: call.service.slice(0, 64) });
    const credential = parseCall(call.credential);
    const hash = requestHash(call.service, call.input);
    const session = await this.#authenticate(credential, hash);
    if (session.terms.service !== service.name) {
      throw new Fault('CODE_INVALID', { sold: session.terms.service });
    }
    const accepted = await service.accept(call.input);
    const { n, done } = credential;
    const request = { n, done, digest: requestDigest(hash) };
    const admission = await this.#parts.books.admit(credential.session, request, service.effect);
    const { body, chargedMsat } = await this.#finish(admission, service, accepted, credential);
    return { body, balance: await this.#balance(credential.session, chargedMsat) };
  }

  /** The session, once the code is found to be made with its key. */
  async #authenticate(credential: CallCredential, hash: Uint8Array): Promise<Session> {
    const session = await this.#parts.books.session(credential.session);
    if (!session) throw new Fault('SESSION_UNKNOWN');
    const { n, done, salt, code } = credential;
    const fields = { host: this.#parts.fingerprint, session: credential.session, n, done, salt };
    const expected = callCode(session.terms.codeKey, { ...fields, requestHash: hash });
    if (!sameSecret(expected, code)) throw new Fault('CODE_INVALID');
    // The payer may be faster than the wallet's wake-up.
    if (!session.state.paid) await this.#parts.payments.refresh().catch(() => undefined);
    return session;
  }

  async #finish(
    admission: Admission,
    service: Service,
    accepted: unknown,
    credential: CallCredential,
  ): Promise<{ body: Uint8Array; chargedMsat: Msat }> {
    const run = (): Promise<Uint8Array> => this.#run(service, accepted, credential);
    switch (admission.kind) {
      case 'repeat':
        return { body: (await admission.answer).body, chargedMsat: ZERO_MSAT };
      case 'rerun': {
        const body = await run().catch((error: unknown) => {
          admission.failed(asFault(error, 'SERVICE_FAILED'));
          throw error;
        });
        return { body: (await admission.answered(body)).body, chargedMsat: ZERO_MSAT };
      }
      case 'run': {
        const body = await run().catch(async (error: unknown) => {
          await admission.release(asFault(error, 'SERVICE_FAILED'));
          throw error;
        });
        return admission.charge(body);
      }
    }
  }

  /** The handler's result as bytes, or a fault of the service; never later than its time limit. */
  async #run(service: Service, accepted: unknown, credential: CallCredential): Promise<Uint8Array> {
    const { clock, log } = this.#parts;
    const limit = new AbortController();
    const cancel = clock.timer(service.timeoutMs ?? CALL_TIMEOUT_MS, () => {
      limit.abort(new Fault('SERVICE_TIMEOUT'));
    });
    const signal = AbortSignal.any([limit.signal, this.#stopping.signal]);
    const { session, n } = credential;
    try {
      const result = await Promise.race([
        service.run(accepted, { session, n, signal }),
        aborted(signal),
      ]);
      return encode(result);
    } catch (error) {
      const fault = asFault(error, 'SERVICE_FAILED');
      log.warn('call failed', { service: service.name, session, n, code: fault.code }, error);
      throw fault;
    } finally {
      cancel();
    }
  }

  async #balance(session: string, chargedMsat: Msat): Promise<CallBalance> {
    const known = await this.#parts.books.session(session);
    const creditMsat = known?.state.creditMsat ?? ZERO_MSAT;
    return { chargedMsat, creditMsat, callsLeft: known?.state.callsLeft ?? 0 };
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void =>
      reject(isFault(signal.reason) ? signal.reason : new Fault('SERVICE_FAILED'));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

function encode(result: Json): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(result);
  } catch (error) {
    throw new Fault('SERVICE_FAILED', { reason: 'the result is not JSON' }, error);
  }
  const body = utf8(text ?? 'null');
  if (body.length > MAX_ANSWER_BYTES)
    throw new Fault('SERVICE_FAILED', { reason: 'answer too large' });
  return body;
}
