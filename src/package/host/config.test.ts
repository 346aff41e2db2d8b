/**
 * The parser of configurations: what it takes, and that it tells all problems at once.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { msat } from '../../base/money/index.ts';
import { systemRandom } from '../../base/random/index.ts';
import { systemClock } from '../../base/time/index.ts';
import { service, type Service } from '../../host/index.ts';
import { openFakeNetwork, type Wallet } from '../../port/wallet/index.ts';
import { KEYS } from './config-shape.ts';
import { defineConfig, parseConfig, z, type CheckedConfig, type HostConfig } from './index.ts';

const text = z.strictObject({ text: z.string() });

function echo(name: string, more: Partial<Pick<Service, 'effect' | 'timeoutMs'>> = {}): Service {
  const { effect = 'none', timeoutMs = 1000 } = more;
  const price = { kind: 'each', priceMsat: msat(1000) } as const;
  const parts = { description: 'Says it.', input: text, output: text, price, effect, timeoutMs };
  return service(name, { ...parts, handler: (input) => input });
}

const wallet = (): Wallet =>
  openFakeNetwork({ clock: systemClock, random: systemRandom }).wallet('host');

const least = { network: 'signet', services: [echo('echo')], wallet, dir: './shop' } as const;

function problems(change: Readonly<Record<string, unknown>>): string[] {
  const parsed = parseConfig({ ...least, ...change }, '/srv');
  return parsed.ok ? [] : parsed.problems.map(({ path, problem }) => `${path}: ${problem}`);
}

function good(change: Readonly<Record<string, unknown>> = {}): CheckedConfig {
  const parsed = parseConfig({ ...least, ...change }, '/srv');
  assert.ok(parsed.ok);
  return parsed.config;
}

test('the least that a host needs; the rest has a default, and paths become absolute', () => {
  const written: HostConfig = defineConfig(least);
  const config = good({ ...written });
  assert.deepEqual(config.listen, { address: '127.0.0.1', port: 8402 });
  assert.equal(config.dir, '/srv/shop');
  assert.deepEqual([config.behindProxy, config.admin, config.tls], [false, true, undefined]);
  assert.equal(config.workers, 0);
  assert.equal(config.limits.host.stopGraceMs, 5000);
  const more = good({
    network: 'regtest',
    wallet: { kind: 'regtest', dir: 'chain' },
    listen: { address: '0.0.0.0', port: 443 },
    tls: { certFile: 'a.pem', keyFile: '/b.pem' },
    metrics: { port: 9402 },
    caps: { maxPrepaidMsat: msat(5000) },
    limits: { books: { hotSessions: 5 } },
    durability: { maxMs: 5, maxMsat: msat(2) },
    workers: 2,
  });
  assert.equal(more.workers, 2);
  assert.deepEqual(more.wallet, { kind: 'regtest', dir: '/srv/chain' });
  assert.deepEqual(more.tls, { certFile: '/srv/a.pem', keyFile: '/b.pem' });
  assert.deepEqual(more.metrics, { address: '127.0.0.1', port: 9402 });
  const { durability, ...books } = more.limits.books ?? {};
  assert.deepEqual(books, { hotSessions: 5, maxPrepaidMsat: 5000n });
  assert.deepEqual(durability, { kind: 'lazy', maxMs: 5, maxMsat: 2n });
});

test('nothing stands in for a wallet, a network, a directory or something to sell', () => {
  const parsed = parseConfig({}, '/');
  assert.deepEqual(
    !parsed.ok && parsed.problems.map(({ path, problem }) => `${path}: ${problem}`),
    ['network: is missing', 'services: is missing', 'wallet: is missing', 'dir: is missing'],
  );
});

test('what is wrong by itself', () => {
  const table: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
    [{ colour: 'red' }, /^colour: is not known$/],
    [{ listen: { prot: 1 } }, /^listen.prot: is not known$/],
    [{ limits: { host: { runningCall: 1 } } }, /^limits.host.runningCall: is not known$/],
    [{ limits: { books: { maxPrepaidMsat: 1n } } }, /^limits.books.maxPrepaidMsat: is not known$/],
    [{ network: 'main' }, /^network: /],
    [{ services: [] }, /^services: nothing is on sale$/],
    [{ services: [{ name: 'x' }] }, /^services.0: is no service/],
    [{ wallet: { kind: 'lnd' } }, /^wallet: must be a wallet/],
    [{ wallet: { kind: 'regtest' } }, /^wallet: must be a wallet/],
    [{ dir: '' }, /^dir: /],
    [{ listen: { port: 65_536 } }, /^listen.port: /],
    [{ listen: { port: 80.5 } }, /^listen.port: /],
    [{ tls: { certFile: 'a' } }, /^tls.keyFile: is missing$/],
    [{ behindProxy: 'yes' }, /^behindProxy: /],
    [{ creditKeepDays: -1 }, /^creditKeepDays: /],
    [{ caps: { maxPrepaidMsat: 1000 } }, /^caps.maxPrepaidMsat: must be an amount/],
    [{ durability: { maxMs: 5 } }, /^durability/],
    [{ durability: 'lazy' }, /^durability/],
    [{ limits: { books: { durability: 5 } } }, /^limits.books/],
    [{ limits: { door: { connections: 0 } } }, /^limits.door.connections: /],
    [{ limits: { door: { keepAliveMs: 2 ** 31 } } }, /^limits.door.keepAliveMs: /],
    [{ metrics: {} }, /^metrics.port: is missing$/],
    [{ workers: 33 }, /^workers: /],
    [{ workers: 1.5 }, /^workers: /],
    [{ workers: '2' }, /^workers: /],
  ];
  for (const [change, expected] of table) {
    const found = problems(change);
    assert.equal(found.length, 1, found.join());
    assert.match(found[0] ?? '', expected);
  }
});

test('what is wrong together', () => {
  const tls = { certFile: 'a', keyFile: 'b' };
  const once = echo('once', { effect: 'once', timeoutMs: 9000 });
  const table: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
    [{ tls, behindProxy: true }, /^tls: excludes behindProxy/],
    [{ listen: { address: '0.0.0.0' } }, /^listen.address: plain HTTP is for loopback/],
    [{ listen: { address: 'example.com' }, tls }, /^listen.address: must be an IP address$/],
    [{ metrics: { address: '::', port: 1 } }, /^metrics.address: must be loopback/],
    [{ metrics: { port: 8402 } }, /^metrics.port: is the port of the host/],
    [{ wallet: { kind: 'regtest', dir: 'a' } }, /^network: must be 'regtest'/],
    [{ services: [echo('a'), echo('a')] }, /^services.1 \(a\): another service has this name$/],
    [{ caps: { maxPrepaidMsat: msat(999) } }, /^services.0 \(echo\): one call costs more/],
    [{ workers: 3, durability: { maxMs: 5, maxMsat: msat(2) } }, /^durability.maxMsat: is shared/],
    [{ caps: { maxLiabilityMsat: msat(5000) } }, /^caps.maxPrepaidMsat: is above/],
    [{ limits: { host: { unpaidSessions: 9 }, door: {} } }, /^limits.host.unpaidPer/],
    [{ limits: { door: { connections: 9, connectionsPerAddress: 10 } } }, /PerAddress: is above/],
    [{ limits: { door: { headersTimeoutMs: 9, requestTimeoutMs: 8 } } }, /TimeoutMs: is above/],
    [{ limits: { door: { parkedBytes: 9 } } }, /^limits.host.bodyBytes: is above/],
    [{ services: [once], limits: { host: { stopGraceMs: 5000 } } }, /may run 9000 ms/],
  ];
  for (const [change, expected] of table) {
    assert.match(problems(change)[0] ?? 'none', expected);
  }
  for (const listen of [{ address: '::1' }, { address: '127.0.0.9' }]) good({ listen });
  good({ listen: { address: '0.0.0.0' }, tls });
  good({ listen: { address: '0.0.0.0' }, behindProxy: true });
});

test('a stop waits for services that must not be cut, and says which it cuts', () => {
  const services = [echo('none', { timeoutMs: 20_000 }), echo('once', { effect: 'once' })];
  const parsed = parseConfig({ ...least, services }, '/');
  assert.ok(parsed.ok);
  assert.deepEqual(
    parsed.notes.map(({ path }) => path),
    ['none'],
  );
  const slow = echo('slow', { effect: 'once', timeoutMs: 60_000 });
  assert.equal(good({ services: [slow] }).limits.host.stopGraceMs, 60_000);
});

test('whatever is exported, the parser answers', () => {
  const value = fc.oneof(
    fc.anything(),
    fc.record(Object.fromEntries([...KEYS, 'colour'].map((name) => [name, fc.anything()]))),
  );
  fc.assert(
    fc.property(value, (found) => {
      const parsed = parseConfig(found, '/');
      assert.ok(parsed.ok || parsed.problems.length > 0);
    }),
  );
});
