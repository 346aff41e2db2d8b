/**
 * What passes from a public door through a passage to an inner door, and what does not.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { utf8 } from '../../base/bytes/index.ts';
import { silentLog } from '../../base/log/index.ts';
import type { Host, HostRequest, HostResponse } from '../../host/index.ts';
import { openHttpDoor, openInnerDoor, openPassage, type OpenPassage } from './index.ts';

const DIR = mkdtempSync(join(tmpdir(), 'tollcall-'));
after(() => rmSync(DIR, { recursive: true }));
let sockets = 0;

type Handle = Host['handle'];
const hello: Handle = async () => ({ status: 200, headers: {}, body: utf8('hello') });

function newPath(): string {
  return join(DIR, `${++sockets}`, 'host.sock');
}

/** An inner door and the way to it. */
async function openBoth(t: TestContext, handle: Handle, path = newPath()): Promise<OpenPassage> {
  const inner = await openInnerDoor({ handle }, { path }, silentLog);
  const passage = openPassage(path);
  t.after(async () => {
    await passage.close();
    await inner.close(0);
  });
  return passage;
}

function ask(changed: Partial<HostRequest> = {}): HostRequest {
  const asked = { method: 'GET', path: '/', body: new Uint8Array(0), address: '192.0.2.1', via: 7 };
  return { ...asked, header: () => undefined, ...changed };
}

/** All that a host sees of a request. */
function seenOf(request: HostRequest): object {
  const { method, path, body, address, via, header } = request;
  const [accept, authorization] = [header('accept'), header('authorization')];
  return {
    method,
    path,
    body: Buffer.from(body).toString('latin1'),
    address,
    via,
    accept,
    authorization,
  };
}

test('a request arrives as it came, with who sent it', async (t) => {
  const seen: object[] = [];
  const passage = await openBoth(t, (request) => {
    seen.push(seenOf(request));
    return hello(request);
  });
  const header: HostRequest['header'] = (name) => (name === 'accept' ? 'a/b, c\xe9' : undefined);
  const body = Buffer.from([0, 255, 10]);
  await passage.send(ask({ method: 'POST', path: '/call/../x%20', body, header }), 10_000);
  await passage.send(ask({ method: 'DELETE', address: '2001:db8:0:1::', via: 0 }), 10_000);
  assert.deepEqual(seen, [
    {
      method: 'POST',
      path: '/call/../x%20',
      body: '\0\xff\n',
      address: '192.0.2.1',
      via: 7,
      accept: 'a/b, c\xe9',
      authorization: undefined,
    },
    {
      method: 'DELETE',
      path: '/',
      body: '',
      address: '2001:db8:0:1::',
      via: 0,
      accept: undefined,
      authorization: undefined,
    },
  ]);
});

test('an answer comes back as it was given', async (t) => {
  const empty = new Uint8Array(0);
  const large = new Uint8Array(4 * 2 ** 20).fill(7);
  const answers: HostResponse[] = [
    { status: 200, headers: { etag: '"a"', link: '<a>, <b>', 'x-a': '\xe9' }, body: utf8('a') },
    { status: 204, headers: {}, body: empty },
    { status: 304, headers: { etag: '"a"' }, body: empty },
    { status: 302, headers: { location: '/elsewhere' }, body: empty },
    { status: 503, headers: { allow: 'GET' }, body: large },
  ];
  const passage = await openBoth(
    t,
    async ({ path }) => answers[Number(path.slice(1))] ?? hello(ask()),
  );
  for (const [i, expected] of answers.entries()) {
    const { status, headers, body } = await passage.send(ask({ path: `/${i}` }), 10_000);
    assert.deepEqual({ status, headers }, { status: expected.status, headers: expected.headers });
    assert.ok(Buffer.from(body).equals(expected.body));
  }
});

