/**
 * `tollcall serve` with workers: how it starts, what stops it, how it is stopped.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { get as httpsGet } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { msat } from '../../src/base/money/index.ts';
import { end, Home, type Dev } from './cli.ts';
import { SERVICES, openBuyer, readMetrics, workersOf, writeConfig } from './served-workers.ts';

const home = new Home();
after(() => home.leave());

const FIXTURES = join(import.meta.dirname, '..', 'fixtures');

function shown(file: string): { status: number | null; stderr: string } {
  const { status, stderr } = home.run('serve', file);
  return { status, stderr };
}

test('the command line buys, streams and gets the rest back, over a private chain', async () => {
  const file = home.at('regtest.config.ts');
  const config = `network: 'regtest', wallet: { kind: 'regtest', dir: './chain' }, dir: './shop',
    listen: { port: 0 }, services: [who], workers: 2, caps: { refundAfterMs: 0 }`;
  writeFileSync(file, `${SERVICES}\nexport default { ${config} };\n`);
  const shop = await home.serve(file);
  const { profile_dir: profile = '' } = shop.ready;
  const input = ['--input', '{"text":"a"}', '--profile', profile];
  const streamed = home.json('stream', shop.address, 'who', '--calls', '500', ...input);
  assert.equal(streamed['calls'], 500);
  assert.equal(home.run('call', shop.address, 'who', '3', ...input).status, 0);
  const { served_msat: served, problems } = home.json('books', '--check', '--dir', home.at('shop'));
  assert.deepEqual([served, problems], ['503000', []]);
  assert.equal(await end(shop.child, 'SIGTERM'), 0);
  assert.deepEqual(home.json('books', '--check', '--dir', home.at('shop'))['problems'], []);
});

test('TLS, with a certificate that every worker reads again on SIGHUP', async () => {
  const put = (i: number): void => {
    for (const part of ['cert', 'key']) {
      copyFileSync(join(FIXTURES, `tls-${part}-${i}.pem`), home.at(`${part}.pem`));
    }
  };
  put(0);
  const tls = "tls: { certFile: 'cert.pem', keyFile: './key.pem' }, dir: './tls'";
  const shop = await home.serve(writeConfig(home, 'tls.config.ts', tls));
  const at = shop.ready['url'] ?? '';
  // Connections go to the workers in turn.
  for (let i = 0; i < 4; i++) assert.equal(await statusOf(at, 0), 200);
  put(1);
  shop.child.kill('SIGHUP');
  for (let renewed = 0; renewed < 4;) {
    renewed = (await statusOf(at, 1).catch(() => undefined)) === 200 ? renewed + 1 : 0;
  }
  await assert.rejects(statusOf(at, 0));
  assert.equal(await end(shop.child, 'SIGTERM'), 0);
});

test('what a worker cannot load, and an address that is not free, are said at once', async () => {
  // Only a worker is no first process of a cluster.
  const broken = writeConfig(home, 'broken.config.ts', "dir: './broken'");
  const text = readFileSync(broken, 'utf8');
  const unlike = "import cluster from 'node:cluster';\n";
  writeFileSync(
    broken,
    `${unlike}${text}\nif (cluster.isWorker) throw new Error('not in a worker');\n`,
  );
  const failed = shown(broken);
  assert.equal(failed.status, 2);
  assert.match(failed.stderr, /workers\.services: it cannot be loaded: not in a worker/);
  writeFileSync(broken, `${unlike}${text}\nif (cluster.isWorker) process.exit(7);\n`);
  const ended = shown(broken);
  assert.match(ended.stderr, /worker \d ended as it started: code 7/);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const used = shown(writeConfig(home, 'used.config.ts', `listen: { port: ${port} }`));
  taken.close();
  assert.match(used.stderr, /address in use/);
  const again = await home.serve(writeConfig(home, 'used.config.ts', `listen: { port: ${port} }`));
  assert.equal(again.ready['url'], `http://127.0.0.1:${port}`);
  assert.equal(await end(again.child, 'SIGTERM'), 0);
});

test('a worker that always ends stops the host in the end', async () => {
  const file = writeConfig(home, 'fragile.config.ts', "dir: './fragile'");
  const text = readFileSync(file, 'utf8');
  const ends = 'if (cluster.isWorker && existsSync(home)) setImmediate(() => process.exit(3));\n';
  const mark = home.at('fall');
  writeFileSync(
    file,
    `import cluster from 'node:cluster';\n${text}\nconst home = '${mark}';\n${ends}`,
  );
  const shop = await home.serve(file);
  const ended = once(shop.child, 'exit') as Promise<[number | null]>;
  writeFileSync(mark, '');
  const [first = 0] = workersOf(shop);
  process.kill(first, 'SIGKILL');
  assert.equal((await ended)[0], 1);
  const { problems } = home.json('books', '--check', '--dir', home.at('fragile'));
  assert.deepEqual(problems, []);
});

test('SIGTERM under load: what was answered is charged, and nothing else', async () => {
  const shop = await home.serve(writeConfig(home, 'load.config.ts', "dir: './load'"));
  const buyer = await openBuyer(home);
  const link = await buyer.payer.connect(shop.ready['url'] ?? '');
  const maxTotalMsat = msat(5_000_000n);
  const stream = await buyer.payer.stream(link, {
    service: 'who',
    units: 5000,
    lanes: 8,
    maxTotalMsat,
  });
  let answered = 0;
  const until = Promise.withResolvers<void>();
  const callers = Array.from({ length: 48 }, async () => {
    for (;;) {
      await stream.call({ text: 'a' }, { deadlineMs: 100 });
      if (++answered === 500) until.resolve();
    }
  });
  const all = Promise.allSettled(callers);
  await until.promise;
  assert.equal(await end(shop.child, 'SIGTERM'), 0);
  await all;
  const { served_msat: served, problems } = home.json('books', '--check', '--dir', home.at('load'));
  assert.deepEqual(problems, []);
  assert.equal(served, `${answered}000`);
  await buyer.close();
});

test('without metrics nothing is counted, and two hosts in turn use one directory', async () => {
  const file = writeConfig(home, 'plain.config.ts', "dir: './plain', metrics: undefined");
  for (const _ of [1, 2]) {
    const shop: Dev = await home.serve(file);
    assert.equal(shop.ready['metrics_url'], undefined);
    assert.equal((await fetch(`${shop.ready['url']}/health`)).status, 200);
    assert.equal(await end(shop.child, 'SIGTERM'), 0);
  }
  const metered = await home.serve(writeConfig(home, 'metered.config.ts', "dir: './plain'"));
  const figure = await readMetrics(metered);
  assert.equal(figure('tollcall_books_up'), 1);
  assert.equal(await end(metered.child, 'SIGTERM'), 0);
});

function statusOf(url: string, i: number): Promise<number | undefined> {
  const ca = readFileSync(join(FIXTURES, `tls-cert-${i}.pem`));
  return new Promise((resolve, reject) => {
    httpsGet(`${url}/ready`, { ca, agent: false }, (answer) => {
      resolve(answer.resume().statusCode);
    }).on('error', reject);
  });
}
