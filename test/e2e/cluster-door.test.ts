/**
 * The public door in several processes that share its port.
 * @module
 */
import assert from 'node:assert/strict';
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';

cluster.setupPrimary({ exec: join(import.meta.dirname, 'cluster-door-worker.ts') });
const workers: Worker[] = [];
after(async () => {
  for (const worker of workers) {
    const ended = once(worker, 'exit');
    worker.kill('SIGKILL');
    await ended;
  }
});

async function open(): Promise<URL> {
  const worker = cluster.fork();
  workers.push(worker);
  const [{ url }] = (await once(worker, 'message')) as [{ readonly url: string }];
  return new URL(url);
}

/** A connection that was served; undefined when it was closed instead. */
async function visit({ hostname, port }: URL): Promise<Socket | undefined> {
  const socket = connect(Number(port), hostname);
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  const answer = await new Promise<string | undefined>((resolve) => {
    socket.once('data', (data) => resolve(data.toString('latin1')));
    socket.on('error', () => undefined).once('close', () => resolve(undefined));
  });
  if (answer === undefined) return undefined;
  assert.match(answer, /\r\n\r\n127\.0\.0\.1$/);
  return socket;
}

test('one address, one port, and each process has its share of the connections', async () => {
  const [first, second] = [await open(), await open()];
  assert.equal(first.href, second.href);
  const sockets: Socket[] = [];
  for (let i = 0; i < 4; i++) sockets.push((await visit(first)) ?? assert.fail());
  // One too many is closed, not handed from one full process to the other.
  for (let i = 0; i < 4; i++) assert.equal(await visit(first), undefined);
  for (const socket of sockets) socket.destroy();
});
