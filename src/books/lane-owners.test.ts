/**
 * Who gets a lane while something else happens to it.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { unixMs } from '../base/time/index.ts';
import { openHostStore } from '../port/store/index.ts';
import { laneTerms } from '../../test/contract/lanes-fixtures.ts';
import { hex, terms } from '../../test/contract/store-fixtures.ts';
import { LaneOwners, type LaneOwnersContext } from './lane-owners.ts';

test('a lane is not granted from a row that a whole close has left behind', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-owners-'));
  const store = await openHostStore({ file: join(dir, 'host.db'), thread: false });
  t.after(async () => {
    await store.close();
    rmSync(dir, { recursive: true });
  });
  const session = hex(1, 16);
  const { lane } = laneTerms(1, 0);
  await store.commit([{ open: { ...terms(1), lanes: 1 }, lanes: [laneTerms(1, 0)] }]);
  const asked = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  const context: LaneOwnersContext = {
    store,
    session: async () => {
      asked.resolve();
      await told.promise;
      return { terms: terms(1), state: { paid: true } };
    },
    now: () => unixMs(1),
    check: () => undefined,
    fail: (fault) => assert.fail(fault),
    mostLanes: 10,
  };
  const owners = new LaneOwners(context);
  await owners.begin(1);
  const link = { worker: 1, flush: async () => [], close: async () => undefined };
  const taking = owners.join(link).take(lane);
  await asked.promise;
  await owners.close(session, async () => {
    await store.commit([{ closeLanes: { session, atMs: unixMs(2) } }]);
  });
  told.resolve();
  await assert.rejects(taking, { code: 'LANE_CLOSED' });
  await owners.ended(1);
});
