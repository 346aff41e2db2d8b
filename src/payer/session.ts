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
import {
  askCode,
  callCode,
  requestHash,
  verifyReceipt,
  type Question,
  type ReceiptFacts,
} from '../pay/bundle/index.ts';
import { printAsk, printCall, type CallBalance } from '../wire/toll/index.ts';
import { CALL_DEADLINE_MS } from './limits.ts';
import type { Link, LinkParts } from './link.ts';
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

/** A paid session with a host. */
export class PayerSession {
  readonly session: string;
  readonly service: string;
  readonly #key: SessionKey;
  readonly #link: Link;
  readonly #parts: LinkParts;

  constructor(parts: LinkParts, link: Link, key: SessionKey) {
    this.#parts = parts;
    this.#link = link;
    this.#key = key;
    this.session = key.session;
    this.service = key.service;
  }

  /**
   * Makes one call.
   * @throws Fault `SERVICE_*` (not charged), `SESSION_*`, or `CALL_UNANSWERED`: then the same
   * callId
   * finds out what became of it
   */
  async call(input: Json, options: CallOptions = {}): Promise<CallResult> {
    const callId = options.callId ?? toHex(this.#parts.random.bytes(16));
    const request = utf8(JSON.stringify(input));
    const { session } = this.#key;
    const recorded = await this.#record(callId, request, options);
    if (recorded.kind === 'resolved') {
      return { result: parseJson(recorded.answer), balance: undefined, callId };
    }
    const { n, done } = recorded;
    try {
      const { body, balance } = await this.#send({ n, done, input, request }, options);
      const result = parseAnswer(body);
      await this.#parts.store.resolveCall(session, callId, options.callId ? body : undefined);
      return { result, balance, callId };
    } catch (error) {
      // What is unknown stays recorded, so that the same callId can find out.
      if (isFault(error) && error.row.money !== 'unknown') {
        await this.#parts.store.resolveCall(session, callId);
      }
      throw error;
    }
  }

  /** Where the session stands. */
  async status(): Promise<SessionStatus> {
    const answer = jsonObject(await this.#ask('session'));
    return {
      paid: answer['paid'] === true,
      callsLeft: Number(answer['calls_left']),
      creditMsat: parseMsat(answer['credit_msat']),
      chargedMsat: parseMsat(answer['charged_msat']),
    };
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

  async #record(
    callId: string,
    request: Uint8Array,
    options: CallOptions,
  ): Promise<{ kind: 'send'; n: bigint; done: bigint } | { kind: 'resolved'; answer: Uint8Array }> {
    const { store } = this.#parts;
    // Only `window` is tried again: calls of this or another process have to be resolved first.
    return persist(this.#patience(options), async () => {
      const recorded = await store.recordCall({ session: this.#key.session, callId, request });
      switch (recorded.kind) {
        case 'recorded':
        case 'exists':
          return { kind: 'send', n: recorded.n, done: recorded.done };
        case 'resolved':
          return { kind: 'resolved', answer: recorded.answer };
        case 'conflict':
          throw new Fault('CALL_CONFLICT', { callId });
        case 'window':
        case 'late':
          throw new Fault('CALL_BUSY', { open: 64 });
      }
    });
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
