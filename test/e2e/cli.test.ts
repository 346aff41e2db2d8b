/**
 * Each command of the line against a running `tollcall dev`: for people, for programs, on a
 * terminal, and when things are not as they should be.
 * @module
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, statSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { openPayerStore } from '../../src/port/store/index.ts';
import { Home, type Dev } from './cli.ts';

const ESCAPE = String.fromCodePoint(27);
const CONTROL = new RegExp(`${ESCAPE}\\[[\\d;]*[a-zA-Z]`, 'g');

const home = new Home();
let dev: Dev;
before(async () => {
  dev = await home.dev();
});
after(() => home.leave());

const BTC = { symbol: 'BTC', price: '104250.00', currency: 'USD', as_of: '2026-11-19' };

function problemOf(...args: readonly string[]): { status: number | null; code: string } {
  const run = home.run(...args, '--json');
  const { problem } = JSON.parse(run.stdout) as { problem: { code: string } };
  assert.equal(run.stderr, '');
  return { status: run.status, code: problem.code };
}

test('quote: what is on sale, and what it would cost', () => {
  const list = home.run('quote', dev.address);
  assert.match(list.stdout, /quotes +1 sat +none +The last price of a stock/);
  const one = home.run('quote', dev.address, 'quotes', '100');
  assert.match(one.stdout, /100 calls of quotes: 100 sat/);
  assert.match(one.stdout, new RegExp(`key +${dev.ready['host_key_fingerprint']}`));
  const json = home.json('quote', dev.address, 'quotes', '100');
  assert.equal(json['total_msat'], '100000');
});

test('call: buys what is missing, then calls; the rest is used first the next time', () => {
  const first = home.run('call', dev.address, 'quotes', '2', '--symbol', 'BTC');
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stdout, /price +2 calls of quotes: 2 sat/);
  assert.match(first.stdout, /payment +paid 2 sat with one invoice/);
  assert.match(first.stdout, /1\/2 .*"104250\.00".* 1 sat/);
  assert.match(first.stdout, /2 calls answered, 2 sat charged; 0 calls left, 0 sat credit/);

  const failed = home.json('call', dev.address, 'quotes', '2', '--symbol', 'NOPE');
  assert.equal((failed['problem'] as { code: string }).code, 'SERVICE_FAILED');
  assert.deepEqual(
    [failed['bought_calls'], failed['charged_msat'], failed['calls_left']],
    [2, '0', 2],
  );

  const second = home.json('call', dev.address, 'quotes', '3', '--symbol', 'BTC');
  assert.equal(second['bought_calls'], 1);
  assert.deepEqual(
    second['answers'],
    Array.from({ length: 3 }, () => ({ result: BTC, charged_msat: '1000' })),
  );
});

test('call: a price above the limit buys nothing and calls nothing', () => {
  const before = home.json('books');
  const args = ['call', dev.address, 'quotes', '5', '--symbol', 'BTC', '--max-msat', '4999'];
  const run = home.run(...args);
  assert.equal(run.status, 1);
  assert.match(run.stderr, /asked_msat: 5000; limit_msat: 4999/);
  assert.match(run.stderr, /next: raise --max-msat/);
  assert.deepEqual(home.json('books'), before);
});

test('wallet: node, balance, channel', () => {
  const text = home.run('wallet').stdout;
  assert.match(text, /network +regtest, block \d+/);
  assert.match(text, /1,000,000 sat .* usable/);
  const json = home.json('wallet');
  assert.match(String(json['node_id']), /^0[23][0-9a-f]{64}$/);
  assert.equal((json['channels'] as unknown[]).length, 1);
});

test('books: sheet, sessions and audit, asked of the running host', () => {
  const run = home.run('books', '--sessions', '--check');
  assert.equal(run.status, 0);
  for (const expected of [
    /received +5,000/,
    /✔ books +balanced/,
    /✔ audit +every number derived again/,
    /asked the running host/,
    /quotes +2 +2 +2 sat +2 sat +0 sat/,
  ]) {
    assert.match(run.stdout, expected);
  }
  const json = home.json('books', '--sessions', '--check');
  assert.deepEqual([json['running'], json['balanced'], json['problems']], [true, true, []]);
  assert.equal((json['sessions'] as unknown[]).length, 2, 'the second was topped up');
  assert.doesNotMatch(JSON.stringify(json), /code_?key|reply/i);
});

test('receipts: fetched, verified offline, refused when one digit differs', () => {
  const got = home.run('receipts', 'get', dev.address);
  assert.equal(got.status, 0, got.stderr);
  const file = home.at('receipt.txt');
  writeFileSync(file, got.stdout);
  const key = home.at('.tollcall', 'dev', 'host', 'host_pub.pem');
  const verified = home.run('receipts', 'verify', file, '--host-key', key);
  assert.match(verified.stdout, /✔ receipt +signed by the host, verified/);
  assert.equal(home.json('receipts', 'verify', file, '--host-key', key)['valid'], true);
  assert.equal(home.json('receipts', 'get', dev.address)['service'], 'quotes');
  writeFileSync(file, got.stdout.replace('served-calls: 3', 'served-calls: 2'));
  assert.deepEqual(problemOf('receipts', 'verify', file, '--host-key', key), {
    status: 1,
    code: 'RECEIPT_INVALID',
  });
  const other = home.at('other');
  home.run('keys', 'make', other);
  writeFileSync(file, got.stdout);
  const wrong = home.run('receipts', 'verify', file, '--host-key', `${other}/host_pub.pem`);
  assert.equal(wrong.status, 1);
});

test('call: an answer that a run was cut off from is fetched first, and paid once', async () => {
  const { session } = home.json('call', dev.address, 'quotes', '1', '--symbol', 'NOPE');
  const store = await openPayerStore({ file: home.at('.tollcall/dev/payer/payer.db') });
  const request = new TextEncoder().encode('{"symbol":"SAP"}');
  await store.recordCall({ session: String(session), callId: 'cut', request });
  await store.close();
  const next = home.json('call', dev.address, 'quotes', '1', '--symbol', 'BTC');
  const answers = next['answers'] as { result: { symbol: string }; fetched?: true }[];
  assert.deepEqual(
    answers.map(({ result, fetched }) => [result.symbol, fetched]),
    [
      ['SAP', true],
      ['BTC', undefined],
    ],
  );
  assert.deepEqual([next['bought_calls'], next['charged_msat']], [1, '2000']);
});

test('a wrong key is refused, whichever way it was named', () => {
  const wrong = ['--fingerprint', '00'.repeat(32)];
  const run = home.run('call', dev.address, 'quotes', '1', '--symbol', 'BTC', ...wrong);
  assert.equal(run.status, 1);
  assert.match(run.stderr, /HOST_KEY_CHANGED; money: unspent/);
  const right = ['--fingerprint', dev.ready['host_key_fingerprint'] ?? ''];
  assert.equal(home.run('quote', dev.address, 'quotes', '1', ...right).status, 0);
});

const REFUSED: readonly [what: string, status: number, code: string, args: readonly string[]][] = [
  ['host down', 1, 'HOST_UNREACHABLE', ['quote', '127.0.0.1:1']],
  ['no profile', 2, 'CONFIG_INVALID', ['call', '127.0.0.1:1', 'quotes', '--profile', '/nowhere']],
  ['no books', 2, 'CONFIG_INVALID', ['books', '--dir', '/nowhere']],
  ['no keys', 2, 'CONFIG_INVALID', ['keys', 'show', '/nowhere']],
  ['plain text off loopback', 2, 'USAGE_INVALID', ['quote', 'http://example.com']],
  ['input that is not JSON', 2, 'USAGE_INVALID', ['call', '127.0.0.1:1', 'quotes', '--input', '{']],
  ['no such file', 2, 'CONFIG_INVALID', ['receipts', 'verify', '/nowhere', '--host-key', '/no']],
  ['a quantity that is none', 2, 'USAGE_INVALID', ['call', '127.0.0.1:1', 'quotes', '0']],
];

for (const [what, status, code, args] of REFUSED) {
  test(`${what}: ${code}, exit ${status}`, () => {
    assert.deepEqual(problemOf(...args), { status, code });
  });
}

test('a fault says what is wrong, where the money is and what to do next', () => {
  const run = home.run('call', '127.0.0.1:1', 'quotes', '--profile', '/nowhere');
  assert.equal(run.stdout, '');
  assert.match(run.stderr, /^tollcall: .*\n {2}profile: \/nowhere; problem: no profile\n/);
  assert.match(run.stderr, /CONFIG_INVALID; money: unspent\n {2}next: start "tollcall dev"/);
  const usage = home.run('call', '127.0.0.1:1', 'quotes', '0');
  assert.equal(usage.status, 2);
  assert.match(usage.stderr, /whole number from 1[^]*--help/);
});

test('an unknown service names those there are', () => {
  const run = home.run('call', dev.address, 'nope');
  assert.match(run.stderr, /there_is: quotes/);
  assert.equal(run.status, 1);
});

test('on a terminal: colours, and a table that fits', () => {
  const wide = home.onTerminal(100, 'books', '--sessions');
  assert.ok(wide.includes(`${ESCAPE}[32m✔`));
  const narrow = home.onTerminal(40, 'books', '--sessions');
  assert.match(narrow, /service +quotes/);
  const cells = plain(narrow).filter((line) => /^ {2}(session|payer|paid|opened) /.test(line));
  assert.ok(cells.length >= 8);
  for (const line of cells) assert.ok(line.length <= 40, line);
});

test('on a terminal: progress that is gone when it is done', () => {
  const text = home.onTerminal(100, 'call', dev.address, 'quotes', '2', '--symbol', 'BTC');
  assert.match(text, /call 1 of 2/);
  const seen = plain(text).map((line) => line.split('\r').at(-1) ?? '');
  assert.ok(seen.some((line) => /1\/2 .*BTC/.test(line)));
  assert.ok(seen.every((line) => !line.includes('call 1 of 2')));
});

test('in a pipe: no colours and no control characters', () => {
  const run = home.run('books', '--sessions');
  assert.ok(!run.stdout.includes(ESCAPE) && !run.stdout.includes('\r'));
});

test('help teaches: examples and exit codes', () => {
  const main = home.run('--help').stdout;
  assert.match(main, /tollcall call 127\.0\.0\.1:8402 quotes 4 --symbol BTC/);
  assert.match(main, /Exit codes:\n +0 +done/);
  for (const command of ['dev', 'call', 'books', 'keys']) {
    assert.match(home.run(command, '--help').stdout, /Examples?:/, command);
  }
});

test('completion: bash offers commands, then their options', () => {
  const script = home.run('completion', 'bash').stdout;
  const ask = (...words: readonly string[]): string => {
    const list = words.map((word) => `'${word}'`).join(' ');
    const line = `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _tollcall`;
    const run = spawnSync('bash', ['-c', `${script}\n${line}; echo "\${COMPREPLY[@]}"`]);
    return run.stdout.toString().trim();
  };
  assert.match(ask('tollcall', ''), /^demo dev quote call /);
  assert.equal(ask('tollcall', 'ke'), 'keys');
  assert.equal(ask('tollcall', 'keys', 'm'), 'make');
  assert.equal(ask('tollcall', 'call', '127.0.0.1:8402', '--max'), '--max-msat');
});

test('sockets and secrets are for their owner alone', () => {
  const base = home.at('.tollcall', 'dev');
  for (const file of [
    'host/admin.sock',
    'payer/wallet.sock',
    'payer/profile.json',
    'host/books.db',
  ]) {
    assert.equal(statSync(`${base}/${file}`).mode & 0o777, 0o600, file);
  }
});

test('keys: made, shown, refused when others can read them', () => {
  const dir = home.at('keys');
  assert.equal(home.run('keys', 'make', dir).status, 0);
  const { host_key_fingerprint: fingerprint } = home.json('keys', 'show', dir);
  assert.equal(home.json('keys', 'make', dir)['made'], false);
  assert.match(home.run('keys', 'show', dir).stdout, new RegExp(String(fingerprint)));
  const copy = home.at('copy');
  home.run('keys', 'make', copy);
  copyFileSync(`${dir}/receipt_key.pem`, `${copy}/host_key.pem`);
  assert.deepEqual(problemOf('keys', 'show', copy), { status: 2, code: 'KEY_MALFORMED' });
  chmodSync(`${dir}/host_key.pem`, 0o644);
  assert.deepEqual(problemOf('keys', 'show', dir), { status: 1, code: 'KEY_EXPOSED' });
  assert.match(home.run('keys', 'make', dir).stderr, /chmod 600/);
});

function plain(text: string): string[] {
  return text
    .replaceAll(CONTROL, '')
    .split('\n')
    .map((line) => line.trimEnd());
}
