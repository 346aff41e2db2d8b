/**
 * `tollcall types` against a running host: what it writes compiles in a project that buys, and
 * finds the mistakes that it is for. And `call --pay-by-hand`, as somebody with a phone does it.
 * @module
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { msat } from '../../src/base/money/index.ts';
import { socketWallet } from '../../src/package/payer/index.ts';
import { Home, type Dev } from './cli.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const LAUNCHER = join(ROOT, 'bin', 'tollcall.mjs');
const BTC = { symbol: 'BTC', price: '104250.00', currency: 'USD', as_of: '2026-11-19' };

const home = new Home();
let dev: Dev;
before(async () => {
  dev = await home.dev();
});
after(() => home.leave());

test('types: a project that buys compiles with them, and its mistakes do not', () => {
  const file = home.at('quotes.d.ts');
  const run = home.run('types', dev.address, '--out', file);
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /quotes\.d\.ts: quotes/);
  assert.equal(readFileSync(file, 'utf8'), home.run('types', dev.address).stdout);
  assert.equal(compile(GOOD), '');
  const found = compile(GOOD + MISTAKES.map(([mistake]) => mistake).join('\n'));
  for (const [mistake, expected] of MISTAKES) assert.match(found, expected, mistake);
});

test('types: no host, no file, and a place that cannot be written are told', () => {
  const nowhere = home.run('types', '127.0.0.1:1', '--json');
  assert.match(nowhere.stdout, /HOST_UNREACHABLE/);
  const unwritable = home.run('types', dev.address, '--out', home.at('no', 'x.d.ts'));
  assert.equal(unwritable.status, 2);
  assert.match(unwritable.stderr, /option: --out; .*problem: cannot write/);
});

test('call --pay-by-hand: without a profile; stopped and started again, paid once', async () => {
  const profile = home.at('phone');
  const args = ['call', dev.address, 'quotes', '2', '--symbol', 'BTC', '--profile', profile];
  const first = handCall(...args, '--pay-by-hand', '--json');
  const bill = await first.bill;
  first.child.kill('SIGINT');
  const stopped = await first.ended;
  assert.equal(stopped.status, 3);
  assert.match(stopped.stdout, /PAYMENT_UNKNOWN/);
  assert.match(stopped.stdout, /the same command goes on with it/);

  const second = handCall(...args, '--json');
  assert.deepEqual(await second.bill, bill);
  const wallet = socketWallet(home.at('.tollcall/dev/payer/wallet.sock'));
  const { invoice } = bill;
  await wallet.pay({ invoice, maxFeeMsat: msat(5000), timeoutMs: 20_000 });
  await wallet.close();
  const { status, stdout } = await second.ended;
  assert.equal(status, 0, stdout);
  const told = JSON.parse(stdout) as Record<string, unknown>;
  const answer = { result: BTC, charged_msat: '1000' };
  assert.deepEqual(told['answers'], [answer, answer]);
  assert.deepEqual(home.json('wallet', '--profile', profile)['problem'] !== undefined, true);
});

test('call --pay-by-hand: a QR code where it fits, text alone where not', async () => {
  const args = ['call', dev.address, 'quotes', '--symbol', 'BTC', '--pay-by-hand'];
  const [wide, narrow] = [await glance(100, ...args), await glance(40, ...args)];
  assert.match(wide, /[█▀▄]{7}/);
  assert.match(wide, /Pay 1 sat/);
  assert.doesNotMatch(narrow, /[█▀▄]/);
  assert.match(narrow, /too narrow for its QR code/);
  const invoice = /lnbcrt\w+/;
  assert.equal(invoice.exec(narrow)?.[0], invoice.exec(wide)?.[0]);
});

interface Told {
  readonly invoice: string;
}

/** Starts a call that a person pays; its bill, and how it ends. */
function handCall(...args: readonly string[]): {
  child: ChildProcess;
  bill: Promise<Told>;
  ended: Promise<{ status: number | null; stdout: string }>;
} {
  const child = spawn(process.execPath, [LAUNCHER, ...args], { env: home.env() });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const lines = createInterface({ input: child.stderr });
  const bill = once(lines, 'line').then(([line]) => JSON.parse(line as string) as Told);
  const ended = once(child, 'close').then(([status]) => ({
    status: status as number | null,
    stdout,
  }));
  return { child, bill, ended };
}

/** What a terminal shows until it waits for the payment; then it is left alone. */
async function glance(columns: number, ...args: readonly string[]): Promise<string> {
  const words = [process.execPath, LAUNCHER, ...args].map((word) => `'${word}'`);
  const command = `stty cols ${columns}; exec ${words.join(' ')}`;
  const env = { ...home.env(), TERM: 'xterm-256color' };
  const child = spawn('script', ['-qefc', command, '/dev/null'], { env });
  const closed = once(child, 'close');
  let shown = '';
  const waiting = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
      if (shown.includes('waiting for the payment')) resolve();
    });
  });
  await Promise.race([waiting, closed]);
  child.kill('SIGTERM');
  await closed;
  return shown;
}

const GOOD = `
import { Payer, type PayerParts } from '${ROOT}/src/payer/index.ts';
import { msat } from '${ROOT}/src/base/money/index.ts';
import type { QuotesOutput, Services } from './quotes.d.ts';

export async function buy(parts: PayerParts): Promise<string> {
  const payer = new Payer(parts);
  const link = await payer.connect<Services>('127.0.0.1:8402');
  const order = { service: 'quotes', calls: 2, maxTotalMsat: msat(2000) } as const;
  const session = await payer.buy(link, order);
  const { result } = await session.call({ symbol: 'BTC' });
  const whole: QuotesOutput = result;
  const untyped = await payer.connect('127.0.0.1:8402');
  const other = await payer.buy(untyped, { service: 'any', calls: 1, maxTotalMsat: msat(1) });
  await other.call({ anything: ['goes', 1, null] });
  return whole.price + result.currency;
}
export async function mistake(payer: Payer): Promise<void> {
  const link = await payer.connect<Services>('127.0.0.1:8402');
  const session = await payer.buy(link, { service: 'quotes', calls: 1, maxTotalMsat: msat(1000) });
`;

const MISTAKES: readonly (readonly [string, RegExp])[] = [
  [`await session.call({ symbl: 'BTC' });`, /'symbl' does not exist/],
  [`await session.call({ symbol: 1 });`, /'number' is not assignable to type 'string'/],
  [`(await session.call({ symbol: 'BTC' })).result.prize;`, /'prize' does not exist/],
  [
    `await payer.buy(link, { service: 'quoets', calls: 1, maxTotalMsat: msat(1) });`,
    /'"quoets"' is not assignable to type '"quotes"'/,
  ],
];

/** What the compiler says of a program beside the types. */
function compile(program: string): string {
  writeFileSync(home.at('buyer.ts'), `${program}\n}\n`);
  writeFileSync(home.at('tsconfig.json'), JSON.stringify(CONFIG));
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  const run = spawnSync(tsc, ['--project', home.dir], { encoding: 'utf8' });
  const mine = run.stdout.split('\n').filter((line) => /buyer\.ts|quotes\.d\.ts/.test(line));
  return mine.join('\n');
}

const CONFIG = {
  extends: join(ROOT, 'tsconfig.json'),
  compilerOptions: {
    noUnusedLocals: false,
    rewriteRelativeImportExtensions: false,
    typeRoots: [join(ROOT, 'node_modules/@types')],
  },
  include: ['buyer.ts'],
};
