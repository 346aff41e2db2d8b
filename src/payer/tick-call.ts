/**
 * One call on its way, paid with a tick: sent until its outcome is known, each time with a tick
 * that is high enough.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import { Fault, isFault } from '../base/fault/index.ts';
import { parseJson, type Json } from '../base/json/index.ts';
import { ZERO_MSAT, msat, type Msat } from '../base/money/index.ts';
import { requestHashHex } from '../pay/bundle/index.ts';
import { MAX_STEPS } from '../pay/tick/index.ts';
import type { NetResponse } from '../port/net/index.ts';
import {
  BALANCE_HEADER,
  parseBalanceHeader,
  printTick,
  toAuthorization,
  type CallBalance,
} from '../wire/toll/index.ts';
import type { LaneTicket, PayerLane } from './lane.ts';
import { MAX_TICK_ROUNDS } from './limits.ts';
import { accepted, type Link } from './link.ts';
import { persist, type Patience } from './retry.ts';

/** A call that has its number. */
export interface TickCall {
  readonly link: Link;
  readonly service: string;
  readonly lane: PayerLane;
  readonly ticket: LaneTicket;
  /** What a unit of the lane was sold for. */
  readonly unitMsat: Msat;
  readonly input: Json;
  /** Where the answer has a price: what the call has cost with this one, by the price list. */
  readonly byAnswer?: ((answer: Json) => number) | undefined;
}

/** Its answer, and what it has cost. */
export interface TickAnswer {
  readonly result: Json;
  readonly balance: CallBalance;
  /** Also where the answer is a repeat, whose balance says that nothing more was charged. */
  readonly units: number;
  /** The same, in money. */
  readonly costMsat: Msat;
}

const HEADERS = { 'content-type': 'application/json', accept: 'application/json' };

/**
 * Sends a call until it is answered or refused.
 * @throws Fault what the host reported, `HOST_TERMS`, `HOST_MALFORMED`, `PAYMENT_PRICE`
 */
export async function sendTick(call: TickCall, patience: Patience): Promise<TickAnswer> {
  const { link, service, lane, ticket, input, unitMsat } = call;
  const hash = requestHashHex(service, input);
  const body = utf8(JSON.stringify(input));
  let tries = 0;
  const send = async (): Promise<NetResponse> => {
    for (let round = 0; ; round++) {
      const credential = lane.credential(ticket, hash);
      const headers = { ...HEADERS, authorization: toAuthorization(printTick(credential)) };
      tries++;
      try {
        const { signal } = patience;
        const answer = accepted(await link.post(`/call/${service}`, { headers, body, signal }));
        lane.accepted(credential.index);
        return answer;
      } catch (error) {
        if (!isFault(error) || !revealMore(call, credential.index, error)) throw error;
        if (round >= MAX_TICK_ROUNDS * (1 + Math.ceil(ticket.units / MAX_STEPS))) {
          throw new Fault('HOST_TERMS', { where: 'ticks', lane: lane.lane }, error);
        }
      }
    }
  };
  const answer = await persist(patience, send);
  const balance = parseBalanceHeader(answer.headers[BALANCE_HEADER]);
  const result = readAnswer(answer.body);
  const most = call.byAnswer?.(result) ?? ticket.units;
  if (balance.chargedMsat > unitMsat * BigInt(most)) {
    throw new Fault('HOST_TERMS', { where: 'charge', charged: `${balance.chargedMsat}` });
  }
  // A repeat was charged before; what, it does not say.
  const isRepeat = balance.chargedMsat === ZERO_MSAT && tries > 1;
  const costMsat = isRepeat ? msat(unitMsat * BigInt(most)) : balance.chargedMsat;
  const units = isRepeat ? most : Number(costMsat / maxOne(unitMsat));
  return { result, balance, units, costMsat };
}

/** Makes a refusal good that a higher or a lower tick makes good. False for all others. */
function revealMore({ lane, ticket }: TickCall, index: number, { code, facts }: Fault): boolean {
  if (code === 'TICK_STEPS') lane.behind(Number(facts['index']));
  if (code !== 'TICK_SHORT') return code === 'TICK_STEPS';
  const asked = Number(facts['units']);
  if (!(asked <= ticket.units)) throw new Fault('PAYMENT_PRICE', { asked, limit: ticket.units });
  lane.short(ticket, index, asked - Number(facts['credit']));
  return true;
}

/** What was paid for and cannot be read was paid for all the same. */
function readAnswer(body: Uint8Array): Json {
  try {
    return parseJson(body);
  } catch {
    throw new Fault('HOST_MALFORMED', { where: 'answer' });
  }
}

function maxOne(unitMsat: Msat): Msat {
  return unitMsat > 0n ? unitMsat : msat(1);
}
