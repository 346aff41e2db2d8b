/**
 * `tollcall serve` and `tollcall config check`, as a seller runs them.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { get as httpsGet } from 'node:https';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { end, Home, type Dev } from './cli.ts';

const home = new Home();
after(() => home.leave());

const FIXTURES = join(import.meta.dirname, '..', 'fixtures');

/** Services that wait for what the test does, and one that leaves a mess. */
const SERVICES = `
import { msat, service, z } from 'tollcall/host';
const text = z.strictObject({ text: z.string() });
const parts = { description: 'For tests.', input: text, output: text,
  price: { kind: 'each', priceMsat: msat(1000) } };
const stray = service('stray', { ...parts, handler: (input) => {
  void Promise.reject(new Error('a promise that nobody waits for'));
  setImmediate(() => { throw new Error('out of a timer'); });
  return input;
} });
const last = service('last', { ...parts, handler: async (input) => {
  console.log('begun');
  await new Promise((ended) => process.once('SIGTERM', ended));
  return input;
} });
const endless = service('endless', { ...parts, handler: () => {
  console.log('begun');
  return new Promise(() => undefined);
} });
`;

function write(name: string, config: string): string {
  const file = home.at(name);
  writeFileSync(file, `${SERVICES}\nexport default ${config};\n`);
  return file;
}

const REGTEST = `network: 'regtest', wallet: { kind: 'regtest', dir: './chain' }, dir: './host',
  listen: { port: 0 }`;

function call(shop: Dev, name: string): string[] {
  const { profile_dir: profile = '' } = shop.ready;
  return ['call', shop.address, name, '1', '--input', '{"text":"a"}', '--profile', profile];
}

async function begun(shop: Dev): Promise<void> {
  await once(shop.lines, 'line');
}

test('what is sold is served, and a stop ends calls or gives them back', async () => {
  const file = write(
    'tollcall.config.ts',
    `{ ${REGTEST}, services: [stray, last, endless], metrics: { port: 0 },
      limits: { host: { stopGraceMs: 200 } } }`,
  );
  const first = await home.serve(file);
  for (const _ of [1, 2]) assert.equal(home.run(...call(first, 'stray')).status, 0);
  assert.deepEqual(await fetchJson(`${first.ready['url']}/ready`), { status: 'ready' });
  const metrics = await (await fetch(first.ready['metrics_url'] ?? '')).text();
  assert.match(metrics, /^tollcall_calls_total\{service="stray",outcome="charged"\} 2$/m);
  assert.match(metrics, /^tollcall_books_sats\{account="served"\} 2$/m);
  assert.equal((await fetch(`${first.ready['url']}/metrics`)).status, 404);
  const ending = home.start(...call(first, 'last'));
  await begun(first);
  assert.equal(await end(first.child, 'SIGTERM'), 0);
  await end(ending, 'SIGKILL');

  const second = await home.serve(file);
  const cut = home.start(...call(second, 'endless'));
  await begun(second);
  assert.equal(await end(second.child, 'SIGTERM'), 0);
  await end(cut, 'SIGKILL');
  const { served_msat: served, credit_msat: credit } = home.json('books', '--dir', home.at('host'));
  assert.deepEqual([served, credit], ['3000', '1000']);

  const third = await home.serve(file);
  const never = home.start(...call(third, 'endless'));
  await begun(third);
  third.child.kill('SIGTERM');
  assert.equal(await end(third.child, 'SIGINT'), 130);
  await end(never, 'SIGKILL');
  const { problems } = home.json('books', '--check', '--dir', home.at('host'));
  assert.deepEqual(problems, []);
});

test('dev sells what a configuration offers, wherever that would be served', async () => {
  const file = write('offer.config.ts', '{ services: [stray], listen: { port: 1 } }');
  const dev = await home.dev('--dir', home.at('dev'), '--config', file);
  assert.equal(home.run(...call(dev, 'stray')).status, 0);
  assert.equal(await end(dev.child, 'SIGINT'), 0);
});

test('TLS, with a certificate that is read again on SIGHUP', async () => {
  const put = (i: number): void => {
    for (const part of ['cert', 'key']) {
      copyFileSync(join(FIXTURES, `tls-${part}-${i}.pem`), home.at(`${part}.pem`));
    }
  };
  put(0);
  const wallet = `async () => {
    const { openFakeNetwork, systemClock: clock, systemRandom: random } =
      await import('tollcall/host');
    return openFakeNetwork({ clock, random }).wallet('host');
  }`;
  const tls = "{ certFile: 'cert.pem', keyFile: './key.pem' }";
  const file = write(
    'tls.config.mjs',
    `{ network: 'regtest', wallet: ${wallet}, dir: './tls', services: [stray], tls: ${tls},
      listen: { address: '0.0.0.0', port: 0 } }`,
  );
  const shop = await home.serve(file);
  const url = (shop.ready['url'] ?? '').replace('0.0.0.0', '127.0.0.1');
  assert.match(url, /^https:/);
  assert.equal(await statusOf(url, 0), 200);
  put(1);
  shop.child.kill('SIGHUP');
  await untilStatus(url, 1);
  await assert.rejects(statusOf(url, 0));
  assert.equal(await end(shop.child, 'SIGTERM'), 0);
});

