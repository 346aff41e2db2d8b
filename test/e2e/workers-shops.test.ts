/**
 * Shops with workers in one program: they do not disturb each other, nor the program.
 * @module
 */
import assert from 'node:assert/strict';
import cluster from 'node:cluster';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { openShop, type Shop, type ShopOptions } from '../../src/package/host/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { DESCRIPTION_PATH } from '../../src/wire/toll/index.ts';
import { services } from '../crash/shop-services.ts';

const dir = mkdtempSync(join(tmpdir(), 'tollcall-shops-'));
const network = openFakeNetwork({ clock: systemClock, random: systemRandom });
const opened: Shop[] = [];
after(async () => {
  // Also when a test has failed: each is closed once.
  for (const shop of opened) await shop.close();
  network.close();
  rmSync(dir, { recursive: true, force: true });
});

const MODULE = new URL('../crash/shop-services.ts', import.meta.url);

async function open(name: string, more: Partial<ShopOptions> = {}): Promise<Shop> {
  const wallet = network.wallet('host');
  const workers = { count: 1, services: MODULE };
  const at = { dir: join(dir, name), wallet, services, port: 0, workers };
  const shop = await openShop({ ...at, ...more });
  opened.push(shop);
  return shop;
}

function refusal(code: FaultCode, text: RegExp): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code && text.test(JSON.stringify(error.facts));
}

async function fingerprint({ url }: Shop): Promise<string> {
  const described = await fetch(url + DESCRIPTION_PATH);
  return ((await described.json()) as { host_key_fingerprint: string }).host_key_fingerprint;
}

test('two shops at once, a third one on the port of the first; the others go on', async () => {
  cluster.setupPrimary({ exec: 'mine.js', args: ['a'] });
  const before = { ...cluster.settings };
  const [one, two] = await Promise.all([open('one'), open('two')]);
  assert.deepEqual(
    { ...cluster.settings, serialization: undefined },
    { ...before, serialization: undefined },
  );
  const shops = [one, two];
  for (const shop of shops) {
    assert.equal(await fingerprint(shop), shop.host.description.host_key_fingerprint);
  }
  await assert.rejects(open('three', { port: one.door.port }), refusal('CONFIG_INVALID', /in use/));
  await one.close();
  await one.close();
  assert.equal(await fingerprint(two), two.host.description.host_key_fingerprint);
  const again = await open('one', { port: one.door.port });
  assert.equal(again.url, one.url);
  await Promise.all([again.close(), two.close()]);
});

test('what does not fit is refused, and nothing stays open', async () => {
  const other = { count: 1, services: new URL('../../src/base/time/index.ts', import.meta.url) };
  const table: readonly (readonly [Partial<ShopOptions>, RegExp])[] = [
    [{ workers: { count: 0, services: MODULE } }, /workers.count/],
    [{ workers: { count: 33, services: MODULE } }, /workers.count/],
    [{ workers: other }, /the module has no services; the host sells work/],
    [{ services: [] }, /the module has work; the host sells /],
    [{ tls: { cert: 'none', key: 'none' } }, /cannot be used/],
  ];
  for (const [more, text] of table) {
    await assert.rejects(open('wrong', more), refusal('CONFIG_INVALID', text), String(text));
  }
  const shop = await open('wrong');
  await shop.close();
});

test('sockets stand beside the books; elsewhere when the path is too long', async () => {
  const shop = await open('near');
  assert(existsSync(join(dir, 'near', 'sockets', '0.sock')));
  await shop.close();
  assert(!existsSync(join(dir, 'near', 'sockets')));
  const far = join('x'.repeat(60), 'y'.repeat(60));
  const long = await open(far, { admin: false });
  assert(!existsSync(join(dir, far, 'sockets')));
  assert.equal(await fingerprint(long), long.host.description.host_key_fingerprint);
  await long.close();
});