test('what a visitor says of itself is not believed, nor passed on', async (t) => {
  const seen: object[] = [];
  const passage = await openBoth(t, (request) => {
    seen.push(seenOf(request));
    return hello(request);
  });
  const worker: Handle = (request) => {
    seen.push(seenOf(request));
    return passage.send({ ...request, via: 2 }, 10_000);
  };
  for (const behindProxy of [false, true]) {
    const at = { address: '127.0.0.1', port: 0, behindProxy };
    const door = await openHttpDoor({ handle: worker }, at, silentLog);
    const headers = [
      ['host', 'a'],
      ['tollcall-via', '9'],
      ['tollcall-via', '9'],
      ['Tollcall-Address', '192.0.2.66'],
      ['tollcall-address', '192.0.2.67'],
    ];
    const sent = httpRequest({ port: door.port, path: '/', headers: headers.flat(), agent: false });
    const [answer] = (await once(sent.end(), 'response')) as [{ resume(): void }];
    answer.resume();
    await door.close(0);
  }
  const own = { method: 'GET', path: '/', body: '', accept: undefined, authorization: undefined };
  const [came, passed] = [
    { ...own, address: '127.0.0.1', via: undefined },
    { ...own, address: '127.0.0.1', via: 2 },
  ];
  assert.deepEqual(seen, [came, passed, came, passed]);
});

/** A frame of these parts; `cut` bytes of it are left out. */
function frame(
  head: string,
  changed: { size?: number; headSize?: number; cut?: number } = {},
): Buffer {
  const text = Buffer.from(head);
  const { size = 8 + text.length, headSize = text.length, cut = 0 } = changed;
  const prefix = Buffer.alloc(12);
  prefix.writeUInt32BE(size, 0);
  prefix.writeUInt32BE(headSize, 8);
  return Buffer.concat([prefix, text]).subarray(0, 12 + text.length - cut);
}

const HEAD = '["GET","/","192.0.2.1",1,null,null,null,null]';

test('what makes no sense ends the line, and nothing else', async (t) => {
  const path = newPath();
  let asked = 0;
  const count: Handle = (request) => {
    asked++;
    return hello(request);
  };
  const passage = await openBoth(t, count, path);
  const garbage = [
    Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'),
    Buffer.alloc(12),
    frame(HEAD, { size: 2 ** 32 - 1 }),
    frame(HEAD, { headSize: HEAD.length + 1 }),
    frame('{'),
    frame('null'),
    frame('{"length":8}'),
    frame('["GET","/","192.0.2.1",1]'),
    frame('["GET","/","192.0.2.1","1",null,null,null,null]'),
    frame('["GET","/",null,1,null,null,null,null]'),
    frame('["GET","/","192.0.2.1",1,null,null,null,7]'),
    frame('[["GET"],"/","192.0.2.1",1,null,null,null,null]'),
  ];
  for (const bytes of garbage) {
    const socket = connect(path);
    const closed = once(socket, 'close');
    socket.on('error', () => undefined).resume();
    socket.write(bytes);
    await closed;
  }
  const half = connect(path);
  half.end(frame(HEAD, { cut: 5 })).resume();
  await once(half, 'close');
  assert.equal(asked, 0);
  assert.equal((await passage.send(ask(), 10_000)).status, 200);
});

test('requests in pieces, and many in one piece', async (t) => {
  const path = newPath();
  await openBoth(t, hello, path);
  const socket = connect(path);
  t.after(() => socket.destroy());
  const answers: Buffer[] = [];
  socket.on('data', (data) => answers.push(data));
  const one = frame(HEAD);
  for (const byte of one) socket.write(Buffer.from([byte]));
  socket.write(Buffer.concat([one, one, one.subarray(0, 20)]));
  socket.write(one.subarray(20));
  const answer = Buffer.from('[200,{}]hello');
  const expected = 4 * (12 + answer.length);
  while (Buffer.concat(answers).length < expected) await once(socket, 'data');
  const all = Buffer.concat(answers);
  assert.equal(all.length, expected);
  assert.ok(all.subarray(12, 12 + answer.length).equals(answer));
});

