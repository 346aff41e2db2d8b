/**
 * What happens at each limit of the door, and its TLS, against real sockets.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { utf8 } from '../../base/bytes/index.ts';
import { silentLog } from '../../base/log/index.ts';
import type { HostRequest, HostResponse } from '../../host/index.ts';
import { openHttpDoor, type DoorAddress, type DoorLimits, type HttpDoor } from './index.ts';

type Handle = (request: HostRequest) => Promise<HostResponse>;

const hello: Handle = async () => ({ status: 200, headers: {}, body: utf8('hello') });

const FIXTURES = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures');
const certificate = (i: number) => ({
  cert: readFileSync(join(FIXTURES, `tls-cert-${i}.pem`), 'utf8'),
  key: readFileSync(join(FIXTURES, `tls-key-${i}.pem`), 'utf8'),
});

function openDoor(
  limits: Partial<DoorLimits>,
  handle: Handle = hello,
  at: Partial<DoorAddress> = {},
): Promise<HttpDoor> {
  return openHttpDoor({ handle }, { address: '127.0.0.1', port: 0, limits, ...at }, silentLog);
}

async function visit(door: HttpDoor, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: door.port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

function closed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (data) => (text += data.toString('latin1')));
  return new Promise((resolve) => {
    socket.on('close', () => resolve(text));
  });
}

/** Asks once, on a connection that stays. */
async function ask(socket: Socket): Promise<string> {
  socket.write(GET);
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString('latin1');
}

test('one connection too many of an address is cut, and nobody else', async () => {
  const door = await openDoor({ connectionsPerAddress: 2 });
  const first = await visit(door);
  const second = await visit(door);
  assert.match(await ask(first), /hello/);
  assert.match(await ask(second), /hello/);
  assert.equal(await closed(await visit(door)), '');
  assert.match(await ask(await visit(door, '127.0.0.2')), /hello/);
  second.destroy();
  await once(second, 'close');
  assert.match(await ask(first), /hello/);
  await door.close();
});

test('behind a proxy its one address may have all connections', async () => {
  const door = await openDoor({ connectionsPerAddress: 1 }, hello, { behindProxy: true });
  const visitors = [await visit(door), await visit(door), await visit(door)];
  for (const socket of visitors) assert.match(await ask(socket), /hello/);
  assert.equal(door.connections(), 3);
  await door.close();
});

test('a header or a body that does not come in time is answered 408', async () => {
  const limits = { headersTimeoutMs: 50, requestTimeoutMs: 100 };
  const door = await openDoor(limits);
  const halves = [
    '',
    'GET / HTTP/1.1\r\nhost',
    'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nab',
  ];
  for (const half of halves) {
    const socket = await visit(door);
    socket.write(half);
    assert.match(await closed(socket), /^(HTTP\/1\.1 408 [^]*)?$/);
  }
  assert.equal(door.connections(), 0);
  await door.close();
});

test('answers that nobody takes are bounded: who has waited longest is cut', async () => {
  const body = new Uint8Array(8 * 2 ** 20);
  const large: Handle = async () => ({ status: 200, headers: {}, body });
  const door = await openDoor({ parkedAnswerBytes: 2 * body.length }, large);
  const readers: Socket[] = [];
  for (const _ of [1, 2, 3]) {
    const socket = await visit(door);
    readers.push(socket.pause());
    socket.write(GET);
    await once(socket, 'readable');
  }
  const [first, ...others] = readers as [Socket, ...Socket[]];
  const size = async (socket: Socket): Promise<number> => (await closed(socket)).length;
  assert.ok((await size(first.resume())) < body.length);
  for (const socket of others) {
    const whole = size(socket.resume());
    socket.end();
    assert.ok((await whole) > body.length);
  }
  await door.close();
});

test('a reader who takes nothing, or too slowly, is cut', async () => {
  const body = new Uint8Array(16 * 2 ** 20);
  const large: Handle = async () => ({ status: 200, headers: {}, body });
  for (const limits of [{ answerIdleMs: 50 }, { answerTimeoutMs: 50 }]) {
    const door = await openDoor(limits, large);
    const socket = (await visit(door)).pause();
    socket.write(GET);
    await once(socket, 'readable');
    await door.close();
    assert.ok((await closed(socket.resume())).length < body.length);
  }
});

test('a door that closes lets an answer be taken', async () => {
  const body = new Uint8Array(16 * 2 ** 20);
  const door = await openDoor({}, async () => ({ status: 200, headers: {}, body }));
  const socket = (await visit(door)).pause();
  socket.write(GET);
  await once(socket, 'readable');
  const closing = door.close();
  assert.ok((await closed(socket.resume())).length > body.length);
  await closing;
});

test('a door that closes waits for its grace only', async () => {
  const entered = Promise.withResolvers<void>();
  const never: Handle = () => {
    entered.resolve();
    return new Promise(() => undefined);
  };
  const door = await openDoor({}, never);
  const socket = await visit(door);
  socket.write(GET);
  await entered.promise;
  await door.close(50);
  assert.equal(await closed(socket), '');
});

test('TLS off loopback, with a certificate that can be renewed', async () => {
  const door = await openDoor({}, hello, { address: '0.0.0.0', tls: certificate(0) });
  assert.match(door.url, /^https:/);
  const get = (i: number): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const options = { port: door.port, host: '127.0.0.1', ca: certificate(i).cert, agent: false };
      httpsRequest(options, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end();
    });
  assert.equal(await get(0), 200);
  await assert.rejects(get(1));
  const kept = connectTls({ port: door.port, host: '127.0.0.1', ca: certificate(0).cert });
  await once(kept, 'secureConnect');
  door.renew(certificate(1));
  assert.equal(await get(1), 200);
  await assert.rejects(get(0));
  assert.match(await ask(kept), /hello/);
  assert.throws(() => door.renew({ cert: 'no', key: 'pem' }), { code: 'CONFIG_INVALID' });
  assert.equal(await get(1), 200);
  await door.close();
  assert.ok(kept.destroyed || (await closed(kept)) === '');
});

test('a TLS door closes with handshakes half done and answers under way', async () => {
  const released = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const slow: Handle = async (request) => {
    entered.resolve();
    await released.promise;
    return hello(request);
  };
  const door = await openDoor({}, slow, { tls: certificate(0) });
  const half = await visit(door);
  const asked: TLSSocket = connectTls({
    port: door.port,
    host: '127.0.0.1',
    ca: certificate(0).cert,
  });
  await once(asked, 'secureConnect');
  asked.write(GET);
  await entered.promise;
  const answer = closed(asked);
  const closing = door.close();
  assert.equal(await closed(half), '');
  released.resolve();
  assert.match(await answer, /hello/);
  await closing;
});

test('a handshake that takes too long is cut; plain text is no handshake', async () => {
  const door = await openDoor({ headersTimeoutMs: 50 }, hello, { tls: certificate(0) });
  assert.equal(await closed(await visit(door)), '');
  const plain = await visit(door);
  plain.write(GET);
  assert.doesNotMatch(await closed(plain), /hello/);
  await door.close();
});

test('a certificate that does not fit its key is a problem of the configuration', async () => {
  const tls = { cert: certificate(0).cert, key: certificate(1).key };
  await assert.rejects(openDoor({}, hello, { tls }), { code: 'CONFIG_INVALID' });
});
