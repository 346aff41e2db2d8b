/**
 * One paid call: check its code, admit it to the books, run the service, charge, answer.
 * @module
 */
import { fromHex, sameSecret, toHex } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import type { Log } from '../base/log/index.ts';
import { ZERO_MSAT, type Msat } from '../base/money/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Admission, Answer, Books, HeldSession, Session } from '../books/index.ts';
import { CallCodes, requestDigest, requestHashHex, encryptedHash } from '../pay/bundle/index.ts';
import { sells, type SessionState } from '../pay/ledger/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import { isTick, parseCall, type CallBalance, type CallCredential } from '../wire/toll/index.ts';
import type { Call, CallAnswer } from './call.ts';
import { CallGate } from './gate.ts';
import { boundFingerprint } from './identities.ts';
import { LaneCounter, paidLoader } from './lane-counter.ts';
import type { HostLimits } from './limits.ts';
import type { CallMeter } from './meter.ts';
import type { PaymentWatch } from './payments.ts';
import { Runs, type Ran } from './runs.ts';
import type { Service } from './service.ts';

/** What the counter works with. */
export interface CounterParts {
  readonly keys: HostKeys;
  readonly books: Books;
  readonly payments: PaymentWatch;
  readonly services: ReadonlyMap<string, Service>;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: HostLimits;
  /** Told of each call; absent where nobody looks. */
  readonly meter: CallMeter | undefined;
}

/** Where calls are served. */
export class Counter {
  readonly #parts: CounterParts;
  readonly #runs: Runs;
  readonly #lanes: LaneCounter;
  /** By the terms of a session: they live as long as it stays in memory. */
  readonly #codes = new WeakMap<Session['terms'], CallCodes>();
  readonly #gate: CallGate;

  constructor(parts: CounterParts) {
    this.#parts = parts;
    const { keys, books, payments } = parts;
    this.#runs = new Runs(parts);
    const load = paidLoader(books.lanes, payments);
    this.#lanes = new LaneCounter({ keys, lanes: books.lanes, load }, this.#runs);
    const serve = (call: Call): Promise<CallAnswer> => this.#serve(call);
    this.#gate = new CallGate({ ...parts, runs: this.#runs, serve });
  }

  /**
   * Serves one call.
   * @throws Fault the refusal, or what became of the call
   */
  serve(call: Call): Promise<CallAnswer> {
    return this.#gate.serve(call);
  }

  /** Calls under way, and handlers that go on after their call was cut. */
  get running(): number {
    return this.#gate.running;
  }

  /** It takes no more calls. */
  get stopping(): boolean {
    return this.#gate.stopping;
  }

  /**
   * Takes no more calls; those under way may go on for `graceMs`, then they are cut and released.
   */
  stop(graceMs: number): Promise<void> {
    return this.#gate.stop(graceMs);
  }