test('a wallet on another network, and a host that is open already', async () => {
  const chain = `wallet: { kind: 'regtest', dir: './chain' }`;
  const wrong = write(
    'wrong.config.ts',
    `{ network: 'mainnet', ${chain}, dir: './host',
    services: [stray] }`,
  );
  const refused = home.run('serve', wrong);
  assert.deepEqual([refused.status, /network: must be 'regtest'/.test(refused.stderr)], [2, true]);
  const open = await home.serve(write('one.config.ts', `{ ${REGTEST}, services: [stray] }`));
  const again = home.run('serve', home.at('one.config.ts'));
  assert.deepEqual([again.status, /STORE_OWNED/.test(again.stderr)], [1, true]);
  assert.equal(await end(open.child, 'SIGINT'), 0);
});

test('config check tells ten mistakes at once, and what would be served', () => {
  const bad = write(
    'bad.config.ts',
    `{ network: 'main', services: [stray, stray], dir: 3, colour: 'red', behindProxy: true,
      listen: { address: '0.0.0.0', port: 70_000 }, tls: { certFile: 'a.pem', keyFile: 'a.pem' },
      caps: { maxPrepaidMsat: 5 }, limits: { host: { runningCalls: 0 } },
      metrics: { port: 8402 } }`,
  );
  const { status, stdout } = home.run('config', 'check', bad, '--json');
  assert.equal(status, 2);
  const { problem } = JSON.parse(stdout) as { problem: { facts: { problems: string[] } } };
  assert.deepEqual(
    problem.facts.problems.map((text) => text.split(': ')[0]),
    [
      'colour',
      'network',
      'wallet',
      'dir',
      'listen.port',
      'caps.maxPrepaidMsat',
      'limits.host.runningCalls',
      'tls',
      'metrics.port',
      'services.1 (stray)',
      'tls.certFile',
      'tls.keyFile',
    ],
  );
  const person = home.run('config', 'check', bad);
  assert.match(person.stderr, /\n {2}- wallet: is missing\n/);

  const good = write('good.config.ts', `{ ${REGTEST}, services: [stray, last] }`);
  const shown = home.run('config', 'check', good);
  assert.equal(shown.status, 0);
  assert.match(shown.stdout, /stray +1 sat +10 sat +100 sat +none +30 s\n/);
  const { services } = home.json('config', 'check', good);
  const [first] = services as { total_msat: object }[];
  assert.deepEqual(first?.total_msat, { 1: '1000', 10: '10000', 100: '100000' });
});

test('the configuration in docs/serve.md is a good one', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'serve.md'), 'utf8');
  const example = /```ts\n([^]*?)```/.exec(page)?.[1] ?? '';
  writeFileSync(home.at('example.config.ts'), example);
  const { status, stdout } = home.run('config', 'check', home.at('example.config.ts'));
  assert.equal(status, 0);
  assert.match(stdout, /echo +1 sat +10 sat +100 sat +none +30 s\n/);
});

test('a file that is not there, cannot be read as a program, or throws', () => {
  const files: readonly (readonly [string, string, RegExp])[] = [
    ['half.config.ts', 'export default {', /Expression expected|Unexpected/],
    ['throws.config.ts', "throw new Error('no database')", /no database/],
    ['lost.config.ts', "import 'no-such-package'", /no-such-package/],
    ['empty.config.ts', '', /must be an object/],
    ['name.config.ts', `${SERVICES}\nservice('No', parts);`, /service No, problem name/],
  ];
  for (const [name, text, expected] of files) {
    writeFileSync(home.at(name), text);
    const { status, stderr } = home.run('config', 'check', home.at(name));
    assert.equal(status, 2, name);
    assert.match(stderr, expected);
  }
  assert.match(home.run('serve', home.at('none.ts')).stderr, /there is no such file/);
});

async function fetchJson(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

function statusOf(url: string, i: number): Promise<number | undefined> {
  const ca = readFileSync(join(FIXTURES, `tls-cert-${i}.pem`));
  return new Promise((resolve, reject) => {
    httpsGet(`${url}/ready`, { ca, agent: false }, (answer) => {
      resolve(answer.resume().statusCode);
    }).on('error', reject);
  });
}

/** A signal is not answered: the new certificate is there soon. */
async function untilStatus(url: string, i: number): Promise<void> {
  while ((await statusOf(url, i).catch(() => undefined)) !== 200) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
