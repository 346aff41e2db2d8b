/**
 * The HTTP door against real sockets: nothing a client does breaks or holds it.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { utf8 } from '../../base/bytes/index.ts';
import { openLog, silentLog } from '../../base/log/index.ts';
import { HOST_LIMITS, type HostRequest, type HostResponse } from '../../host/index.ts';
import { openHttpDoor, type HttpDoor } from './index.ts';
import { DOOR_LIMITS } from './limits.ts';

type Handle = (request: HostRequest) => Promise<HostResponse>;
const LOOPBACK = { address: '127.0.0.1', port: 0 };
const MIB = Buffer.alloc(HOST_LIMITS.bodyBytes, 0x61);

/** Says what it was asked. */
async function echo(request: HostRequest): Promise<HostResponse> {
  const { method, path, body, address } = request;
  const text = [method, path, request.header('accept') ?? '-', body.length, address].join(' ');
  return { status: 200, headers: { 'content-type': 'text/plain' }, body: utf8(text) };
}

const door = await openHttpDoor({ handle: echo }, LOOPBACK, silentLog);
after(() => door.close());

/** Sends parts on a connection of its own; gives all that came back until it was closed. */
async function talk(parts: readonly (string | Buffer)[], at = door): Promise<string> {
  const socket = await visit(at);
  for (const part of parts) socket.write(part);
  return answerOn(socket);
}

async function visit(at: HttpDoor): Promise<Socket> {
  const socket = connect(at.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

function answerOn(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (data) => (text += data.toString('latin1')));
  socket.on('error', () => undefined); // a reset while we still send
  return new Promise((resolve) => {
    socket.on('close', () => resolve(text));
  });
}

function request(line: string, headers: Readonly<Record<string, string>> = {}): string {
  const all = { host: 'a', connection: 'close', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

test('behind a proxy, who asks is the last address that it forwarded', async () => {
  const seen: string[] = [];
  const handle: Handle = async ({ address }) => {
    seen.push(address);
    return { status: 204, headers: {}, body: new Uint8Array(0) };
  };
  for (const behindProxy of [false, true]) {
    const at = { address: '127.0.0.1', port: 0, behindProxy };
    const door = await openHttpDoor({ handle }, at, silentLog);
    for (const header of ['203.0.113.9, 198.51.100.7', 'garbage']) {
      await fetch(door.url, { headers: { 'x-forwarded-for': header } });
    }
    await door.close();
  }
  assert.deepEqual(seen, ['127.0.0.1', '127.0.0.1', '198.51.100.7', '127.0.0.1']);
});

test('a request reaches the host with method, path, headers, body and address', async () => {
  const head = request('POST /call/x?token=1&b', { 'content-length': '5', Accept: 'yes' });
  const answer = await talk([head, 'hello']);
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(answer, /\r\ncontent-type: text\/plain\r\n/);
  assert.match(answer, /\r\n\r\nPOST \/call\/x yes 5 127\.0\.0\.1$/);
});

test('a target may name its origin; another scheme is for the host to refuse', async () => {
  const target = async (text: string): Promise<string | undefined> =>
    / (\S+) - 0 /.exec(await talk([request(`GET ${text}`)]))?.[1];
  assert.equal(await target('http://evil.example/call/x?a=http://b/c'), '/call/x');
  assert.equal(await target('HTTPS://user:pass@evil.example:1/rpc'), '/rpc');
  assert.equal(await target('//evil.example/rpc'), '//evil.example/rpc');
  assert.equal(await target('ftp://evil.example/rpc'), 'ftp://evil.example/rpc');
});

test('what a proxy could read in another way is refused, and the connection closed', async () => {
  const chunk = '3\r\nabc\r\n0\r\n\r\n';
  const odd: readonly Readonly<Record<string, string>>[] = [
    { 'content-length': '3', 'transfer-encoding': 'chunked' },
    { 'content-length': '3', 'Content-Length': '3' },
    { 'content-length': '3', 'Content-Length': '4' },
    { 'content-length': '+3' },
    { 'content-length': '-3' },
    { 'content-length': '3e0' },
    { 'content-length': '99999999999999999999' },
    { 'transfer-encoding': 'xchunked' },
    { 'transfer-encoding': 'chunked, identity' },
    { 'x-folded': 'a\r\n b' },
    { 'x-zero': 'a\0b' },
  ];
  for (const headers of odd) {
    const head = request('POST /', { connection: 'keep-alive', ...headers });
    const answer = await talk([head, chunk]);
    assert.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(headers));
    assert.doesNotMatch(answer, /POST/);
  }
  const bare = await talk([request('POST /', { connection: 'keep-alive' }).replaceAll('\r', '')]);
  assert.match(bare, /^HTTP\/1\.1 400 /);
});

test('methods are for the host to judge; HEAD gets no body', async () => {
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    assert.match(await talk([request(`${method} /a`)]), new RegExp(`\r\n\r\n${method} /a - 0 `));
  }
  assert.match(await talk([request('HEAD /a')]), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/);
});

test('one connection carries one request after the other', async () => {
  const keep = { connection: 'keep-alive' };
  const answer = await talk([request('GET /1', keep), request('GET /2', keep), request('GET /3')]);
  assert.deepEqual(
    [...answer.matchAll(/GET \/(\d)/g)].map((match) => match[1]),
    ['1', '2', '3'],
  );
});

test('a chunked body is put together', async () => {
  const head = request('POST /', { 'transfer-encoding': 'chunked' });
  assert.match(await talk([head, '3\r\nabc\r\n', '2\r\nde\r\n0\r\n\r\n']), /POST \/ - 5 /);
});

test('a body of the largest size is taken', async () => {
  const announced = request('POST /', { 'content-length': `${MIB.length}` });
  assert.match(await talk([announced, MIB]), /POST \/ - 1048576 /);
});

test('a larger body, announced or not, is a problem and the end of the connection', async () => {
  const announced = request('POST /', {
    'content-length': `${MIB.length + 1}`,
    connection: 'keep-alive',
  });
  const chunked = request('POST /', { 'transfer-encoding': 'chunked', connection: 'keep-alive' });
  const chunks = ['100000\r\n', MIB, '\r\n', '100000\r\n', MIB, '\r\n0\r\n\r\n'];
  for (const parts of [
    [announced],
    [announced, MIB, 'a'],
    [chunked, ...chunks],
    [chunked, ...chunks.slice(0, 5)],
  ]) {
    const answer = await talk(parts);
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /\r\ncontent-type: application\/problem\+json\r\n/);
    assert.match(answer, /\r\nconnection: close\r\n/);
    assert.match(answer, /"code":"REQUEST_TOO_LARGE"/);
  }
});

