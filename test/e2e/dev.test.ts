/**
 * `tollcall dev` over its ends: Ctrl-C, kill -9, started twice, cut in its first start.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { end, Home } from './cli.ts';

const home = new Home();
after(() => home.leave());

const served = (): unknown => home.json('books')['served_msat'];

test('Ctrl-C and kill -9: everything goes on where it was', async () => {
  const first = await home.dev();
  home.json('call', first.address, 'quotes', '2', '--symbol', 'BTC');
  const second = home.run('dev', '--port', '0');
  assert.equal(second.status, 1);
  assert.match(second.stderr, /STORE_OWNED/);
  assert.equal(await end(first.child, 'SIGINT'), 0);
  assert.equal(existsSync(home.at('.tollcall/dev/host/admin.sock')), false);
  assert.equal(home.json('books', '--check')['running'], false);
  assert.equal(home.run('wallet').status, 2);
  assert.match(home.run('wallet').stderr, /next: start "tollcall dev"/);

  const third = await home.dev();
  assert.equal(third.ready['host_key_fingerprint'], first.ready['host_key_fingerprint']);
  home.json('call', third.address, 'quotes', '1', '--symbol', 'BTC');
  // The payer buys and calls while the host is killed: nothing that was answered is lost.
  const busy = home.start('call', third.address, 'quotes', '500', '--symbol', 'BTC');
  await untilServed(103_000n);
  assert.equal(await end(third.child, 'SIGKILL'), 'SIGKILL');
  busy.kill('SIGKILL');
  await once(busy, 'exit');

  const fourth = await home.dev();
  assert.ok(BigInt(String(served())) >= 103_000n);
  const { problems, balanced } = home.json('books', '--check');
  assert.deepEqual([problems, balanced], [[], true]);
  assert.equal(home.run('call', fourth.address, 'quotes', '1', '--symbol', 'BTC').status, 0);
  assert.equal(await end(fourth.child, 'SIGTERM'), 0);
});

test('cut in its first start, it starts anew', async () => {
  const dir = home.at('cut');
  mkdirSync(`${dir}/network`, { recursive: true });
  writeFileSync(`${dir}/network/unfinished`, '');
  writeFileSync(`${dir}/network/chain.blocks`, 'half of a block');
  const dev = await home.dev('--dir', dir);
  const profile = ['--profile', `${dir}/payer`];
  assert.equal(
    home.run('call', dev.address, 'quotes', '1', '--symbol', 'SAP', ...profile).status,
    0,
  );
  assert.equal(await end(dev.child, 'SIGINT'), 0);
});

test('a port that is taken and a path too long for a socket: refused, nothing left running', () => {
  const long = home.run('dev', '--port', '0', '--dir', home.at('d'.repeat(100)));
  assert.equal(long.status, 2);
  assert.match(long.stderr, /too long for a socket/);
});

async function untilServed(msat: bigint): Promise<void> {
  while (BigInt(String(served())) < msat) await new Promise((resolve) => setImmediate(resolve));
}
