/**
 * Kills a process that commits, forty times: what it had acknowledged is there.
 * @module
 */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { seededRandom } from '../../src/base/random/index.ts';
import type { Progress } from './spend-log-victim.ts';
import { directory } from './store-fixtures.ts';

const KILLS = 40;

interface Said {
  readonly problems?: readonly string[];
  readonly progress: Progress;
}

test('what was acknowledged is there after forty kills', async (t) => {
  const dir = directory(t);
  const random = seededRandom(7);
  const children = new Set<ChildProcess>();
  t.after(() => children.forEach((child) => child.kill('SIGKILL')));
  const load = (): { child: ChildProcess; loaded: Promise<unknown> } => {
    const child = fork(new URL('./spend-log-victim.ts', import.meta.url), [join(dir, 'host.db')], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(dir, 'code') },
    });
    children.add(child);
    return { child, loaded: once(child, 'message') };
  };
  let next = load();
  const acknowledged = { lanes: [0, 0, 0, 0], session: 0 };
  let commits = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, loaded } = next;
    await loaded;
    next = load();
    const said: Said[] = [];
    const enough = 1 + random.below(20);
    const over = once(child, 'exit');
    child.on('message', (message: Said) => {
      said.push(message);
      if (said.length > enough) child.kill('SIGKILL');
    });
    child.send('begin');
    await over;
    assert.equal(child.signalCode, 'SIGKILL', 'it did not end by itself');
    children.delete(child);
    assert.deepEqual(said[0]?.problems, []);
    const { lanes, session } = said[0].progress;
    assert.ok(lanes.every((version, i) => version >= (acknowledged.lanes[i] ?? 0)));
    assert.ok(session >= acknowledged.session);
    acknowledged.lanes = [...(said.at(-1)?.progress.lanes ?? [])];
    acknowledged.session = Math.max(...said.map(({ progress }) => progress.session));
    commits += said.length - 1;
  }
  assert.ok(commits >= KILLS);
});