  #serve(call: Call): Promise<CallAnswer> {
    const service = this.#parts.services.get(call.service);
    if (isTick(call.credential)) return this.#lanes.serve(call, service);
    return service ? this.#bundle(call, service) : this.#repeat(call);
  }

  /** Nothing is awaited that is there already: a turn of the queue costs as much as a hash. */
  async #bundle(call: Call, service: Service): Promise<CallAnswer> {
    const { books } = this.#parts;
    const credential = parseCall(call.credential);
    const id = credential.session;
    const session = books.sessionNow(id) ?? (await books.session(id));
    if (!session) throw new Fault('SESSION_UNKNOWN');
    const hash = requestHashHex(call.service, call.input);
    this.#authenticate(session, credential, boundHash(call, hash));
    // The payer may be faster than the wallet's wake-up.
    if (!isPaid(session)) await this.#parts.payments.refresh().catch(() => undefined);
    if (!sells(session.terms, service.name)) {
      throw new Fault('CODE_INVALID', { sold: session.terms.service });
    }
    const { n, done } = credential;
    const request = { n, done, digest: requestDigest(hash), service: service.name };
    let admission = books.admitNow(id, request, service.effect);
    if (admission instanceof Promise) admission = await admission;
    const { body, chargedMsat } = await this.#finish(admission, service, call.input, credential);
    const { state } = books.sessionNow(id) ?? (await books.session(id)) ?? session;
    return { body, balance: balanceOf(state, service.name, chargedMsat) };
  }

  /**
   * What an encrypted call is opened with.
   * @throws Fault `SERVICE_UNKNOWN`, `CODE_MALFORMED`, `SESSION_UNKNOWN`
   */
  async callKey({ credential, service }: Pick<Call, 'credential' | 'service'>): Promise<{
    readonly codeKey: Uint8Array;
    readonly salt: Uint8Array;
  }> {
    const { books, services } = this.#parts;
    const { session: id, salt } = parseCall(credential);
    const session = books.sessionNow(id) ?? (await books.session(id));
    if (!session) {
      throw services.has(service)
        ? new Fault('SESSION_UNKNOWN')
        : new Fault('SERVICE_UNKNOWN', { service: service.slice(0, 64) });
    }
    return { codeKey: session.terms.codeKey, salt };
  }

  /**
   * A call of a service that is sold no more: only what was charged before is answered, again.
   * @throws Fault `SERVICE_UNKNOWN` also for everything that cannot be such a call
   */
  async #repeat(call: Call): Promise<CallAnswer> {
    const { books } = this.#parts;
    const unknown = new Fault('SERVICE_UNKNOWN', { service: call.service.slice(0, 64) });
    const credential = readCall(call.credential);
    const session = credential && (await books.session(credential.session));
    if (credential === undefined || session === undefined || !sells(session.terms, call.service)) {
      throw unknown;
    }
    const hash = requestHashHex(call.service, call.input);
    this.#authenticate(session, credential, boundHash(call, hash));
    const { n, done } = credential;
    const request = { n, done, digest: requestDigest(hash), service: call.service };
    const admission = await books.admit(credential.session, request, undefined);
    if (admission.kind !== 'repeat')
      throw new Error('invariant: what is sold no more does not run');
    const { body, chargedMsat } = await uncharged(admission.answer);
    return { body, balance: balanceOf(session.state, call.service, chargedMsat) };
  }

  /** @throws Fault `CODE_INVALID` unless the code is made with the session's key */
  #authenticate({ terms }: Session, credential: CallCredential, hash: string): void {
    const known = this.#codes.get(terms);
    if (known && sameSecret(known.code(credential, hash), credential.code)) return;
    const codes = (host: string): CallCodes => new CallCodes(terms.codeKey, host, terms.session);
    const host = boundFingerprint(this.#parts.keys, credential.code, (fingerprint) =>
      codes(fingerprint).code(credential, hash),
    );
    this.#codes.set(terms, codes(host));
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
        return this.#rerun(admission, this.#runs.run(service, input, credential));
      case 'run':
        return this.#charge(admission, this.#runs.run(service, input, credential));
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
}

/** What the code of a call is made over, from the hash of its request. */
function boundHash({ encrypted }: Call, hash: string): string {
  return encrypted ? toHex(encryptedHash(fromHex(hash, 'requestHash'))) : hash;
}

function readCall(text: string): CallCredential | undefined {
  try {
    return parseCall(text);
  } catch {
    return undefined;
  }
}

/** Of several services, the calls left are those of the one that was called. */
function balanceOf(state: SessionState, service: string, chargedMsat: Msat): CallBalance {
  const { creditMsat, lines } = state;
  const callsLeft = lines?.find((line) => line.service === service)?.callsLeft ?? state.callsLeft;
  return { chargedMsat, creditMsat, callsLeft };
}

function isPaid(session: Session | HeldSession): boolean {
  return 'paid' in session ? session.paid : session.state.paid;
}

async function uncharged(answer: Promise<Answer>): Promise<Answer> {
  return { body: (await answer).body, chargedMsat: ZERO_MSAT };
}
