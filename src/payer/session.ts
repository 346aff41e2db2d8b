/**
 * Calls of a session that is paid for.
 *
 * Each call is recorded with its number before it is sent, and sent again under that number until
 * its outcome is known: a repeat is answered, never charged twice.
 * @module
 */
import { toHex, utf8 } from '../base/bytes/index.ts';
import { Fault, isFault } from '../base/fault/index.ts';
import { jsonObject, parseJson, textMember, type Json } from '../base/json/index.ts';
import type { Msat } from '../base/money/index.ts';
import { parseMsat } from '../base/money/index.ts';
import { unixMs, type UnixMs } from '../base/time/index.ts';
import {
  askCode,
  callCode,
  requestHash,
  encryptedHash,
  verifyReceipt,
  type Question,
  type ReceiptFacts,
} from '../pay/bundle/index.ts';
import { printAsk, printCall, type CallBalance } from '../wire/toll/index.ts';
import { VERDICTS, sendCall, type CallResponse } from './call-message.ts';
import { ABANDONED_AFTER_MS, CALL_DEADLINE_MS } from './limits.ts';
import type { Link, LinkParts } from './link.ts';
import {
  refundSession,
  refundableOf,
  type RefundOptions,
  type RefundParts,
  type RefundResult,
} from './refund.ts';
import { persist } from './retry.ts';
import type { TopUpRequest } from './topup.ts';
import { keyOf } from './trust.ts';
import { Turnstile } from './turnstile.ts';

/** A result and what it cost. */
export interface CallResult<Output = Json> {
  readonly result: Output;
  /** What this exchange charged: zero for an answer that was fetched again. */
  readonly balance: CallBalance | undefined;
  /** The name under which the same call can be asked for again. */
  readonly callId: string;
}

/** How to call. */
export interface CallOptions {
  /**
   * The caller's name for this logical call, 1 to 64 characters: using it again, even in another
   * process, gets the first answer and costs nothing. Absent: a new call each time.
   */
  readonly callId?: string;
  /** How long it is tried, from the moment that it has a number. */
  readonly deadlineMs?: number;
  /** Ends the waiting, whatever for; what was sent may be charged all the same. */
  readonly signal?: AbortSignal;
  /** Which one, where the session has several. */
  readonly service?: string;
}

/** How to ask. */
export interface AskOptions {
  readonly signal?: AbortSignal;
}

/** Whether calls are encrypted: always, never, or (absent) where there is no TLS. */
export type Encrypt = 'always' | 'never';

/** What a session works with. */
export interface SessionParts extends RefundParts {
  readonly encrypt?: Encrypt;
  readonly topUp: (request: TopUpRequest) => Promise<void>;
}

/** What to top up with; the service can be left out where there is one. */
export type SessionTopUp = Omit<TopUpRequest, 'service'> & { readonly service?: string };

/** What the host says of a session. */
export interface SessionStatus {
  readonly paid: boolean;
  readonly callsLeft: number;
  readonly creditMsat: Msat;
  /** What a refund could pay out now: credit less the routing fee that is set aside. */
  readonly refundableMsat: Msat;
  readonly chargedMsat: Msat;
  /** Of all calls, with the top-ups. */
  readonly boughtCalls: number;
  readonly expiresAtMs: UnixMs;
  /** Where the session has several services. */
  readonly lines?: readonly LineStatus[];
}

/** Where a lane stands, as the host says. */
export interface LaneStatus {
  readonly length: number;
  readonly closed: boolean;
  readonly index: number;
  /** x(index), base64url: who claims an index shows its tick. */
  readonly tip: string;
  readonly spent: number;
  /** The lowest number that it has not been told is resolved. */
  readonly done: number;
}

/** What a session has of one of its services. */
export interface LineStatus {
  readonly service: string;
  readonly calls: number;
  readonly callsLeft: number;
}

/** A receipt that was checked. */
export interface CheckedReceipt {
  readonly text: string;
  readonly facts: ReceiptFacts;
}

