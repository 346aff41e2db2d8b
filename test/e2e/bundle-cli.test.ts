/**
 * The command line on what was bought: list, top up, refund, move to another profile.
 * @module
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Home, type Dev } from './cli.ts';

const home = new Home();
let dev: Dev;
before(async () => {
  dev = await home.dev();
});
after(() => home.leave());

interface Listed {
  readonly session: string;
  readonly bought_calls: number;
  readonly calls_left: number;
  readonly credit_msat: string;
}

function list(...args: readonly string[]): readonly Listed[] {
  return home.json('sessions', 'list', ...args)['sessions'] as readonly Listed[];
}

/** Another profile with the same wallet. */
function otherProfile(name: string): string {
  const from = home.at('.tollcall', 'dev', 'payer');
  const profile = JSON.parse(readFileSync(`${from}/profile.json`, 'utf8')) as {
    wallet: { path: string };
  };
  profile.wallet.path = `${from}/${profile.wallet.path}`;
  const dir = home.at(name);
  mkdirSync(dir);
  writeFileSync(`${dir}/profile.json`, JSON.stringify(profile));
  return dir;
}

function codeOf(...args: readonly string[]): [number | null, string] {
  const { status, stdout } = home.run(...args, '--json');
  return [status, (JSON.parse(stdout) as { problem: { code: string } }).problem.code];
}

test('a session is topped up by the next call, listed, and moved', () => {
  assert.match(home.run('sessions', 'list').stdout, /Nothing was bought yet/);
  home.run('call', dev.address, 'quotes', '2', '--symbol', 'NOPE');
  const next = home.json('call', dev.address, 'quotes', '4', '--symbol', 'BTC');
  assert.deepEqual([next['bought_calls'], next['charged_msat']], [2, '4000']);
  const [one, ...others] = list();
  assert.ok(one && others.length === 0, 'it is one session');
  assert.deepEqual([one.bought_calls, one.calls_left], [4, 0]);
  home.run('call', dev.address, 'quotes', '3', '--symbol', 'NOPE');
  const used = list().at(-1);
  assert.ok(used && used.calls_left === 3);

  const file = home.at('session.json');
  const id = used.session.slice(0, 6);
  const exported = home.run('sessions', 'export', id, file);
  assert.equal(exported.status, 0, exported.stderr);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(list().length, 1, 'it has left');
  assert.deepEqual(codeOf('sessions', 'export', id, file), [2, 'USAGE_INVALID']);

  const other = otherProfile('other');
  assert.equal(home.json('sessions', 'import', file, '--profile', other)['session'], used.session);
  assert.ok(!existsSync(file), 'a file is used once');
  const call = ['call', dev.address, 'quotes', '1', '--symbol', 'BTC', '--profile', other];
  assert.deepEqual([home.json(...call)['bought_calls'], list('--profile', other).length], [0, 1]);
});

test('a refund waits its minute; amounts and sessions are checked before', () => {
  home.run('call', dev.address, 'quotes', '9', '--symbol', 'NOPE');
  assert.deepEqual(codeOf('refund', dev.address), [1, 'REFUND_EARLY']);
  assert.deepEqual(codeOf('refund', dev.address, '--amount', '0'), [2, 'USAGE_INVALID']);
  assert.deepEqual(codeOf('refund', dev.address, '--session', 'zz'), [1, 'SESSION_UNKNOWN']);
  assert.deepEqual(codeOf('refund', dev.address, '--to', 'lnbcrt1x'), [2, 'INVOICE_MALFORMED']);
});

for (const [what, args, code] of [
  ['not a file', ['sessions', 'import', '/nowhere/x'], 'CONFIG_INVALID'],
  ['no such session', ['sessions', 'export', 'zz', 'x.json'], 'USAGE_INVALID'],
  ['a host that is down', ['refund', '127.0.0.1:1'], 'HOST_UNREACHABLE'],
] as const) {
  test(`refused, ${what}: ${code}`, () => {
    assert.equal(codeOf(...args)[1], code);
  });
}

test('a spending limit of the profile is kept', () => {
  const dir = otherProfile('frugal');
  const file = `${dir}/profile.json`;
  const profile = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  profile['spend_limits'] = [{ limit_msat: '1000', window_hours: 24 }];
  writeFileSync(file, JSON.stringify(profile));
  const call = ['call', dev.address, 'quotes', '--symbol', 'BTC', '--profile', dir];
  assert.equal(home.run(...call).status, 0);
  assert.deepEqual(codeOf(...call), [1, 'PAYMENT_SPENT']);
});
