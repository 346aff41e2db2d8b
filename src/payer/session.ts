/**
 * Calls of a session that is paid for.
 *
 * Each call is recorded with its number before it is sent, and sent again under that number until
 * its outcome is known: a repeat is answered, never charged twice.
 * @module
 */
import { toHex, utf8 } from '../base/bytes/index.ts';
import { Fault, isFault, type FaultCode } from '../base/fault/index.ts';
import { jsonObject, parseJson, textMember, type Json } from '../base/json/index.ts';
import type { Msat } from '../base/money/index.ts';
import { parseMsat } from '../base/money/index.ts';
import {
  askCode,
  callCode,
  requestHash,
  verifyReceipt,
  type Question,
  type ReceiptFacts,
} from '../pay/bundle/index.ts';
import { printAsk, printCall, type CallBalance } from '../wire/toll/index.ts';
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

/** A result and what it cost. */
export interface CallResult {
  readonly result: Json;
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
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** What the host says of a session. */
export interface SessionStatus {
  readonly paid: boolean;
  readonly callsLeft: number;
  readonly creditMsat: Msat;
  /** What a refund could pay out now: credit less the routing fee that is set aside. */
  readonly refundableMsat: Msat;
  readonly chargedMsat: Msat;
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
  readonly service: string;
  readonly codeKey: Uint8Array;
  readonly paymentHash: string;
}

/** Begins the callId of a call that the caller did not name. */
const UNNAMED = '~';

/** What a host says about the one number it was asked for; the number can be forgotten then. */
const VERDICTS: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'SERVICE_INPUT',
  'SERVICE_FAILED',
  'SERVICE_TIMEOUT',
  'SESSION_EXPIRED',
  'SESSION_EXHAUSTED',
  'CALL_FORGOTTEN',
  'CALL_CONFLICT',
  'CALL_OUTCOME_UNKNOWN',
  'CALL_FAILED',
  'CALL_RERUNS',
]);

/** A paid session with a host. */
export class PayerSession {
  readonly session: string;
  readonly service: string;
  readonly #key: SessionKey;
  readonly #link: Link;
  readonly #parts: RefundParts;
  /** Calls under way in this object. */
  readonly #asked = new Set<string>();

  constructor(parts: RefundParts, link: Link, key: SessionKey) {
    this.#parts = parts;
    this.#link = link;
    this.#key = key;
    this.session = key.session;
    this.service = key.service;
  }

  /**
   * Makes one call.
   * @throws Fault `SERVICE_*` (not charged), `SESSION_*`, or one that leaves the outcome open, such
   * as `CALL_UNANSWERED`: then the callId among its facts finds out, at no further cost
   */
  async call(input: Json, options: CallOptions = {}): Promise<CallResult> {
    const callId = options.callId ?? this.#unnamed();
    const request = utf8(JSON.stringify(input));
    const { session } = this.#key;
    const { store } = this.#parts;
    this.#asked.add(callId);
    try {
      const recorded = await this.#record(callId, request, options);
      if (recorded.kind === 'resolved') {
        return { result: parseJson(recorded.answer), balance: undefined, callId };
      }
      const { n, done } = recorded;
      const { body, balance } = await this.#send({ n, done, input, request }, options);
      const result = parseAnswer(body);
      await store.resolveCall(session, callId, options.callId ? body : undefined);
      return { result, balance, callId };
    } catch (error) {
      if (!isFault(error)) throw error;
      // Only the host's verdict on this number ends it: any other failure may hide a charge.
      if (!VERDICTS.has(error.code)) throw new Fault(error.code, { ...error.facts, callId }, error);
      await store.resolveCall(session, callId);
      throw error;
    } finally {
      this.#asked.delete(callId);
    }
  }

  /** Where the session stands. */
  async status(): Promise<SessionStatus> {
    const answer = jsonObject(await this.#ask('session'));
    return {
      paid: answer['paid'] === true,
      callsLeft: Number(answer['calls_left']),
      creditMsat: parseMsat(answer['credit_msat']),
      refundableMsat: refundableOf(answer),
      chargedMsat: parseMsat(answer['charged_msat']),
    };
  }

  /**
   * Gets prepaid money back by Lightning and waits until it has arrived.
   * @throws Fault `REFUND_*`; `REFUND_PENDING` when time is up: the same refundId finds out
   */
  refund(options: RefundOptions = {}): Promise<RefundResult> {
    const { session, codeKey } = this.#key;
    const refundableMsat = async (): Promise<Msat> => (await this.status()).refundableMsat;
    return refundSession(this.#parts, this.#link, { session, codeKey, refundableMsat }, options);
  }

  /** A signed statement of everything served so far. @throws Fault `RECEIPT_INVALID` */
  async receipt(): Promise<CheckedReceipt> {
    const text = textMember(jsonObject(await this.#ask('receipt')), 'receipt');
    const { key } = this.#link;
    const facts = verifyReceipt(text, (statement, signature) => key.verify(statement, signature));
    const mine =
      facts.host === key.fingerprint &&
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
      const recorded = await store.recordCall({ session, callId, request });
      switch (recorded.kind) {
        case 'recorded':
        case 'exists':
          return { kind: 'send', n: recorded.n, done: recorded.done };
        case 'resolved':
          return { kind: 'resolved', answer: recorded.answer };
        case 'conflict':
          throw new Fault('CALL_CONFLICT');
        case 'window':
        case 'late':
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
      if (clock.now() - madeAtMs > ABANDONED_AFTER_MS) await store.resolveCall(session, callId);
    }
  }

  #send(
    call: { n: bigint; done: bigint; input: Json; request: Uint8Array },
    options: CallOptions,
  ): Promise<{ body: Uint8Array; balance: CallBalance }> {
    const { n, done, input, request } = call;
    const { session, service, codeKey } = this.#key;
    const hash = requestHash(service, input);
    return persist(this.#patience(options), () => {
      const salt = this.#parts.random.bytes(16);
      const fields = { host: this.#link.key.fingerprint, session, n, done, salt };
      const code = callCode(codeKey, { ...fields, requestHash: hash });
      const credential = printCall({ session, n, done, salt, code });
      return this.#link.call(service, request, credential, options.signal);
    });
  }

  #ask(question: Question): Promise<Json> {
    const { session, codeKey } = this.#key;
    const salt = this.#parts.random.bytes(16);
    const fields = { host: this.#link.key.fingerprint, session, salt, question };
    const credential = printAsk({ session, salt, code: askCode(codeKey, fields) });
    return this.#link.ask(`toll.${question}`, {}, credential);
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
