/**
 * The client in Python, written from docs/bundle.md alone: it buys from a real host through the
 * command line's wallet, over a way that cuts answers and tells lies. And the vectors hold for it.
 * @module
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fixtureHostKeys } from '../fixtures/keys.ts';
import { need, pythonPath } from '../need.ts';
import { Home, type Ended } from './cli.ts';
import { offerProfile } from './pocket.ts';
import { openShop, type TestShop } from './shop.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLIENT = join(ROOT, 'examples', 'python');
const LAUNCHER = join(ROOT, 'bin', 'tollcall.mjs');
const skip = need('python');

const home = new Home();
const closing: (() => Promise<unknown>)[] = [];
let shop: TestShop;
let fingerprint: string;
before(async () => {
  shop = await openShop();
  ({ fingerprint } = await fixtureHostKeys());
  const offered = await offerProfile(home.at('payer'), shop.payerWallet);
  closing.push(() => offered.close());
});
after(async () => {
  for (const close of closing) await close();
  await shop.close();
  await home.leave();
});

async function python(...args: readonly string[]): Promise<Ended> {
  const child = spawn(pythonPath(), ['-B', ...args], { cwd: home.dir, env: home.env() });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

interface Order {
  readonly url?: string;
  readonly service?: string;
  readonly input?: string;
  readonly maxMsat?: number;
  readonly fingerprint?: string;
  readonly state: string;
}

function buy(order: Order): Promise<Ended> {
  const pay = `${process.execPath} ${LAUNCHER} wallet pay --profile ${home.at('payer')}`;
  const { url = shop.url, service = 'echo', input = '{"text":"ä"}', maxMsat = 3000 } = order;
  const options = ['--max-msat', `${maxMsat}`, '--pay', pay, '--state', order.state];
  const key = ['--fingerprint', order.fingerprint ?? fingerprint];
  return python(join(CLIENT, 'buy.py'), url, service, '3', input, ...key, ...options);
}

/** A way to the shop; `spoil` may answer a call in the host's place, after the host has. */
async function openWay(
  spoil: (count: number, response: ServerResponse) => boolean,
): Promise<string> {
  let calls = 0;
  const way = createServer((incoming, outgoing) => {
    const { method, url = '', headers } = incoming;
    const ahead = request(`${shop.url}${url}`, { method, headers }, (answer: IncomingMessage) => {
      if (url.startsWith('/call/') && spoil(++calls, outgoing)) return answer.resume();
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      return answer.pipe(outgoing);
    });
    incoming.pipe(ahead);
  });
  await once(way.listen(0, '127.0.0.1'), 'listening');
  closing.push(async () => {
    const closed = once(way.close(), 'close');
    way.closeAllConnections();
    await closed;
  });
  return `http://127.0.0.1:${(way.address() as AddressInfo).port}`;
}

test('the vectors hold for the client in Python', { skip }, async () => {
  const { status, stdout, stderr } = await python(
    join(CLIENT, 'check_vectors.py'),
    join(ROOT, 'test', 'vectors-own'),
  );
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  assert.match(stdout, /^\d+ values checked\n$/);
});

test(
  'it buys, calls, and verifies the receipt; the same number is the same call',
  { skip },
  async () => {
    const bought = await buy({ state: 'first.json' });
    assert.equal(bought.status, 0, bought.stderr);
    const [one, , three, receipt] = bought.stdout.split('\n');
    assert.equal(one, '{"text": "\\u00e4"}  charged=1000, credit=2000, calls-left=2');
    assert.equal(three, '{"text": "\\u00e4"}  charged=1000, credit=0, calls-left=0');
    assert.equal(receipt, 'receipt verified: 3 calls, 3000 msat served, 0 msat credit');
    const again = `import buy; p = buy.Payer("${shop.url}", "${fingerprint}", "first.json");
buy.show(*p.call({"text": "ä"}, 2))`;
    const repeat = await python('-c', `import sys; sys.path.insert(0, "${CLIENT}"); ${again}`);
    assert.equal(repeat.stdout, '{"text": "\\u00e4"}  charged=0, credit=0, calls-left=0\n');
    assert.equal(shop.begun.get('echo'), 3);
  },
);

test('answers that are cut and problems that a stranger tells end no call', { skip }, async () => {
  const lie = '{"code":"SERVICE_FAILED","title":"","retry":"never","money":"unspent"}';
  const before = shop.begun.get('echo') ?? 0;
  const url = await openWay((count, response) => {
    if (count === 1) response.destroy();
    if (count === 2)
      response.writeHead(502, { 'content-type': 'application/problem+json' }).end(lie);
    return count <= 2;
  });
  const bought = await buy({ url, state: 'spoilt.json' });
  assert.match(bought.stderr, /SERVICE_FAILED/);
  const open = JSON.parse(readFileSync(home.at('spoilt.json'), 'utf8')) as { open: object };
  assert.deepEqual(Object.keys(open.open), ['0']);
  const goneOn = await buy({ url, state: 'spoilt.json' });
  assert.equal(goneOn.status, 0, goneOn.stderr);
  assert.match(goneOn.stdout, /receipt verified: 3 calls, 3000 msat served/);
  assert.equal(shop.begun.get('echo'), before + 3);
});

test('a dearer quote, another key and a failing service: not charged', { skip }, async () => {
  const dear = await buy({ state: 'dear.json', maxMsat: 2999 });
  assert.deepEqual([dear.status, dear.stderr], [1, 'buy: 3000 msat is above --max-msat\n']);
  const stranger = await buy({ state: 'stranger.json', fingerprint: '00'.repeat(32) });
  assert.match(stranger.stderr, /^buy: this host is /);
  const failing = await buy({ state: 'fail.json', service: 'fail', input: '{"text":"fault"}' });
  assert.match(failing.stderr, /SERVICE_FAILED/);
});
