/**
 * Makes the vectors of ticks: chains, lanes, their keys, authenticators and credentials.
 * @module
 */
import { toHex } from '../../src/base/bytes/index.ts';
import { canonicalText, type JsonObject } from '../../src/base/json/index.ts';
import { requestHashHex } from '../../src/pay/bundle/index.ts';
import {
  ChainReader,
  LaneCodes,
  laneId,
  laneKey,
  makeChain,
  printLaneOrders,
  socketProof,
  type TickNumbers,
} from '../../src/pay/tick/index.ts';
import { printTick } from '../../src/wire/toll/index.ts';
import { syncHostKeys } from '../fixtures/keys.ts';
import { fixedBytes, hex } from './exchange.ts';

const HOST = syncHostKeys().fingerprint;
const SESSION = toHex(fixedBytes('session', 16));
const KEY = toHex(fixedBytes('code key'));
const LENGTHS = [1, 2, 10, 100, 1000];
const CALLS = [
  { n: 0, done: 0, index: 1 },
  { n: 1, done: 0, index: 3 },
  { n: 63, done: 63, index: 64 },
  { n: 0xffff_ffff, done: 0xffff_ffff - 63, index: 1000 },
];

/** The whole file. */
export function tickVectors(): JsonObject {
  const chains = LENGTHS.map(chainVector);
  const lanes = [0, 1, 255].map((place) => ({
    session: SESSION,
    place,
    lane: laneId(SESSION, place),
    lane_key: toHex(laneKey(hex(KEY), { host: HOST, lane: laneId(SESSION, place) })),
  }));
  return {
    host: HOST,
    code_key: KEY,
    chains,
    order_lanes: printLaneOrders(
      chains.map(({ length, anchor }) => ({ anchor: hex(anchor), length: Number(length) })),
    ),
    lanes,
    calls: CALLS.map(callVector),
    socket_proofs: [0n, 7n].map(socketVector),
  };
}

function chainVector(length: number): JsonObject {
  const last = fixedBytes(`last secret of ${length}`);
  const chain = makeChain(last, length);
  const reader = new ChainReader(chain);
  const shown = [...new Set([1, 2, Math.ceil(length / 2), length])].filter((i) => i <= length);
  const ticks = shown.map((index) => ({ index, secret: toHex(reader.secret(index)) }));
  return { length, last: toHex(last), anchor: toHex(chain.anchor), ticks };
}

/** Of lane 0, whose chain is that of 1,000. */
function callVector(numbers: TickNumbers): JsonObject {
  const input = { symbol: 'BTC' };
  const lane = laneId(SESSION, 0);
  const codes = new LaneCodes(laneKey(hex(KEY), { host: HOST, lane }));
  const requestHash = requestHashHex('quotes', input);
  const code = codes.code(numbers, requestHash);
  const chain = makeChain(fixedBytes('last secret of 1000'), 1000);
  const secret = new ChainReader(chain).secret(numbers.index);
  const canonical = canonicalText({ input, service: 'quotes' });
  return {
    lane,
    ...numbers,
    canonical,
    request_hash: requestHash,
    code,
    secret: toHex(secret),
    credential: printTick({ lane: hex(lane), ...numbers, code, secret }),
  };
}

function socketVector(epoch: bigint): JsonObject {
  const lane = laneId(SESSION, 0);
  const nonce = fixedBytes('nonce');
  const proof = socketProof(hex(KEY), { host: HOST, lane, nonce, epoch });
  return { lane, nonce: toHex(nonce), epoch: `${epoch}`, proof: toHex(proof) };
}