test('what is not HTTP is answered by 400, too many headers by 431, without the host', async () => {
  const bad = [
    'GARBAGE\r\n\r\n',
    '\x16\x03\x01\x00\xa5',
    'GET / HTTP/9.9\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    request('GET /', { 'content-length': 'many' }),
    request('GET /', { 'content-length': '-1' }),
    request('POST /', { 'content-length': '1', 'transfer-encoding': 'chunked' }),
    `${request('POST /', { 'transfer-encoding': 'chunked' })}zz\r\n`,
    'GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n',
  ];
  for (const text of bad) assert.match(await talk([text]), /^HTTP\/1\.1 400 /, text);
  const large = request('GET /', { 'x-large': 'a'.repeat(DOOR_LIMITS.headerBytes) });
  assert.match(await talk([large]), /^HTTP\/1\.1 431 /);
});

test('a tunnel is not opened', async () => {
  assert.doesNotMatch(await talk([request('CONNECT a:1')]), / 200 /);
  const upgrade = request('GET /', { connection: 'upgrade, close', upgrade: 'websocket' });
  assert.match(await talk([upgrade]), /^HTTP\/1\.1 200 [^]*GET \/ - 0/);
});

test('who leaves in the middle of a request has asked nothing, and is no error', async () => {
  const lines: string[] = [];
  const asked: string[] = [];
  const handle: Handle = async (request) => {
    asked.push(request.path);
    return echo(request);
  };
  const own = await openHttpDoor(
    { handle },
    LOOPBACK,
    openLog('debug', (line) => lines.push(line)),
  );
  const halves = [
    `${request('POST /half', { 'content-length': '10' })}abc`,
    `${request('POST /half', { 'transfer-encoding': 'chunked' })}5\r\nab`,
    'POST /half HTT',
    '',
  ];
  for (const half of halves) {
    for (const leave of ['destroy', 'resetAndDestroy'] as const) {
      const socket = await visit(own);
      await new Promise((sent) => socket.write(half || '\r\n', sent));
      socket[leave]();
    }
  }
  assert.match(await talk([request('GET /after')], own), /GET \/after/);
  await own.close();
  assert.deepEqual([asked, lines], [['/after'], []]);
});

