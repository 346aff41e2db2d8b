/**
 * `tollcall serve` with workers, over a fake Lightning network in a file, and a payer with money.
 * @module
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Json } from '../../src/base/json/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { Payer } from '../../src/payer/index.ts';
import { openNet } from '../../src/port/net/index.ts';
import { openPayerStore, type PayerStore } from '../../src/port/store/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import type { Dev, Home } from './cli.ts';

/** `who` answers with the process that served it, `slow` when the test says so. */
export const SERVICES = `
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { msat, service, z } from 'tollcall/host';
const text = z.strictObject({ text: z.string() });
const price = { kind: 'each', priceMsat: msat(1000) };
const who = service('who', { description: 'Says it, and who does.', input: text, price,
  output: z.strictObject({ text: z.string(), pid: z.number() }),
  handler: ({ text }) => ({ text, pid: process.pid }) });
const slow = service('slow', { description: 'Waits for a file.', input: text, output: text, price,
  handler: async (input) => {
    console.log('begun');
    while (!existsSync(join(import.meta.dirname, input.text))) await new Promise(setImmediate);
    return input;
  } });
const once = service('once', { description: 'Counts.', input: text, price,
  effect: 'once', timeoutMs: 1000, output: z.strictObject({ text: z.string(), random: z.number() }),
  handler: ({ text }) => ({ text, random: Math.random() }) });
const wallet = async () => {
  const { openFakeNetwork, systemClock: clock, systemRandom: random } =
    await import('tollcall/host');
  return openFakeNetwork({ file: join(import.meta.dirname, 'network.db'), clock, random })
    .wallet('host');
};
`;

/** Writes a configuration; `more` are further members of it. */
export function writeConfig(home: Home, name: string, more = ''): string {
  const file = home.at(name);
  const text = `${SERVICES}
export default { network: 'regtest', services: [who, slow, once], wallet, dir: './host',
  listen: { port: 0 }, metrics: { port: 0 }, workers: 2,
  limits: { door: { connectionsPerAddress: 1000 }, host: { stopGraceMs: 20_000 } },
  caps: { refundAfterMs: 0 }, ${more} };
`;
  writeFileSync(file, text);
  return file;
}

/** A payer with money in the same network. */
export interface Buyer {
  readonly payer: Payer;
  readonly payerStore: PayerStore;
  close(): Promise<void>;
}

/** Opens it. */
export async function openBuyer(home: Home): Promise<Buyer> {
  const [clock, random] = [systemClock, systemRandom];
  const network = openFakeNetwork({ file: home.at('network.db'), clock, random });
  const wallet = network.wallet('payer');
  wallet.fund(msat(1_000_000_000n));
  const payerStore = await openPayerStore({ file: ':memory:' });
  const net = openNet();
  const keyring = fixtureKeyring();
  const payer = new Payer({
    net,
    store: payerStore,
    wallet,
    clock,
    random,
    log: silentLog,
    keyring,
  });
  const close = async (): Promise<void> => {
    await net.close();
    await payerStore.close();
    network.close();
  };
  return { payer, payerStore, close };
}

/** What a host that runs says of its workers. */
export function workersOf(shop: Dev): readonly number[] {
  return shop.ready['worker_pids'] as unknown as readonly number[];
}

/** Sums of metrics, by the start of their line. */
export async function readMetrics(shop: Dev): Promise<(name: string) => number> {
  const text = await (await fetch(shop.ready['metrics_url'] ?? '')).text();
  const lines = text.split('\n');
  return (name) => {
    const line = lines.find((one) => one.startsWith(`${name} `)) ?? assert.fail(name);
    return Number(line.slice(name.length));
  };
}

/** Posts over a connection of its own: another worker may get it each time. */
export function postFresh(
  url: string,
  body: Json,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string; readonly balance: string }> {
  return new Promise((resolve, reject) => {
    const all = { 'content-type': 'application/json', ...headers };
    const sent = request(url, { method: 'POST', agent: false, headers: all }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('error', reject).on('end', () => {
        const { statusCode: status = 0, headers: told } = answer;
        resolve({ status, text, balance: String(told['toll-session']) });
      });
    });
    sent.on('error', reject).end(JSON.stringify(body));
  });
}
