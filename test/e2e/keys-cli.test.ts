/**
 * Rotation as a seller and a buyer see it: the command line, a host that runs, its payer's profile.
 * @module
 */
import assert from 'node:assert/strict';
import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Home, end, type Dev } from './cli.ts';

const home = new Home();
after(() => home.leave());
let dev: Dev = await home.dev();
const { address } = dev;
const hostDir = dev.ready['host_dir'] ?? '';
const first = fingerprint();
const CALL = ['call', address, 'quotes', '1', '--symbol'] as const;

/** The key of the directory, which the host shows from its next start on. */
function fingerprint(): string {
  return String(home.json('keys', 'show', hostDir)['host_key_fingerprint']);
}

function pins(): unknown[] {
  const list = home.json('keys', 'pins')['pins'] as { fingerprint: string }[];
  return list.map((pin) => pin.fingerprint);
}

async function restart(): Promise<void> {
  await end(dev.child, 'SIGTERM');
  dev = await home.dev('--port', address.split(':')[1] ?? '');
}

test('everything in the directory of dev is for its owner alone', () => {
  const dir = dev.ready['host_dir'] ?? '';
  const open = globSync('**', { cwd: join(dir, '..') }).filter((name) => {
    const info = statSync(join(dir, '..', name));
    return !info.isDirectory() && (info.mode & 0o077) !== 0;
  });
  assert.deepEqual(
    open.map((name) => name.replace(/^.*\//, '')),
    ['host_pub.pem'],
  );
});

test('a host that runs goes on under its old key while it is rotated', async () => {
  // A call that fails is left: it is what the old key was paid for.
  assert.equal(home.json(...CALL, 'NONE')['calls_left'], 1);
  assert.deepEqual(pins(), [first]);
  const rotated = home.json('keys', 'rotate', hostDir);
  assert.equal(rotated['rotated'], true);
  assert.notEqual(rotated['host_key_fingerprint'], first);
  assert.equal(home.json('quote', address)['host_key_fingerprint'], first);
  assert.deepEqual(pins(), [first]);
  await restart();
  assert.equal(dev.ready['host_key_fingerprint'], fingerprint());
});

test('started again, what was left is called, and more is bought under the new key', () => {
  const left = home.json(...CALL, 'BTC');
  assert.deepEqual([left['bought_calls'], left['charged_msat']], [0, '1000']);
  assert.deepEqual(pins(), [fingerprint()]);
  const bought = home.json(...CALL, 'BTC');
  assert.deepEqual([bought['bought_calls'], bought['charged_msat']], [1, '1000']);
  const receipt = home.json('receipts', 'get', address);
  assert.equal(receipt['host'], fingerprint());
});

test('a backup takes the former keys along', () => {
  home.run('backup', hostDir, home.at('backup'));
  assert.equal(home.run('restore', home.at('backup'), home.at('restored')).status, 0);
  const shown = home.json('keys', 'show', home.at('restored'));
  assert.deepEqual(shown['former_keys'], home.json('keys', 'show', hostDir)['former_keys']);
});

test('after a theft payers are refused until they pin the new key by hand', async () => {
  assert.equal(home.json(...CALL, 'NONE')['calls_left'], 1);
  const rotated = home.run('keys', 'rotate', hostDir, '--revoke');
  assert.match(rotated.stdout, /pin the new key by hand/);
  await restart();
  const refused = home.run(...CALL, 'BTC');
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /HOST_KEY_CHANGED; money: unspent/);
  assert.match(refused.stderr, /stolen/);
  assert.match(refused.stderr, /tollcall keys trust HOST --fingerprint HEX/);
  const wrong = home.run('keys', 'trust', address);
  assert.equal(wrong.status, 2);
  const before = pins()[0];
  const trusted = home.json('keys', 'trust', address, '--fingerprint', fingerprint());
  assert.deepEqual([trusted['changed'], trusted['before']], [true, before]);
  const again = home.run('keys', 'trust', address, '--host-key', `${hostDir}/host_pub.pem`);
  assert.match(again.stdout, /pinned already/);
  const left = home.json(...CALL, 'BTC');
  assert.deepEqual([left['bought_calls'], left['charged_msat']], [0, '1000']);
});

test('a former key that was stolen is revoked by its first digits', () => {
  const dir = home.at('chain');
  const { host_key_fingerprint: one } = home.json('keys', 'make', dir);
  home.run('keys', 'rotate', dir, '--overlap-days', '14');
  home.run('keys', 'rotate', dir);
  assert.equal(home.run('keys', 'revoke', dir, 'xyz').status, 2);
  assert.equal(home.run('keys', 'revoke', dir, '00'.repeat(32)).status, 2);
  const { former_keys: former } = home.json('keys', 'revoke', dir, String(one).slice(0, 12));
  const revoked = (former as { revoked: boolean }[]).map((key) => key.revoked);
  assert.deepEqual(revoked, [true, false]);
  assert.match(home.run('keys', 'show', dir).stdout, new RegExp(`${String(one)}, revoked`));
});
