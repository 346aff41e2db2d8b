/**
 * Garbage on every surface gets a fault from the table: HTTP problem JSON, JSON-RPC errors, and
 * messages of the command line. Nothing of it touches a balance.
 * @module
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isFaultCode } from '../../src/base/fault/index.ts';
import { printCall } from '../../src/wire/toll/index.ts';
import { openShop, type TestShop } from './shop.ts';

let shop: TestShop;
before(async () => {
  shop = await openShop();
});
after(() => shop.close());

const GARBAGE_CALL = printCall({
  session: '00'.repeat(16),
  n: 0n,
  done: 0n,
  salt: new Uint8Array(16),
  code: new Uint8Array(32),
});

const HTTP_CASES: readonly [what: string, path: string, init: RequestInit, code: string][] = [
  ['unknown path', '/nothing', {}, 'REQUEST_UNKNOWN'],
  ['wrong method', '/call/echo', {}, 'REQUEST_METHOD'],
  ['no credential', '/call/echo', post('{}'), 'CODE_MISSING'],
  ['foreign scheme', '/call/echo', post('{}', 'Bearer x'), 'CODE_MISSING'],
  ['garbage credential', '/call/echo', post('{}', 'Toll b1.?'), 'CODE_MALFORMED'],
  ['unknown session', '/call/echo', post('{}', `Toll ${GARBAGE_CALL}`), 'SESSION_UNKNOWN'],
  ['unknown service', '/call/nope', post('{}', `Toll ${GARBAGE_CALL}`), 'SERVICE_UNKNOWN'],
  ['strange path', '/call/%00..%2f', post('{}', `Toll ${GARBAGE_CALL}`), 'SERVICE_UNKNOWN'],
  ['not JSON', '/call/echo', post('{', `Toll ${GARBAGE_CALL}`), 'JSON_MALFORMED'],
  ['repeated key', '/call/echo', post('{"a":1,"a":2}', `Toll ${GARBAGE_CALL}`), 'JSON_MALFORMED'],
  [
    'no media type',
    '/call/echo',
    { method: 'POST', headers: { authorization: 'Toll x' } },
    'REQUEST_MEDIA',
  ],
  ['too large', '/rpc', post(`"${'x'.repeat(2 ** 20)}"`), 'REQUEST_TOO_LARGE'],
];

function post(body: string, authorization?: string): RequestInit {
  const headers = {
    'content-type': 'application/json',
    ...(authorization ? { authorization } : {}),
  };
  return { method: 'POST', body, headers };
}

for (const [what, path, init, code] of HTTP_CASES) {
  test(`HTTP, ${what}: ${code}`, async () => {
    const answer = await fetch(shop.url + path, init);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    const problem = (await answer.json()) as { code: string; status: number };
    assert.equal(problem.code, code);
    assert.equal(problem.status, answer.status);
  });
}

const RPC_CASES: readonly [what: string, body: unknown, code: string][] = [
  ['empty batch', [], 'REQUEST_MALFORMED'],
  ['long batch', Array.from({ length: 65 }, () => 1), 'REQUEST_TOO_LARGE'],
  ['number', 1, 'REQUEST_MALFORMED'],
  ['no method', { jsonrpc: '2.0', id: 1 }, 'REQUEST_MALFORMED'],
  ['unknown method', { jsonrpc: '2.0', id: 1, method: 'toll.nope' }, 'REQUEST_UNKNOWN'],
  ['no credential', { jsonrpc: '2.0', id: 1, method: 'echo', params: {} }, 'CODE_MISSING'],
  [
    'unknown service',
    { jsonrpc: '2.0', id: 1, method: 'nope', toll: GARBAGE_CALL },
    'SERVICE_UNKNOWN',
  ],
  [
    'garbage set-up',
    { jsonrpc: '2.0', id: 1, method: 'toll.setup', params: {} },
    'SETUP_MALFORMED',
  ],
  [
    'garbage question',
    { jsonrpc: '2.0', id: 1, method: 'toll.receipt', toll: 'a1.x' },
    'CODE_MALFORMED',
  ],
];

for (const [what, body, code] of RPC_CASES) {
  test(`JSON-RPC, ${what}: ${code}`, async () => {
    const answer = await fetch(`${shop.url}/rpc`, post(JSON.stringify(body)));
    const response = (await answer.json()) as { error: { code: number; data: { code: string } } };
    assert.equal(response.error.data.code, code);
    assert(Number.isInteger(response.error.code));
  });
}

test('JSON-RPC: each member of a batch has its own answer, a notification none', async () => {
  const batch = [
    { jsonrpc: '2.0', id: 'a', method: 'toll.describe' },
    { jsonrpc: '2.0', method: 'toll.describe' },
    { jsonrpc: '2.0', id: 2, method: 'toll.nope' },
    17,
  ];
  const answer = await fetch(`${shop.url}/rpc`, post(JSON.stringify(batch)));
  const list = (await answer.json()) as { id: unknown; error?: unknown }[];
  assert.deepEqual(
    list.map(({ id, error }) => [id, error !== undefined]),
    [
      ['a', false],
      [2, true],
      [null, true],
    ],
  );
});

const LAUNCHER = join(import.meta.dirname, '..', '..', 'bin', 'tollcall.mjs');

for (const args of [['nope'], ['demo', '--nope'], ['demo', 'extra'], ['--nope']]) {
  test(`command line '${args.join(' ')}': exit 2 and the way to help`, () => {
    const run = spawnSync(process.execPath, [LAUNCHER, ...args], { encoding: 'utf8' });
    assert.equal(run.status, 2);
    assert.match(run.stderr, /--help/);
    assert.equal(run.stdout, '');
  });
}

test('command line with --json: the problem is JSON', () => {
  const run = spawnSync(process.execPath, [LAUNCHER, 'demo', '--nope', '--json'], {
    encoding: 'utf8',
  });
  assert.equal(run.status, 2);
  const { problem } = JSON.parse(run.stdout) as { problem: { code: string } };
  assert(isFaultCode(problem.code));
});

test('after all of that nothing was booked', async () => {
  const sheet = await shop.books.sheet();
  assert.equal(sheet.receivedMsat, 0n);
  assert.equal(sheet.servedMsat, 0n);
});