/** What was bought. */
export interface SessionKey {
  /** 16 bytes, hex. */
  readonly session: string;
  /** In the order of the purchase. */
  readonly services: readonly string[];
  /** The fingerprint of the host's key under which it was sold. */
  readonly host: string;
  readonly codeKey: Uint8Array;
  readonly paymentHash: string;
}

/** Begins the callId of a call that the caller did not name. */
const UNNAMED = '~';

/** A paid session with a host. Its types are what the host promises; nobody checks them. */
export class PayerSession<Input = Json, Output = Json> {
  readonly session: string;
  /** Several are joined by commas. */
  readonly service: string;
  readonly services: readonly string[];
  readonly #key: SessionKey;
  readonly #link: Link;
  readonly #parts: SessionParts;
  readonly #encrypted: boolean;
  /** Calls under way in this object. */
  readonly #asked = new Set<string>();
  /** Calls without a name whose caller has gone: nobody can ask for them. */
  readonly #orphans = new Set<string>();
  readonly #turnstile = new Turnstile();

  constructor(parts: SessionParts, link: Link, key: SessionKey) {
    this.#parts = parts;
    this.#link = link;
    this.#key = key;
    this.session = key.session;
    this.services = key.services;
    this.service = key.services.join(',');
    const { encrypt } = parts;
    this.#encrypted = encrypt === undefined ? link.url.startsWith('http:') : encrypt === 'always';
  }

