/**
 * The command line on a pseudo-terminal (util-linux `script`) and in a pipe: colours and progress
 * where a person looks, plain text elsewhere, narrow terminals, Ctrl-C, a host that goes away.
 * @module
 */
import assert from 'node:assert/strict';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { Home, end, type Dev } from './cli.ts';

const ESCAPE = String.fromCodePoint(27);
const CONTROL = new RegExp(`${ESCAPE}\\[[\\d;]*[a-zA-Z]`, 'g');

const home = new Home();
let dev: Dev;
before(async () => {
  dev = await home.dev();
  assert.equal(home.run('call', dev.address, 'quotes', '2', '--symbol', 'BTC').status, 0);
  assert.equal(
    home.run('stream', dev.address, 'quotes', '--calls', '20', '--symbol', 'BTC').status,
    0,
  );
});
after(() => home.leave());

/** Commands that show something to a person. */
const SHOWN: readonly (readonly string[])[] = [
  ['books', '--sessions'],
  ['books', '--journal'],
  ['sessions', 'list'],
  ['wallet'],
  ['wallet', 'payments'],
  ['wallet', 'invoices'],
  ['keys', 'pins'],
];

for (const args of SHOWN) {
  test(`${args.join(' ')}: fits a terminal of 60 columns, plain in a pipe, one JSON object`, () => {
    const narrow = home.onTerminal(60, ...args);
    const lines = narrow
      .replaceAll(CONTROL, '')
      .split('\n')
      .map((line) => line.trimEnd())
      .filter((line) => !/[0-9a-f]{64}/.test(line));
    assert.ok(lines.length > 1);
    for (const line of lines.filter((text) => !text.includes('balanced:'))) {
      assert.ok(line.length <= 60, line);
    }
    const { status, stdout, stderr } = home.run(...args);
    assert.deepEqual([status, stderr], [0, '']);
    assert.ok(!stdout.includes(ESCAPE) && !stdout.includes('\r'));
    const json = home.run(...args, '--json').stdout;
    assert.equal(json.trimEnd().split('\n').length, 1);
    assert.equal(typeof JSON.parse(json), 'object');
  });
}

test('NO_COLOR takes the colours away, and nothing else', () => {
  const coloured = home.onTerminal(100, 'books');
  const plain = home.onTerminalWith({ NO_COLOR: '1' }, 100, 'books');
  assert.ok(coloured.includes(`${ESCAPE}[32m`));
  assert.ok(!plain.includes(ESCAPE));
  assert.equal(plain, coloured.replaceAll(CONTROL, ''));
});

test('every command teaches by an example', () => {
  const list = (help: string): string[] => {
    const [, rest = ''] = help.split(/^Commands:$|^Try:$/m);
    const [commands = ''] = rest.split(/^Examples?:$/m);
    return [...commands.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
  };
  const names = list(home.run('--help').stdout).filter((name) => name !== 'help');
  assert.ok(names.length > 15, names.join());
  const teaches = (...words: readonly string[]): void => {
    const help = home.run(...words, '--help').stdout;
    const inner = list(help).filter((name) => name !== 'help');
    for (const name of inner) teaches(...words, name);
    assert.ok(inner.length > 0 || /Examples?:\n {2}\S/.test(help), words.join(' '));
  };
  for (const name of names) teaches(name);
});

test('Ctrl-C between calls: what was paid for is kept, exit code 130', async () => {
  const child = home.start('call', dev.address, 'quotes', '100000', '--symbol', 'BTC');
  const paid = (): boolean => {
    const { sessions } = home.json('books', '--sessions') as { sessions: { calls: number }[] };
    return sessions.some(({ calls }) => calls === 100_000);
  };
  while (!paid());
  assert.equal(await end(child, 'SIGINT'), 130);
  const books = home.json('books', '--check');
  assert.deepEqual([books['balanced'], books['problems']], [true, []]);
});

test('books --sessions: what lanes have spent is in the row of their session', () => {
  const { sessions, ...sheet } = home.json('books', '--sessions') as {
    sessions: Record<string, string | number>[];
    served_msat: string;
    credit_msat: string;
  };
  const sum = (name: string): bigint =>
    sessions.reduce((total, one) => total + BigInt(one[name] ?? 0), 0n);
  assert.equal(sum('charged_msat'), BigInt(sheet.served_msat));
  assert.equal(sum('credit_msat'), BigInt(sheet.credit_msat));
});

test('books --journal: the payments in it are what was received', () => {
  const { journal, ...sheet } = home.json('books', '--journal') as {
    journal: { reason: string; amount_msat: string }[];
    received_msat: string;
  };
  const payments = journal.filter(({ reason }) => reason === 'receive');
  const total = payments.reduce((sum, one) => sum + BigInt(one.amount_msat), 0n);
  assert.equal(total, BigInt(sheet.received_msat));
});

test('a host that goes away after the answer: the answer is shown, the rest left out', async () => {
  const way = await openWay(dev.address);
  const { port } = way.address() as AddressInfo;
  const run = await home.runBeside('call', `127.0.0.1:${port}`, 'quotes', '--symbol', 'BTC');
  assert.deepEqual([run.status, run.stderr], [0, '']);
  assert.match(run.stdout, /1 call answered, 1 sat charged; 0 calls left\n$/);
});

/** A way to a host that ends with the first answer to a call. */
async function openWay(address: string): Promise<Server> {
  const [, port] = address.split(':');
  const server = createServer((asked, answer) => {
    const { method, url, headers } = asked;
    const there = request({ port, method, path: url, headers }, (said) => {
      answer.writeHead(said.statusCode ?? 500, said.headers);
      said.pipe(answer);
      if (url?.startsWith('/call/') !== true) return;
      server.close();
      answer.on('finish', () => server.closeAllConnections());
    });
    asked.pipe(there);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}
