/** What a host keeps does not grow with the calls that it has answered. @module */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

/** Half a kilobyte for each of the calls in between would be eight times as much. */
const MAX_GROWTH_BYTES = 1_000_000;

test('15,000 more calls leave the heap as it is', async (t) => {
  const execArgv = ['--expose-gc'];
  const child = fork(new URL('./calls.ts', import.meta.url), [], { execArgv, stdio: 'inherit' });
  const [told] = (await once(child, 'message')) as [{ heap: number[]; chargedCalls: number }];
  const [before = 0, after = 0] = told.heap;
  t.diagnostic(`${before} bytes after 5,000 calls, ${after} after 20,000`);
  assert.equal(told.chargedCalls, 20_000);
  assert(after - before < MAX_GROWTH_BYTES, `it grew by ${after - before} bytes`);
});