  /**
   * Makes one call.
   * @throws Fault `SERVICE_*` (not charged), `SESSION_*`, or one that leaves the outcome open, such
   * as `CALL_UNANSWERED`: then the callId among its facts finds out, at no further cost
   */
  async call(input: Input, options: CallOptions = {}): Promise<CallResult<Output>> {
    const service = this.#serviceOf(options.service);
    const callId = options.callId ?? this.#unnamed();
    const json = JSON.stringify(input);
    const request = utf8(this.services.length === 1 ? json : `{"${service}":${json}}`);
    this.#asked.add(callId);
    try {
      const recorded = await this.#turnstile.enter(options.signal, () =>
        this.#record(callId, request, options),
      );
      try {
        if (recorded.kind === 'resolved') {
          const result = parseJson(recorded.answer) as Output;
          return { result, balance: undefined, callId };
        }
        const sent = { ...recorded, service, input: input as Json, json: utf8(json) };
        return await this.#outcome(callId, sent, options);
      } finally {
        this.#turnstile.leave();
      }
    } finally {
      this.#asked.delete(callId);
    }
  }

  /** Sends a call until its outcome is known, and keeps it. */
  async #outcome(
    callId: string,
    sent: SentCall,
    options: CallOptions,
  ): Promise<CallResult<Output>> {
    const { store } = this.#parts;
    const { session } = this.#key;
    try {
      const { body, balance } = await this.#send(sent, options);
      const result = parseAnswer(body) as Output;
      await store.resolveCall(session, callId, options.callId ? body : undefined);
      return { result, balance, callId };
    } catch (error) {
      if (!isFault(error)) {
        if (options.callId === undefined) this.#orphans.add(callId);
        throw error;
      }
      // Another process of this profile may have asked for the same call, and resolved it first.
      const answer =
        error.code === 'CALL_FORGOTTEN' ? await store.answerOf(session, callId) : undefined;
      if (answer) return { result: parseAnswer(answer) as Output, balance: undefined, callId };
      // Only the host's verdict on this number ends it: any other failure may hide a charge.
      if (!VERDICTS.has(error.code)) throw new Fault(error.code, { ...error.facts, callId }, error);
      await store.resolveCall(session, callId);
      throw error;
    }
  }

  /** Where the session stands. */
  async status(options: AskOptions = {}): Promise<SessionStatus> {
    const answer = jsonObject(await this.#ask('session', options));
    const lines = linesOf(answer['lines']);
    return {
      paid: answer['paid'] === true,
      callsLeft: Number(answer['calls_left']),
      creditMsat: parseMsat(answer['credit_msat']),
      refundableMsat: refundableOf(answer),
      chargedMsat: parseMsat(answer['charged_msat']),
      boughtCalls: Number(answer['calls']),
      expiresAtMs: unixMs(Number(answer['expires_at_ms'])),
      ...(lines === undefined ? {} : { lines }),
    };
  }

  /**
   * Buys more calls for this session, which goes on meanwhile; then says where it stands. What is
   * paid late or twice is credit.
   * @throws Fault `PAYMENT_UNKNOWN` with the top-up's id: the same id finds out
   */
  async topUp(request: SessionTopUp): Promise<SessionStatus> {
    await this.#parts.topUp({ ...request, service: this.#serviceOf(request.service) });
    return this.status(request.signal ? { signal: request.signal } : {});
  }

  /** Where the lanes of a session stand that was bought for ticks. */
  async lanes(options: AskOptions = {}): Promise<readonly LaneStatus[]> {
    const { lanes } = jsonObject(await this.#ask('session', options));
    if (!Array.isArray(lanes)) throw new Fault('HOST_MALFORMED', { where: 'lanes' });
    return (lanes as readonly Json[]).map(readLane);
  }

  /**
   * Gets prepaid money back by Lightning and waits until it has arrived.
   * @throws Fault `REFUND_*`; `REFUND_PENDING` when time is up: the same refundId finds out
   */
  refund(options: RefundOptions = {}): Promise<RefundResult> {
    const { session, host, codeKey } = this.#key;
    const refundableMsat = async (): Promise<Msat> => (await this.status(options)).refundableMsat;
    return refundSession(
      this.#parts,
      this.#link,
      { session, host, codeKey, refundableMsat },
      options,
    );
  }

  /** A signed statement of everything served so far. @throws Fault `RECEIPT_INVALID` */
  async receipt(options: AskOptions = {}): Promise<CheckedReceipt> {
    const text = textMember(jsonObject(await this.#ask('receipt', options)), 'receipt');
    // The key it was sold under; the current one, if that one was stolen or is long gone.
    const keys = [keyOf(this.#link, this.#key.host), this.#link.key];
    const signers = new Set<string>();
    const facts = verifyReceipt(text, (statement, signature) => {
      const signer = keys.find((key) => key?.verify(statement, signature));
      if (signer) signers.add(signer.fingerprint);
      return signer !== undefined;
    });
    const mine =
      signers.has(facts.host) &&
      facts.session === this.#key.session &&
      facts.paymentHash === this.#key.paymentHash;
    if (!mine) throw new Fault('RECEIPT_INVALID', { where: 'subject' });
    return { text, facts };
  }

  /** A name for a call that the caller did not name: with its time, so that it can be given up. */
  #unnamed(): string {
    const { clock, random } = this.#parts;
    return `${UNNAMED}${clock.now().toString(16)}.${toHex(random.bytes(8))}`;
  }

  async #record(
    callId: string,
    request: Uint8Array,
    options: CallOptions,
  ): Promise<{ kind: 'send'; n: bigint; done: bigint } | { kind: 'resolved'; answer: Uint8Array }> {
    const { store } = this.#parts;
    const { session } = this.#key;
    return persist(this.#patience(options), async () => {
      let recorded = await store.recordCall({ session, callId, request });
      // What stands in the way may be a call of ours that ends any moment.
      while (recorded.kind === 'window' && this.#turnstile.inside > 0) {
        await this.#turnstile.nextLeaves(options.signal);
        recorded = await store.recordCall({ session, callId, request });
      }
      switch (recorded.kind) {
        case 'recorded':
        case 'exists':
          return { kind: 'send', n: recorded.n, done: recorded.done };
        case 'resolved':
          return { kind: 'resolved', answer: recorded.answer };
        case 'conflict':
          throw new Fault('CALL_CONFLICT');
        case 'window':
          await this.#dropAbandoned();
          throw new Fault('CALL_UNRESOLVED');
      }
    });
  }

  /**
   * Gives up the outcomes that nobody can ask for any more: calls without a name of the caller's,
   * not under way here, and old enough not to be under way elsewhere. Whether they were charged the
   * host's statements say.
   */
  async #dropAbandoned(): Promise<void> {
    const { store, clock } = this.#parts;
    const { session } = this.#key;
    const { calls } = await store.unresolvedCalls(session);
    for (const { callId } of calls) {
      if (!callId.startsWith(UNNAMED) || this.#asked.has(callId)) continue;
      const madeAtMs = Number.parseInt(callId.slice(UNNAMED.length), 16);
      const old = clock.now() - madeAtMs > ABANDONED_AFTER_MS;
      if (old || this.#orphans.delete(callId)) await store.resolveCall(session, callId);
    }
  }

  #send(sent: SentCall, options: CallOptions): Promise<CallResponse> {
    const { n, done, service, input, json } = sent;
    const { session, host, codeKey } = this.#key;
    const hash = requestHash(service, input);
    return persist(this.#patience(options), () => {
      const salt = this.#parts.random.bytes(16);
      const fields = { host, session, n, done, salt };
      const asked = this.#encrypted ? encryptedHash(hash) : hash;
      const code = callCode(codeKey, { ...fields, requestHash: asked });
      const credential = printCall({ session, n, done, salt, code });
      const call = { codeKey, salt, credential, service };
      const { signal } = options;
      return sendCall(this.#link, { call, encrypted: this.#encrypted, input: json, signal });
    });
  }

  /** @throws Fault `USAGE_INVALID` when the session has not bought it, or it is not clear which */
  #serviceOf(wanted: string | undefined): string {
    const [first = ''] = this.services;
    const service = wanted ?? (this.services.length === 1 ? first : '');
    if (this.services.includes(service)) return service;
    throw new Fault('USAGE_INVALID', { service, there_is: this.service });
  }

  #ask(question: Question, { signal }: AskOptions): Promise<Json> {
    const { session, host, codeKey } = this.#key;
    const salt = this.#parts.random.bytes(16);
    const fields = { host, session, salt, question };
    const credential = printAsk({ session, salt, code: askCode(codeKey, fields) });
    return this.#link.ask(`toll.${question}`, {}, credential, signal);
  }

  #patience({ deadlineMs = CALL_DEADLINE_MS, signal }: CallOptions): {
    clock: LinkParts['clock'];
    random: LinkParts['random'];
    deadlineMs: number;
    signal: AbortSignal | undefined;
  } {
    const { clock, random } = this.#parts;
    return { clock, random, deadlineMs, signal };
  }
}

