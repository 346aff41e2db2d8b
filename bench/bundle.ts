/**
 * A bundle call, charged durably before its answer, against the same door, schema and handler with
 * payment off.
 * @module
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { toHex, utf8 } from '../src/base/bytes/index.ts';
import { silentLog } from '../src/base/log/index.ts';
import { msat } from '../src/base/money/index.ts';
import { systemRandom } from '../src/base/random/index.ts';
import { systemClock } from '../src/base/time/index.ts';
import { callCode, requestHash } from '../src/pay/bundle/index.ts';
import { Payer } from '../src/payer/index.ts';
import { openNet } from '../src/port/net/index.ts';
import { openPayerStore } from '../src/port/store/index.ts';
import { openFakeNetwork } from '../src/port/wallet/index.ts';
import { printCall, toAuthorization } from '../src/wire/toll/index.ts';
import { fixtureKeyring } from '../test/fixtures/keys.ts';
import { interleave, type Contender, type Row, type Turn } from './harness.ts';

const IN_FLIGHT = 64;
const SESSIONS = 8;

/** Measures, prints what it found, and gives the rows. */
export async function benchBundle(options: { turns: number; count: number }): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-bench-'));
  const servers: Server[] = [];
  try {
    const [paid, unpaid] = [await startServer('paid', dir), await startServer('unpaid', dir)];
    servers.push(paid, unpaid);
    const contenders = [
      contender('unpaid', unpaid, () => ({})),
      contender('paid', paid, await credentials(dir, paid.url, options)),
    ];
    const found = await interleave(contenders, options);
    const [a, b] = [found.get('paid'), found.get('unpaid')];
    if (!a || !b) throw new Error('nothing measured');
    for (const [name, { perSecond, cpuMicrosecondsEach }] of found) {
      const each = `${cpuMicrosecondsEach.toFixed(1)} us CPU each`;
      process.stdout.write(`  bundle, ${name}: ${Math.round(perSecond)} calls/s, ${each}\n`);
    }
    const against = 'unpaid, same door and handler, 64 in flight';
    return [
      {
        name: 'bundle call, calls per second',
        against,
        value: a.perSecond / b.perSecond,
        aim: 0.85,
        better: 'higher',
      },
      {
        name: 'bundle call, calls per host CPU-second',
        against,
        value: b.cpuMicrosecondsEach / a.cpuMicrosecondsEach,
        aim: 0.85,
        better: 'higher',
      },
    ];
  } finally {
    for (const { child } of servers) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  cpuMs(): Promise<number>;
}

async function startServer(mode: string, dir: string): Promise<Server> {
  const child = fork(new URL('./server.ts', import.meta.url), [mode, dir]);
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return {
    child,
    url,
    cpuMs: async () => {
      const answer = once(child, 'message') as Promise<[{ cpuMs: number }]>;
      child.send('cpu');
      return (await answer)[0].cpuMs;
    },
  };
}

function contender(
  name: string,
  server: Server,
  headersOf: (i: number) => Record<string, string>,
): Contender {
  const pool = new Pool(server.url, { connections: IN_FLIGHT, pipelining: 1 });
  const body = utf8(JSON.stringify({ value: 1 }));
  let next = 0;
  const one = async (): Promise<void> => {
    const headers = { 'content-type': 'application/json', ...headersOf(next++) };
    const answer = await pool.request({ path: '/call/work', method: 'POST', headers, body });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`);
  };
  return {
    name,
    turn: async (count): Promise<Turn> => {
      const cpuMs = await server.cpuMs();
      const startMs = performance.now();
      let left = count;
      const worker = async (): Promise<void> => {
        while (left-- > 0) await one();
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
      const wallMs = performance.now() - startMs;
      return { count, wallMs, cpuMs: (await server.cpuMs()) - cpuMs };
    },
  };
}

/** Buys bundles and makes all credentials beforehand: the measured work is the host's alone. */
async function credentials(
  dir: string,
  url: string,
  options: { turns: number; count: number },
): Promise<(i: number) => Record<string, string>> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  const store = await openPayerStore({ file: join(dir, 'payer.db') });
  const wallet = network.wallet('payer');
  wallet.fund(msat(10_000_000_000_000n));
  const net = openNet();
  const payer = new Payer({ net, store, wallet, clock, random, log, keyring: fixtureKeyring() });
  const link = await payer.connect(url);
  const total = (options.turns + 1) * options.count + SESSIONS;
  const calls = Math.ceil(total / SESSIONS);
  const hash = requestHash('work', { value: 1 });
  const lists: string[][] = [];
  for (let s = 0; s < SESSIONS; s++) {
    const id = toHex(random.bytes(16));
    await payer.buy(link, {
      service: 'work',
      calls,
      maxTotalMsat: msat(1000n * BigInt(calls)),
      purchaseId: id,
    });
    const purchase = await store.purchase(id);
    const record = JSON.parse(Buffer.from(purchase?.record ?? []).toString()) as {
      codeKey: string;
    };
    const key = Buffer.from(record.codeKey, 'base64url');
    const session = purchase?.session ?? '';
    const host = link.key.fingerprint;
    const salt = random.bytes(16);
    lists.push(
      Array.from({ length: calls }, (_, i) => {
        // The window is 64 wide and calls of one session are sent in order, 8 at a time.
        const [n, done] = [BigInt(i), BigInt(Math.max(0, i - 48))];
        const code = callCode(key, { host, session, n, done, salt, requestHash: hash });
        return toAuthorization(printCall({ session, n, done, salt, code }));
      }),
    );
  }
  await net.close();
  await store.close();
  return (i) => ({ authorization: lists[i % SESSIONS]?.[Math.floor(i / SESSIONS)] ?? '' });
}
