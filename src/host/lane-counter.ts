/**
 * One call over a lane: check its code, accept its tick, run the service, spend, answer.
 *
 * The hot path: a call whose lane is in memory and whose handler returns at once awaits nothing but
 * the commit.
 * @module
 */
import { sameSecretText, toHex, utf8, writeHex } from '../base/bytes/index.ts';
import { Fault, asFault } from '../base/fault/index.ts';
import { msat } from '../base/money/index.ts';
import type { LaneRun, LaneSession, Lanes } from '../books/index.ts';
import { requestHashHex } from '../pay/bundle/index.ts';
import { LaneCodes, laneId, laneKey } from '../pay/tick/index.ts';
import { parseTick, type CallBalance, type TickCredential } from '../wire/toll/index.ts';
import type { Call, CallAnswer } from './call.ts';
import { boundFingerprint, type KeyNames } from './identities.ts';
import type { PaymentWatch } from './payments.ts';
import type { Runs } from './runs.ts';
import type { Service } from './service.ts';

/** What calls over lanes are served with. */
export interface LaneCounterParts {
  /** No more of the keys: a worker does not have them. */
  readonly keys: KeyNames;
  readonly lanes: Pick<Lanes, 'slotOf' | 'lane' | 'balance' | 'admit'>;
  /** Brings a lane into memory, or gives the answer of whoever has it. */
  readonly load: (lane: Uint8Array, call: Call) => Promise<CallAnswer | undefined>;
  /**
   * Told of each call whose code is right, before it is admitted; gives a promise when the lane was
   * let go instead.
   */
  readonly seen?: (slot: number, lane: Uint8Array, call: Call) => Promise<void> | undefined;
  /** Told of each call that is new and begins to run. */
  readonly began?: (slot: number, call: Call) => void;
}

/** Loads lanes; the payer may be faster than the wallet's wake-up. */
export function paidLoader(
  lanes: Pick<Lanes, 'load'>,
  payments: Pick<PaymentWatch, 'refresh'>,
): LaneCounterParts['load'] {
  return async (lane) => {
    try {
      await lanes.load(lane);
    } catch (error) {
      if (asFault(error).code !== 'SESSION_UNPAID') throw error;
      await payments.refresh().catch(() => undefined);
      await lanes.load(lane);
    }
    return undefined;
  };
}

/** Where calls over lanes are served. */
export class LaneCounter {
  readonly #parts: LaneCounterParts;
  readonly #runs: Runs;
  /** The codes of a session's lanes, by place. */
  readonly #codes = new WeakMap<LaneSession, LaneCodes[]>();
  readonly #digest = new Uint32Array(4);
  readonly #digestBytes = new Uint8Array(this.#digest.buffer);

  constructor(parts: LaneCounterParts, runs: Runs) {
    this.#parts = parts;
    this.#runs = runs;
  }

  /**
   * Serves one call; `service` is undefined when there is none of its name.
   * @throws Fault the refusal, or what became of the call
   */
  async serve(call: Call, service: Service | undefined): Promise<CallAnswer> {
    if (service === undefined)
      throw new Fault('SERVICE_UNKNOWN', { service: call.service.slice(0, 64) });
    const credential = parseTick(call.credential);
    const { lanes, load, seen } = this.#parts;
    let slot = lanes.slotOf(credential.lane);
    // Others that are loaded meanwhile may take its place again.
    for (; slot < 0; slot = lanes.slotOf(credential.lane)) {
      const answer = await load(credential.lane, call);
      if (answer !== undefined) return answer;
    }
    const hash = requestHashHex(call.service, call.input);
    const { session } = lanes.lane(slot);
    this.#authenticate(lanes.lane(slot), credential, hash);
    const leaving = seen?.(slot, credential.lane, call);
    if (leaving !== undefined) await movedAfter(leaving);
    if (session.terms.service !== service.name) {
      throw new Fault('CODE_INVALID', { sold: session.terms.service });
    }
    const { n, done } = credential;
    if (service.ticks === undefined) throw new Fault('TICK_UNSOLD', { service: service.name });
    const units = service.ticks.unitsOf(call.input);
    const most = units instanceof Promise ? await units : units;
    if (lanes.slotOf(credential.lane) !== slot) throw new Fault('LANE_MOVED');
    writeHex(this.#digestBytes, 0, hash.slice(0, 32));
    const once = service.effect === 'once';
    const asked = { n, done, digest: this.#digest, units: most, once };
    const admission = lanes.admit(slot, asked, credential);
    if (admission.kind === 'repeat') {
      const balance = this.#balance(slot, session, 0);
      return { body: await admission.answer, balance };
    }
    const { run } = admission;
    if (!run.rerun) this.#parts.began?.(slot, call);
    if (run.once) await run.started();
    const byAnswer = service.ticks.byAnswer?.(call.input);
    const ran = this.#runs.run(service, call.input, new LaneCallName(credential));
    const ended = ran instanceof Promise ? await ran : ran;
    if (!(ended instanceof Uint8Array)) throw await released(run, ended.fault);
    const cost = byAnswer?.(ended.length) ?? most;
    const charged = run.charge(ended, cost);
    // As of now: when it is durable, the slot may be another lane's.
    const balance = this.#balance(slot, session, run.rerun ? 0 : cost);
    return { body: await charged, balance };
  }

  /** @throws Fault `CODE_INVALID` unless the code is made with the lane's key */
  #authenticate(
    { session, place }: { session: LaneSession; place: number },
    credential: TickCredential,
    hash: string,
  ): void {
    const all = this.#codes.get(session) ?? [];
    const known = all[place]?.code(credential, hash);
    if (known !== undefined && sameSecretText(known, credential.code)) return;
    const { codeKey, session: id } = session.terms;
    const lane = laneId(id, place);
    const codes = (host: string): LaneCodes => new LaneCodes(laneKey(codeKey, { host, lane }));
    const host = boundFingerprint(this.#parts.keys, utf8(credential.code), (fingerprint) =>
      utf8(codes(fingerprint).code(credential, hash)),
    );
    all[place] = codes(host);
    this.#codes.set(session, all);
  }

  #balance(slot: number, { unitMsat }: LaneSession, units: number): CallBalance {
    const { credit, left } = this.#parts.lanes.balance(slot);
    return {
      chargedMsat: msat(units * unitMsat),
      creditMsat: msat(credit * unitMsat),
      callsLeft: left,
    };
  }
}

/** What a handler may ask for, made when it does. */
class LaneCallName {
  readonly #lane: Uint8Array;
  readonly #n: number;

  constructor({ lane, n }: TickCredential) {
    this.#lane = lane;
    this.#n = n;
  }

  get session(): string {
    return toHex(this.#lane);
  }

  get n(): bigint {
    return BigInt(this.#n);
  }
}

/** The next one who asks for the lane finds it where it is now. */
async function movedAfter(leaving: Promise<void>): Promise<never> {
  await leaving;
  throw new Fault('LANE_MOVED');
}

/** Ends a run that made no answer; gives what the payer is told. */
async function released(run: LaneRun, reason: Fault): Promise<Fault> {
  // It was charged when it was first answered: the payer must not believe that it was not.
  const fault = run.rerun ? new Fault('CALL_RERUN_FAILED', {}, reason) : reason;
  await run.release(fault);
  return fault;
}