test('a process that answers nonsense is not believed', async (t) => {
  for (const said of ['x', '[200]', '["200",{}]', '[200,null]', '{}']) {
    const path = newPath();
    mkdirSync(dirname(path));
    const server = createServer((socket) => {
      socket.on('data', () => socket.write(frame(said)));
    });
    const sockets: Socket[] = [];
    server.on('connection', (socket: Socket) => sockets.push(socket));
    server.listen(path);
    await once(server, 'listening');
    const passage = openPassage(path);
    t.after(async () => {
      await passage.close();
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    // It is the answer to number 0, and ours is number 1: nonsense ends the line all the same.
    await assert.rejects(passage.send(ask(), 10_000), { code: 'CALL_UNANSWERED' }, said);
  }
});

test('the directory is closed to others, a socket that was left there is replaced', async (t) => {
  const path = newPath();
  const inner = await openInnerDoor({ handle: hello }, { path }, silentLog);
  const mode = (of: string): number => statSync(of).mode & 0o777;
  assert.deepEqual([mode(dirname(path)), mode(path)], [0o700, 0o600]);
  await inner.close(0);
  assert.ok(!existsSync(path));
  writeFileSync(path, 'left behind');
  chmodSync(dirname(path), 0o755);
  const passage = await openBoth(t, hello, path);
  assert.equal((await passage.send(ask(), 10_000)).status, 200);
  assert.equal(mode(dirname(path)), 0o700);
});

test('a path that is too long, or in the place of something else', async () => {
  const long = join(DIR, 'x'.repeat(108));
  const taken = join(DIR, 'a file');
  writeFileSync(taken, '');
  for (const path of [long, join(taken, 'host.sock')]) {
    await assert.rejects(openInnerDoor({ handle: hello }, { path }, silentLog), {
      code: 'CONFIG_INVALID',
    });
  }
});

test('a door that closes lets requests under way be answered', async (t) => {
  const path = newPath();
  const [entered, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let waiting = 0;
  const slow: Handle = async (request) => {
    if (++waiting === 3) entered.resolve();
    await opened.promise;
    return hello(request);
  };
  const inner = await openInnerDoor({ handle: slow }, { path }, silentLog);
  const passages = [openPassage(path), openPassage(path), openPassage(path)];
  t.after(async () => {
    for (const passage of passages) await passage.close();
  });
  const asked = passages.map((passage) => passage.send(ask(), 10_000));
  await entered.promise;
  assert.equal(inner.connections(), 3);
  const closing = inner.close();
  opened.resolve();
  for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
  await closing;
  assert.ok(!existsSync(path));
});

test('nobody is there, or leaves before the answer', async (t) => {
  const path = newPath();
  const passage = openPassage(path);
  t.after(() => passage.close());
  await assert.rejects(passage.send(ask(), 10_000), { code: 'HOST_UNREACHABLE' });
  const entered = Promise.withResolvers<void>();
  const never: Handle = () => {
    entered.resolve();
    return new Promise(() => undefined);
  };
  const inner = await openInnerDoor({ handle: never }, { path }, silentLog);
  const cut = assert.rejects(passage.send(ask(), 10_000), { code: 'CALL_UNANSWERED' });
  await entered.promise;
  await inner.close(0);
  await cut;
  await assert.rejects(passage.send(ask(), 10_000), { code: 'HOST_UNREACHABLE' });
  const again = await openInnerDoor({ handle: hello }, { path }, silentLog);
  assert.equal((await passage.send(ask(), 10_000)).status, 200);
  await again.close(0);
});

test('an answer that does not come in time is none; a passage that closes neither', async (t) => {
  const passage = await openBoth(t, () => new Promise(() => undefined));
  await assert.rejects(passage.send(ask(), 20), { code: 'CALL_UNANSWERED' });
  const cut = assert.rejects(passage.send(ask(), 10_000), { code: 'CALL_UNANSWERED' });
  await passage.close();
  await cut;
});

test('as many requests at once as there may be calls; one more is not sent', async (t) => {
  let waiting = 0;
  const [all, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const passage = await openBoth(t, async (request) => {
    if (++waiting === 1024) all.resolve();
    await opened.promise;
    return hello(request);
  });
  const sent = Array.from({ length: 1024 }, () => passage.send(ask(), 60_000));
  await assert.rejects(passage.send(ask(), 10_000), { code: 'CALL_BUSY' });
  await all.promise;
  opened.resolve();
  for (const { status } of await Promise.all(sent)) assert.equal(status, 200);
  assert.equal((await passage.send(ask(), 10_000)).status, 200);
});
