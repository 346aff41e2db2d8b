/**
 * A bundle call, charged durably before its answer, against the same door, schema and handler with
 * payment off.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBase64url, toHex } from '../src/base/bytes/index.ts';
import { silentLog } from '../src/base/log/index.ts';
import { msat } from '../src/base/money/index.ts';
import { systemRandom } from '../src/base/random/index.ts';
import { systemClock } from '../src/base/time/index.ts';
import { callCode, requestHash } from '../src/pay/bundle/index.ts';
import { Payer, type Link } from '../src/payer/index.ts';
import { openNet } from '../src/port/net/index.ts';
import { openPayerStore, type PayerStore } from '../src/port/store/index.ts';
import { openFakeNetwork } from '../src/port/wallet/index.ts';
import { printCall, toAuthorization } from '../src/wire/toll/index.ts';
import { fixtureKeyring } from '../test/fixtures/keys.ts';
import {
  WARM_UP_TURNS,
  interleave,
  perCpuSecond,
  perSecond,
  ratio,
  type Contender,
  type Row,
  type Size,
} from './harness.ts';
import { Load, sameLane, sessionLane, type Lane } from './load.ts';
import { startServer, type Measured } from './process.ts';

const IN_FLIGHT = 64;
const SESSIONS = 8;
/** Eight calls of a session are under way; a call declares what lies this far back resolved. */
const LAG = 16;

/** Measures and gives the rows. */
export async function benchBundle(size: Size): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-bench-'));
  const servers: Measured[] = [];
  const closing: (() => unknown)[] = [];
  try {
    const [paid, unpaid] = [await startServer('paid', dir), await startServer('unpaid', dir)];
    servers.push(paid, unpaid);
    const shopper = await openShopper(dir, paid.url);
    closing.push(() => shopper.close());
    const add = async (name: string, server: Measured, lanes: Lane[]): Promise<Contender> => {
      const load = await Load.open(server.url, lanes, IN_FLIGHT);
      closing.push(() => load.close());
      return contender(name, server, load);
    };
    const found = await interleave(
      [
        await add('unpaid', unpaid, [sameLane(request('work'))]),
        await add('paid', paid, await shopper.lanes('work', size)),
        await add('paid, effect once', paid, await shopper.lanes('work-once', size)),
      ],
      size,
    );
    const against = 'unpaid, same door and handler, 64 in flight, one core';
    const row = (name: string, value: number, aim: number): Row => {
      return { name, against, value, aim, better: 'higher' };
    };
    const [none, effect] = [['paid', 'unpaid'] as const, ['paid, effect once', 'unpaid'] as const];
    return [
      row('bundle call, calls per second', ratio(found, none, perSecond), 0.85),
      row('bundle call, calls per host CPU-second', ratio(found, none, perCpuSecond), 0.85),
      row('bundle call with effect once, calls per second', ratio(found, effect, perSecond), 0.5),
    ];
  } finally {
    for (const close of closing) await close();
    for (const server of servers) server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function contender(name: string, server: Measured, load: Load): Contender {
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

function request(service: string, authorization?: string): Buffer {
  const body = JSON.stringify({ value: 1 });
  const head = [
    `POST /call/${service} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${body.length}`,
    ...(authorization === undefined ? [] : [`authorization: ${authorization}`]),
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}

/** Buys bundles and makes all requests beforehand: the measured work is the host's alone. */
interface Shopper {
  lanes(service: string, size: Size): Promise<Lane[]>;
  close(): Promise<void>;
}

async function openShopper(dir: string, url: string): Promise<Shopper> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  const store = await openPayerStore({ file: join(dir, 'payer.db') });
  const wallet = network.wallet('payer');
  wallet.fund(msat(10_000_000_000_000n));
  const net = openNet();
  const payer = new Payer({ net, store, wallet, clock, random, log, keyring: fixtureKeyring() });
  const link = await payer.connect(url);
  return {
    lanes: async (service, { turns, count }) => {
      // Connections of one lane may be ahead of those of another.
      const calls = Math.ceil(((turns + WARM_UP_TURNS) * count * 1.25) / SESSIONS) + 100;
      const lanes: Lane[] = [];
      for (let s = 0; s < SESSIONS; s++) {
        lanes.push(sessionLane(await buyRequests({ payer, store, link, service, calls }), LAG));
      }
      return lanes;
    },
    close: async () => {
      await net.close();
      await store.close();
    },
  };
}

async function buyRequests(options: {
  payer: Payer;
  store: PayerStore;
  link: Link;
  service: string;
  calls: number;
}): Promise<Buffer[]> {
  const { payer, store, link, service, calls } = options;
  const purchaseId = toHex(systemRandom.bytes(16));
  const maxTotalMsat = msat(1000n * BigInt(calls));
  await payer.buy(link, { service, calls, maxTotalMsat, purchaseId });
  const purchase = await store.purchase(purchaseId);
  const record = JSON.parse(Buffer.from(purchase?.record ?? []).toString()) as { codeKey: string };
  const key = fromBase64url(record.codeKey, 'codeKey');
  const session = purchase?.session ?? '';
  const host = link.key.fingerprint;
  const salt = systemRandom.bytes(16);
  const hash = requestHash(service, { value: 1 });
  return Array.from({ length: calls }, (_, i) => {
    const [n, done] = [BigInt(i), BigInt(Math.max(0, i - LAG))];
    const code = callCode(key, { host, session, n, done, salt, requestHash: hash });
    return request(service, toAuthorization(printCall({ session, n, done, salt, code })));
  });
}
