/**
 * What a primary and a worker can rely on, over Node's IPC with a real process, and in memory.
 * @module
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Fault } from '../../src/base/fault/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { newLaneRow } from '../../src/pay/tick/index.ts';
import {
  MAX_ASKED,
  channelPair,
  linkPrimary,
  linkWorker,
  nodeChannel,
  type LanePlace,
  type PrimaryLink,
  type WorkerLink,
} from '../../src/port/workers/index.ts';
import { hex, terms as termsOf } from './store-fixtures.ts';
import { MANY, puppet } from './worker-puppet.ts';

/** A worker that has joined. */
interface Joined {
  readonly worker: WorkerLink;
  /** The primary is gone; resolves when the worker has ended. */
  readonly leave: () => Promise<void>;
}

type Connect = (t: TestContext, primary: PrimaryLink) => Promise<Joined>;

const ADAPTERS: Readonly<Record<string, Connect>> = {
  'in memory': async (_, primary) => {
    const { ends, cut } = channelPair();
    const [near, far] = ends;
    const gone = Promise.withResolvers<void>();
    const { primary: asked, serve } = linkPrimary(far, gone.resolve);
    serve(puppet(asked, cut));
    const link = linkWorker(near, 4);
    link.serve(primary);
    const leave = (): Promise<void> => {
      cut();
      return gone.promise;
    };
    return { worker: link.worker, leave };
  },
  'over IPC': async (t, primary) => {
    const file = new URL('./worker-process.ts', import.meta.url);
    const child = fork(file, { stdio: 'inherit', serialization: 'advanced' });
    const exit = once(child, 'exit');
    t.after(async () => {
      child.kill('SIGKILL');
      await exit;
    });
    const link = linkWorker(nodeChannel(child, 'lanes'), 4);
    link.serve(primary);
    await once(child, 'message');
    const leave = async (): Promise<void> => {
      child.disconnect();
      assert.deepEqual(await exit, [3, null], 'the worker has ended by itself');
    };
    return { worker: link.worker, leave };
  },
};

/** A primary that notes what it is asked. */
function noting(): { readonly primary: PrimaryLink; readonly notes: unknown[] } {
  const notes: unknown[] = [];
  const primary: PrimaryLink = {
    take: async (lane) => {
      if (lane === 'closed') throw new Fault('LANE_CLOSED', { lane, index: 5 });
      return placeOf(lane);
    },
    fold: async (fold) => void notes.push(fold),
    storedLaneAnswer: async () => undefined,
    release: (lanes) => notes.push(...lanes),
  };
  return { primary, notes };
}

function placeOf(lane: string): LanePlace {
  const anchor = new Uint8Array([1, 2, 255]);
  const session = hex(1, 16);
  const terms = { lane, session, place: 0, anchor, length: 9, unitMsat: msat(7) };
  const row = { ...newLaneRow(terms), epoch: Number.parseInt(lane, 16) };
  return { kind: 'here', row, terms: termsOf(1) };
}

for (const [name, connect] of Object.entries(ADAPTERS)) {
  test(`${name}: byte strings, numbers and bigints cross`, async (t) => {
    const { primary, notes } = noting();
    const { worker } = await connect(t, primary);
    assert.equal(worker.worker, 4);
    await worker.flush('take');
    assert.deepEqual(notes, [{ images: new Uint8Array([1, 2, 255, 1]), through: 0xaa }]);
  });

  test(`${name}: a fault crosses with its facts, both ways`, async (t) => {
    const { worker } = await connect(t, noting().primary);
    const fault = { name: 'Fault', code: 'LANE_CLOSED', facts: { lane: 'closed', index: 5 } };
    await assert.rejects(worker.flush('refused'), fault);
    await worker.flush('take');
  });

  test(`${name}: what was said before an answer is there before it`, async (t) => {
    const { primary, notes } = noting();
    const { worker } = await connect(t, primary);
    await worker.close('bb');
    assert.deepEqual(notes, [{ lane: 'bb', epoch: 1 }]);
    await worker.flush('many');
    assert.equal(notes.length, 1 + MANY);
    assert.deepEqual(notes.at(-1), { lane: `${MANY - 1}`, epoch: 0x499 });
  });

  test(`${name}: when the worker ends, who waits is told, and who asks later`, async (t) => {
    const { worker } = await connect(t, noting().primary);
    const waiting = worker.flush('hang');
    const dying = worker.flush('die');
    await assert.rejects(waiting, { code: 'HOST_STOPPING' });
    await assert.rejects(dying, { code: 'HOST_STOPPING' });
    await assert.rejects(worker.close('bb'), { code: 'HOST_STOPPING' });
  });

  test(`${name}: when the primary ends, the worker does`, async (t) => {
    const { worker, leave } = await connect(t, noting().primary);
    const waiting = worker.flush('hang');
    waiting.catch(() => undefined);
    await leave();
    await assert.rejects(waiting, { code: 'HOST_STOPPING' });
  });

  test(`${name}: there is an end to what waits`, async (t) => {
    const { worker } = await connect(t, noting().primary);
    const waiting = Array.from({ length: MAX_ASKED }, () => worker.flush('hang'));
    for (const one of waiting) one.catch(() => undefined);
    await assert.rejects(worker.flush('take'), { code: 'CALL_BUSY' });
  });
}

test('over IPC: a worker that is killed before it took a socket has ended', async (t) => {
  const file = new URL('./worker-process.ts', import.meta.url);
  const child = fork(file, { stdio: 'inherit', serialization: 'advanced' });
  const exit = once(child, 'exit');
  const { worker } = linkWorker(nodeChannel(child, 'lanes'), 4);
  await once(child, 'message');
  child.kill('SIGSTOP');
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  child.send('yours', server);
  const waiting = worker.flush('take');
  child.kill('SIGKILL');
  await exit;
  await assert.rejects(waiting, { code: 'HOST_STOPPING' });
});