test('who leaves before the answer does not disturb the host', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const handle: Handle = async (request) => {
    enter();
    await released;
    return echo(request);
  };
  const own = await openHttpDoor({ handle }, LOOPBACK, silentLog);
  const socket = await visit(own);
  socket.write(request('GET /slow'));
  await entered;
  socket.resetAndDestroy();
  release();
  assert.match(await talk([request('GET /next')], own), /GET \/next/);
  await own.close();
});

test('an answer that cannot be written is logged and cuts its connection only', async () => {
  const lines: string[] = [];
  const handle: Handle = async (request) => {
    if (request.path === '/throw') throw new Error('hunter2');
    return { status: 200, headers: { 'x-bad': 'a\r\nb: c' }, body: new Uint8Array(0) };
  };
  const own = await openHttpDoor(
    { handle },
    LOOPBACK,
    openLog('debug', (line) => lines.push(line)),
  );
  assert.equal(await talk([request('GET /throw')], own), '');
  assert.equal(await talk([request('GET /split')], own), '');
  assert.equal(lines.length, 2);
  assert.doesNotMatch(lines.join(), /hunter2/);
  await own.close();
});

test('204 has neither body nor length', async () => {
  const handle: Handle = async () => ({ status: 204, headers: {}, body: new Uint8Array(0) });
  const own = await openHttpDoor({ handle }, LOOPBACK, silentLog);
  const answer = await talk([request('POST /rpc', { 'content-length': '0' })], own);
  assert.match(answer, /^HTTP\/1\.1 204 /);
  assert.doesNotMatch(answer, /content-length|transfer-encoding/i);
  await own.close();
});

test('closing answers what is under way and waits for nobody who is idle or slow', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const handle: Handle = async (request) => {
    if (request.path === '/slow') {
      enter();
      await released;
    }
    return echo(request);
  };
  const own = await openHttpDoor({ handle }, LOOPBACK, silentLog);
  const keep = { connection: 'keep-alive' };
  const others = [
    '',
    'GET / HT',
    `${request('POST /', { 'content-length': '9' })}ab`,
    request('GET /', keep),
  ];
  const waiting: Promise<string>[] = [];
  for (const text of others) {
    const socket = await visit(own);
    socket.write(text);
    waiting.push(answerOn(socket));
  }
  const served = talk([request('GET /slow', keep)], own);
  await entered;
  const closed = own.close();
  release();
  assert.match(await served, /GET \/slow/);
  await closed;
  await Promise.all(waiting);
  await assert.rejects(visit(own), { code: 'ECONNREFUSED' });
});

test('plain HTTP is for loopback only', async () => {
  const far = [
    '0.0.0.0',
    '::',
    '192.168.0.1',
    'example.com',
    '127.0.0.1.example.com',
    '',
    '128.0.0.1',
  ];
  for (const address of far) {
    const opening = openHttpDoor({ handle: echo }, { address, port: 0 }, silentLog);
    await assert.rejects(opening, { code: 'CONFIG_INVALID' }, address);
  }
});

test('a port that is taken is a problem of the configuration', async () => {
  const taken = openHttpDoor(
    { handle: echo },
    { address: '127.0.0.1', port: door.port },
    silentLog,
  );
  await assert.rejects(taken, {
    code: 'CONFIG_INVALID',
    facts: { port: door.port, problem: 'address in use' },
  });
});
