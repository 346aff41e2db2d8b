/**
 * A lane in the hands of a test: any credential, true or forged, straight over HTTP.
 * @module
 */
import assert from 'node:assert/strict';
import { fromHex } from '../../src/base/bytes/index.ts';
import type { Json } from '../../src/base/json/index.ts';
import { msat, type Msat } from '../../src/base/money/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { requestHashHex } from '../../src/pay/bundle/index.ts';
import { ChainReader, LaneCodes, laneId, laneKey } from '../../src/pay/tick/index.ts';
import type { PayerSession } from '../../src/payer/index.ts';
import { makeLanes } from '../../src/payer/lane-maker.ts';
import { parseRecord } from '../../src/payer/record.ts';
import { printTick, type TickCredential } from '../../src/wire/toll/index.ts';
import type { TestShop } from './shop.ts';

/** What a host answered. */
export interface TickReply {
  readonly status: number;
  readonly body: Json;
  /** The code of a refusal. */
  readonly code: string | undefined;
  readonly balance: string | null;
}

/** What a test may change of an honest credential. */
export type Forged = Partial<TickCredential> & { readonly input?: Json; readonly service?: string };

/** One lane that was bought. */
export interface TestLane {
  readonly session: PayerSession;
  readonly lane: string;
  /** x(index). */
  secret(index: number): Uint8Array;
  /** The honest credential of a call, with what is forged of it. */
  credential(forged: Forged): string;
  /** Sends it. */
  call(forged: Forged): Promise<TickReply>;
}

/** Buys lanes and gives them out; nothing else uses them. */
export async function buyLanes(
  shop: Pick<TestShop, 'url' | 'payer' | 'payerStore'>,
  order: { service: string; units: number; lanes?: number; maxTotalMsat?: Msat },
): Promise<TestLane[]> {
  const link = await shop.payer.connect(shop.url);
  const maxTotalMsat = order.maxTotalMsat ?? msat(1_000_000_000n);
  const stream = await shop.payer.stream(link, { lanes: 1, ...order, maxTotalMsat });
  await stream.close();
  const [session] = stream.sessions;
  assert(session);
  const purchase = await shop.payerStore.purchaseBySession(session.session);
  const record = parseRecord(purchase?.record ?? new Uint8Array(0));
  assert(record.stage === 'session' && record.lanes !== undefined);
  const { codeKey, lanes } = record;
  const chains = await makeLanes(systemClock, lanes);
  return chains.map((chain, place) => {
    const lane = laneId(session.session, place);
    const host = link.description.host_key_fingerprint;
    const codes = new LaneCodes(laneKey(codeKey, { host, lane }));
    const reader = new ChainReader(chain);
    const secret = (index: number): Uint8Array =>
      index === 0 ? chain.anchor : reader.secret(Math.min(index, chain.length));
    const credential = ({
      input = { text: 'a' },
      service = order.service,
      ...more
    }: Forged): string => {
      const numbers = { n: 0, done: 0, index: 1, ...more };
      const code = codes.code(numbers, requestHashHex(service, input));
      const own = { lane: fromHex(lane, 'lane'), code, secret: secret(numbers.index) };
      return printTick({ ...own, ...numbers });
    };
    const call = (forged: Forged): Promise<TickReply> =>
      postTick(shop.url, forged.service ?? order.service, credential(forged), forged.input);
    return { session, lane, secret, credential, call };
  });
}

/** Posts a call with any credential. */
export async function postTick(
  url: string,
  service: string,
  credential: string,
  input: Json = { text: 'a' },
): Promise<TickReply> {
  const response = await fetch(`${url}/call/${service}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Toll ${credential}` },
    body: JSON.stringify(input),
  });
  const body = (await response.json()) as Json;
  const { code } = response.status === 200 ? {} : (body as { readonly code?: string });
  return { status: response.status, body, code, balance: response.headers.get('toll-session') };
}

/** What the host says of a lane. */
export async function standing(
  { session }: TestLane,
  place = 0,
): Promise<{ index: number; spent: number; done: number; closed: boolean }> {
  const { index, spent, done, closed } = (await session.lanes())[place] ?? assert.fail();
  return { index, spent, done, closed };
}