/**
 * A paid answer that cannot be read was paid for all the same: the money is spent, the host is at
 * fault.
 */
function parseAnswer(body: Uint8Array): Json {
  try {
    return parseJson(body);
  } catch {
    throw new Fault('HOST_MALFORMED', { where: 'answer' });
  }
}

/** A call with its number. */
interface SentCall {
  readonly n: bigint;
  readonly done: bigint;
  readonly service: string;
  readonly input: Json;
  /** The input as it is sent. */
  readonly json: Uint8Array;
}

/** @throws Fault `HOST_MALFORMED` */
function linesOf(value: Json | undefined): readonly LineStatus[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new Fault('HOST_MALFORMED', { where: 'lines' });
  return (value as readonly Json[]).map((line) => {
    const of = jsonObject(line);
    const service = textMember(of, 'service');
    return { service, calls: Number(of['calls']), callsLeft: Number(of['calls_left']) };
  });
}

function readLane(value: Json): LaneStatus {
  const lane = jsonObject(value);
  const count = (name: string): number => {
    const found = Number(lane[name]);
    if (Number.isInteger(found) && found >= 0 && found < 2 ** 32) return found;
    throw new Fault('HOST_MALFORMED', { where: 'lanes' });
  };
  const numbers = { length: count('length'), index: count('index'), spent: count('spent') };
  const closed = lane['closed'] === true;
  return { ...numbers, done: count('done'), closed, tip: textMember(lane, 'tip') };
}
