/**
 * The net port against real sockets: what arrived for certain, what nobody knows.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { utf8, fromUtf8 } from '../../base/bytes/index.ts';
import { openNet, type NetRequest } from './index.ts';
import { MAX_ANSWER_BYTES } from './limits.ts';

const net = openNet();
const servers: Server[] = [];
const sockets = new Set<Socket>();
after(async () => {
  await net.close();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

const UNREACHABLE = { code: 'HOST_UNREACHABLE' };
const UNANSWERED = { code: 'CALL_UNANSWERED' };
const MALFORMED = { code: 'HOST_MALFORMED' };
const LONG_MS = 60_000;

/** A server that does with each connection, after its first bytes, what the test says. */
async function serve(act: (socket: Socket, request: string) => void): Promise<string> {
  return listen(createServer((socket) => meet(socket, act)));
}

function meet(socket: Socket, act: (socket: Socket, request: string) => void): void {
  sockets.add(socket);
  socket.on('error', () => undefined);
  socket.once('data', (data) => act(socket, data.toString('latin1')));
}

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function get(url: string, more: Partial<NetRequest> = {}): NetRequest {
  return { method: 'GET', url, headers: {}, timeoutMs: LONG_MS, ...more };
}

test('an answer comes back whatever its status, with names in lower case', async () => {
  const url = await serve((socket) => {
    const head =
      'HTTP/1.1 402 Payment Required\r\nX-One: a\r\nx-one: b\r\nContent-Length: 2\r\n\r\n';
    socket.write(`${head}ok`);
  });
  const answer = await net.send(get(url));
  assert.equal(answer.status, 402);
  assert.equal(answer.headers['x-one'], 'a, b');
  assert.equal(fromUtf8(answer.body, 'body'), 'ok');
});

test('a request carries its method, path, headers and body', async () => {
  let seen = '';
  const url = await serve((socket, request) => {
    seen = request;
    socket.write('HTTP/1.1 204 No Content\r\n\r\n');
  });
  const headers = { 'content-type': 'application/json', authorization: 'Toll b1.x' };
  const answer = await net.send(
    get(`${url}/rpc`, { method: 'POST', headers, body: utf8('{"a":1}') }),
  );
  assert.equal(answer.body.length, 0);
  assert.match(seen, /^POST \/rpc HTTP\/1\.1\r\n/);
  assert.match(seen, /\r\nauthorization: Toll b1\.x\r\n/);
  assert.match(seen, /\r\ncontent-length: 7\r\n/);
  assert.match(seen, /\r\n\r\n\{"a":1\}$/);
});

test('a redirect is an answer, not followed', async () => {
  const url = await serve((socket) => {
    socket.write(
      'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n',
    );
  });
  assert.equal((await net.send(get(url))).status, 302);
});

test('a refused connection and an address that is none carried nothing', async () => {
  const server = createServer();
  const url = await listen(server);
  server.close();
  await once(server, 'close');
  for (const bad of [url, 'http://', 'ftp://127.0.0.1/', 'nonsense']) {
    await assert.rejects(net.send(get(bad)), UNREACHABLE, bad);
  }
  const line = { headers: { 'x-a': 'b\r\nx-c: d' } };
  await assert.rejects(net.send(get(url, line)), UNREACHABLE);
});

test('a host that does not speak TLS where it should carried nothing', async () => {
  const url = await serve((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await assert.rejects(net.send(get(url.replace('http', 'https'))), UNREACHABLE);
});

test('after a reset nobody knows what arrived', async () => {
  const url = await serve((socket) => socket.resetAndDestroy());
  await assert.rejects(net.send(get(url)), UNANSWERED);
});

test('an answer that stops half-way is none', async () => {
  const starts = [
    '',
    'HTTP/1.1 200',
    'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123',
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n12345',
    'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n',
  ];
  for (const start of starts) {
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const url = await serve((socket) => socket.write(start, () => socket[leave]()));
      await assert.rejects(net.send(get(url)), UNANSWERED, `${leave} after ${start}`);
    }
  }
});

test('time runs out before the head, and in the middle of the body', async () => {
  for (const start of ['HTTP/1.1 2', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345']) {
    const url = await serve((socket) => socket.write(start));
    await assert.rejects(net.send(get(url, { timeoutMs: 30 })), UNANSWERED);
  }
});

test('the caller can give up, before and while the host thinks', async () => {
  const abort = new AbortController();
  const url = await serve(() => abort.abort());
  await assert.rejects(net.send(get(url, { signal: abort.signal })), UNANSWERED);
  await assert.rejects(net.send(get(url, { signal: AbortSignal.abort() })), UNANSWERED);
});

test('what is not HTTP is a malformed host', async () => {
  const answers = [
    'SSH-2.0-OpenSSH_9.6\r\n\r\n',
    'HTTP/9.9 200 OK\r\n\r\n',
    'HTTP/1.1 abc OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'HTTP/1.1 200 OK\r\nbad header\r\n\r\n',
    `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`,
  ];
  for (const answer of answers) {
    const url = await serve((socket) => socket.end(answer));
    await assert.rejects(net.send(get(url)), MALFORMED, answer.slice(0, 60));
  }
});

test('an answer that is too large is refused, announced or not', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 0x61);
  const chunks = MAX_ANSWER_BYTES / chunk.length + 1;
  const heads = [`Content-Length: ${chunks * chunk.length}`, 'Connection: close'];
  for (const head of heads) {
    const url = await serve((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`);
      for (let i = 0; i < chunks; i++) socket.write(chunk);
      socket.end();
    });
    await assert.rejects(net.send(get(url)), MALFORMED);
  }
});

test('the largest answer that is allowed arrives whole', async () => {
  const body = Buffer.alloc(MAX_ANSWER_BYTES, 0x61);
  const url = await serve((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.end(body);
  });
  assert.equal((await net.send(get(url))).body.length, MAX_ANSWER_BYTES);
});

test('a closed pool sends nothing and leaves nothing waiting', async () => {
  const other = openNet();
  const url = await serve(() => void other.close());
  await assert.rejects(other.send(get(url)), UNANSWERED);
  await assert.rejects(other.send(get(url)));
});
