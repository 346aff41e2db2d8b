/**
 * What people install: both packages work in an empty project, on two versions of Node, and the
 * compiler knows what is in them. The README's programs run as they stand.
 * @module
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { unmet } from '../need.ts';
import { end } from './cli.ts';
import { Packages, Project, fetchNode, readmePrograms } from './package.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NEWER_NODE = '26.10.0';
const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
};

const packages = new Packages();
after(() => packages.remove());
const [newer] = await Promise.all([
  fetchNode(join(packages.dir, 'node'), NEWER_NODE),
  packages.make(),
]);
const project = packages.project('project');

/** The same installation, used with another Node. */
const NODES: readonly (readonly [name: string, project: Project, skip: string | false])[] = [
  [process.version, project, false],
  [
    `v${NEWER_NODE}`,
    new Project(project.dir, newer),
    newer === undefined && unmet(`node ${NEWER_NODE}: npm could not install it`),
  ],
];

interface Tree {
  readonly dependencies?: Readonly<Record<string, Tree>>;
}

function namesIn({ dependencies = {} }: Tree): string[] {
  return Object.entries(dependencies).flatMap(([name, tree]) => [name, ...namesIn(tree)]);
}

test('an installation that sells or buys has no chain, no node and no test tool', async () => {
  await project.install(`./tollcall-${MANIFEST.version}.tgz`);
  const { stdout } = await project.npm('ls', '--all', '--json');
  const names = new Set(namesIn(JSON.parse(stdout) as Tree));
  assert(names.has('undici'));
  const tools = Object.keys(MANIFEST.devDependencies);
  assert.deepEqual(
    tools.filter((name) => names.has(name)),
    [],
  );
});

test('the package holds what was built, and no source, test or part of the other one', () => {
  const folder = join(project.dir, 'node_modules', 'tollcall');
  const files = globSync('**', { cwd: folder, exclude: (name) => name === 'node_modules' });
  assert(files.includes(join('dist', 'cli', 'quotes.csv')));
  const strange = /\.test\.|^(src|test|scripts|regtest)\b|\bldk\b|chain.regtest|\.tmp$/;
  assert.deepEqual(
    files.filter((file) => strange.test(file) || /(?<!\.d)\.ts$/.test(file)),
    [],
  );
});

test('where the private chain is missing, the command that is named installs it', async () => {
  const refused = await project.tollcall('demo', '--json');
  assert.equal(refused.status, 1);
  const { problem } = JSON.parse(refused.stdout) as {
    problem: { code: string; facts: { next: string } };
  };
  assert.equal(problem.code, 'REGTEST_MISSING');
  const [command, action, file = ''] = problem.facts.next.split(' ');
  assert.deepEqual([command, action], ['npm', 'install']);
  await project.install(file);
  await project.npm('ls', '--all');
});

for (const [node, user, skip] of NODES) {
  test(`Node ${node}: the installed command line sells and buys`, { skip }, async () => {
    assert.equal((await user.done('node', '--version')).stdout, `${node}\n`);
    assert.equal((await user.tollcall('--version')).stdout, `${MANIFEST.version}\n`);
    const { status, stdout, stderr } = await user.tollcall('demo', '--json');
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, stdout);
    const { balanced, calls } = JSON.parse(stdout) as { balanced: boolean; calls: number };
    assert.deepEqual({ balanced, calls }, { balanced: true, calls: 4 });
  });

  test(`Node ${node}: the programs of the README run as they stand`, { skip }, async () => {
    const programs = readmePrograms();
    user.write('sell.mjs', (programs.get('sell') ?? '').replace('port: 8402', 'port: 0'));
    const { child, line } = await user.begin('sell.mjs');
    try {
      const url = /http:\S+$/.exec(line)?.[0] ?? '';
      assert.match(url, /:\d+$/);
      const buy = (programs.get('buy') ?? '').replace('http://127.0.0.1:8402', url);
      user.write('buy.mjs', buy);
      const bought = await user.done('node', 'buy.mjs');
      assert.match(bought.stdout, /'one'.*3 calls left\n.*\n.*\n.*'four'.*0 calls left\n$/);
      const books = await user.tollcall('books', '--dir', 'shop', '--json');
      assert.match(books.stdout, /"served_msat":"\d+000"/);
    } finally {
      await end(child, 'SIGINT');
    }
  });
}

const CONSUMER = `
import { Fault, openShop, service, z, msat, type FaultCode, type Msat } from 'tollcall/host';
import { openPayer, type CallResult, type PayerSession } from 'tollcall/payer';
import { openNetwork, type LdkWallet } from '@tollcall/regtest';

const [input, output] = [z.strictObject({ n: z.number() }), z.strictObject({ m: z.string() })];
const price = { kind: 'each', priceMsat: msat(1) } as const;
export const good = service('a', {
  description: '', input, output, price, handler: ({ n }) => ({ m: n.toFixed(1) }),
});
export const bad = service('b', {
  // @ts-expect-error: the result is not of that form
  description: '', input, output, price, handler: ({ n }) => ({ m: n }),
});
// @ts-expect-error: a plain number is no amount
export const amount: Msat = 1;
// @ts-expect-error: there is no such code
export const code: FaultCode = 'NO_SUCH_CODE';

const { seller, buyer } = await openNetwork({ dir: 'network' });
export const wallets: readonly LdkWallet[] = [seller, buyer];
const shop = await openShop({ dir: 'shop', wallet: seller, services: [good], port: 0 });
const payer = await openPayer({ dir: 'payer', wallet: buyer });
const host = await payer.connect(shop.url);
const order = { service: 'a', calls: 1, maxTotalMsat: msat(1n) };
const session: PayerSession = await payer.buy(host, order);
export const { result }: CallResult = await session.call({ n: 1 });
export const isFault = (error: unknown): boolean => error instanceof Fault;
`;

for (const options of [
  ['--module', 'nodenext'],
  ['--module', 'esnext', '--moduleResolution', 'bundler'],
]) {
  test(`TypeScript with ${options.join(' ')} knows what is in the packages`, async () => {
    project.write('consumer.mts', CONSUMER);
    for (const [name, program] of readmePrograms()) project.write(`${name}.mts`, program);
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
    const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules', '@types')];
    const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
    const files = ['consumer.mts', 'sell.mts', 'buy.mts'];
    await project.done(tsc, '--noEmit', ...strict, ...types, ...options, ...files);
  });
}

test('an older Node is told what is needed, before anything is loaded', async () => {
  const pretend = `Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } })`;
  const older = `data:text/javascript,${pretend}`;
  const launcher = join('node_modules', 'tollcall', 'bin', 'tollcall.mjs');
  const { status, stderr } = await project.run('node', '--import', older, launcher, '--version');
  assert.equal(status, 1);
  assert.match(stderr, /^tollcall needs Node 24 or newer; this is 20\.1\.0\.\n/);
});
