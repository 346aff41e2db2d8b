/**
 * Buys what the load needs and makes all requests beforehand: the measured work is that of the
 * host alone.
 * @module
 */
import { join } from 'node:path';
import { concat, fromBase64url, fromHex, toHex, u32, utf8 } from '../src/base/bytes/index.ts';
import { hmacSha256 } from '../src/base/hash/index.ts';
import { silentLog } from '../src/base/log/index.ts';
import { msat } from '../src/base/money/index.ts';
import { systemRandom } from '../src/base/random/index.ts';
import { systemClock } from '../src/base/time/index.ts';
import { callCode, requestHash, requestHashHex } from '../src/pay/bundle/index.ts';
import { ChainReader, LaneCodes, laneId, laneKey, makeChain } from '../src/pay/tick/index.ts';
import { Payer, type Link } from '../src/payer/index.ts';
import { openNet } from '../src/port/net/index.ts';
import { openPayerStore, type PayerStore } from '../src/port/store/index.ts';
import { openFakeNetwork } from '../src/port/wallet/index.ts';
import { printCall, printTick, toAuthorization } from '../src/wire/toll/index.ts';
import { fixtureKeyring } from '../test/fixtures/keys.ts';
import { WARM_UP_TURNS, type Contender, type Size } from './harness.ts';
import { sessionLane, type Lane, type Load } from './load.ts';
import type { Measured } from './process.ts';

/** Sessions that take turns. */
const SESSIONS = 8;
/** Some calls of each are under way; a call declares what lies this far back resolved. */
const LAG = 16;
const INPUT = { value: 1 };

/** A payer of one measured host. */
export interface Shopper {
  /** Calls of bundles, as many sessions. */
  bundles(service: string, size: Size): Promise<Lane[]>;
  /** Calls over so many lanes. */
  ticks(service: string, size: Size, lanes: number): Promise<Lane[]>;
  close(): Promise<void>;
}

interface Parts {
  readonly payer: Payer;
  readonly store: PayerStore;
  readonly link: Link;
}

/** Opens it. */
export async function openShopper(dir: string, url: string): Promise<Shopper> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  const name = toHex(random.bytes(4));
  const store = await openPayerStore({ file: join(dir, `payer-${name}.db`) });
  const wallet = network.wallet(`payer-${name}`);
  wallet.fund(msat(10_000_000_000_000n));
  const net = openNet();
  const payer = new Payer({ net, store, wallet, clock, random, log, keyring: fixtureKeyring() });
  const parts = { payer, store, link: await payer.connect(url) };
  return {
    bundles: async (service, size) => {
      const lanes: Lane[] = [];
      for (let s = 0; s < SESSIONS; s++) {
        lanes.push(sessionLane(await buyBundle(parts, service, callsOf(size, SESSIONS)), LAG));
      }
      return lanes;
    },
    ticks: async (service, size, lanes) =>
      buyLanes(parts, service, { lanes, calls: callsOf(size, lanes) }),
    close: async () => {
      await net.close();
      await store.close();
    },
  };
}

/** Connections of one lane may be ahead of those of another. */
function callsOf({ turns, count }: Size, lanes: number): number {
  return Math.ceil(((turns + WARM_UP_TURNS) * count * 1.25) / lanes) + 200;
}

async function buyBundle(parts: Parts, service: string, calls: number): Promise<Buffer[]> {
  const { payer, store, link } = parts;
  const purchaseId = toHex(systemRandom.bytes(16));
  const maxTotalMsat = msat(1000n * BigInt(calls));
  await payer.buy(link, { service, calls, maxTotalMsat, purchaseId });
  const { session, key } = await recordOf(store, purchaseId);
  const host = link.key.fingerprint;
  const salt = systemRandom.bytes(16);
  const hash = requestHash(service, INPUT);
  return Array.from({ length: calls }, (_, i) => {
    const [n, done] = [BigInt(i), BigInt(Math.max(0, i - LAG))];
    const code = callCode(key, { host, session, n, done, salt, requestHash: hash });
    const authorization = toAuthorization(printCall({ session, n, done, salt, code }));
    return request(service, { authorization });
  });
}

async function buyLanes(
  parts: Parts,
  service: string,
  { lanes, calls }: { lanes: number; calls: number },
): Promise<Lane[]> {
  const { payer, store, link } = parts;
  const purchaseId = toHex(systemRandom.bytes(16));
  const units = calls * lanes;
  const maxTotalMsat = msat(1000n * BigInt(units));
  const stream = await payer.stream(link, { service, units, maxTotalMsat, lanes, purchaseId });
  await stream.close();
  const { session, key, seed } = await recordOf(store, purchaseId);
  const hash = requestHashHex(service, INPUT);
  return Array.from({ length: lanes }, (_, place) => {
    const last = hmacSha256(seed, concat(utf8('tollcall/tick/last/1'), u32(place)));
    const reader = new ChainReader(makeChain(last, calls));
    const lane = laneId(session, place);
    const codes = new LaneCodes(laneKey(key, { host: link.key.fingerprint, lane }));
    const requests = Array.from({ length: calls }, (__, n) => {
      const numbers = { n, done: Math.max(0, n - LAG), index: n + 1 };
      const code = codes.code(numbers, hash);
      const secret = reader.secret(n + 1);
      const credential = printTick({ ...numbers, lane: fromHex(lane, 'lane'), code, secret });
      return request(service, { authorization: toAuthorization(credential) });
    });
    return sessionLane(requests, LAG);
  });
}

async function recordOf(
  store: PayerStore,
  purchaseId: string,
): Promise<{ session: string; key: Uint8Array; seed: Uint8Array }> {
  const purchase = await store.purchase(purchaseId);
  const record = JSON.parse(Buffer.from(purchase?.record ?? []).toString()) as {
    codeKey: string;
    lanes?: { seed: string };
  };
  return {
    session: purchase?.session ?? '',
    key: fromBase64url(record.codeKey, 'codeKey'),
    seed: fromBase64url(record.lanes?.seed ?? '', 'seed'),
  };
}

/** A call as bytes; without a header that pays it for the unpaid one. */
export function request(service: string, headers: Readonly<Record<string, string>> = {}): Buffer {
  const body = JSON.stringify(INPUT);
  const head = [
    `POST /call/${service} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${body.length}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}

/** A measured server under a load. */
export function contender(name: string, server: Measured, load: Load): Contender {
  return {
    name,
    turn: async (count) => {
      const cpuMs = await server.cpuMs();
      const startMs = performance.now();
      await load.run(count);
      const wallMs = performance.now() - startMs;
      return { count, wallMs, cpuMs: (await server.cpuMs()) - cpuMs };
    },
  };
}
