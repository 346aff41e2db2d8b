/**
 * A store with a spend log does what a store without one does, whatever comes in which order, and
 * also when it crashes in between.
 * @module
 */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { unixMs } from '../../src/base/time/index.ts';
import { openHostStore, type HostStoreFile } from '../../src/port/store/index.ts';
import { laneTerms, openLanes, spend, type ImageFields } from './lanes-fixtures.ts';
import { calls, entry, hex, receive, refund } from './store-fixtures.ts';

/** Does something to a store; what it gives must be the same for both. */
type Step = (store: HostStoreFile) => Promise<unknown>;

const SESSIONS = [1, 2];
const s = fc.constantFrom(...SESSIONS);

/** Mostly what the row allows, sometimes what it does not. */
const images: fc.Arbitrary<Step> = fc
  .array(
    fc.record({
      s,
      place: fc.nat(2),
      spent: fc.nat(5),
      more: fc.nat(6),
      stale: fc.constantFrom(0, 0, 0, 0, 1, -1),
      entries: fc.nat(60),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((list) => async (store) => {
    const found: ImageFields[] = [];
    for (const one of list) {
      const row = (await store.lanesOf(hex(one.s, 16)))[one.place];
      const index = Math.min(50, (row?.index ?? 0) + one.more);
      const done = Math.min(index, row?.spent ?? 0);
      found.push({
        s: one.s,
        place: one.place,
        index,
        done,
        spent: (row?.spent ?? 0) + one.spent,
        epoch: row?.epoch ?? 0,
        version: Math.max(0, (row?.version ?? 0) + one.stale),
        entries: Array.from({ length: Math.min(one.entries, done) }, (_, i) => done + i),
      });
    }
    return spend(store, ...found);
  });

const charges: fc.Arbitrary<Step> = fc
  .record({ s, once: fc.boolean(), stale: fc.constantFrom(0n, 0n, 0n, 1n), many: fc.boolean() })
  .map((one) => async (store) => {
    const session = hex(one.s, 16);
    const row = await store.session(session);
    const n = row?.calls.done ?? 0n;
    const charged = Math.min(4, (row?.calls.chargedCalls ?? 0) + 1);
    const effect = one.once ? 'once' : 'none';
    const image = { ...calls(charged, entry(n + 1n, { effect })), done: n + 1n };
    const version = (row?.version ?? 0n) + one.stale;
    const known = { images: [{ session, version, calls: image }] };
    const unknown = { images: [{ session: hex(9, 16), version, calls: image }] };
    return store.commit(one.many ? [known, unknown] : [known]);
  });

const others: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ s, place: fc.nat(3) }).map(
    ({ s: of, place }): Step =>
      (store) =>
        store.takeLanes([laneTerms(of, place).lane]),
  ),
  fc.record({ s, id: fc.nat(5), amount: fc.integer({ min: 1, max: 400 }) }).map(
    ({ s: of, id, amount }): Step =>
      (store) =>
        store.commit([{ transfers: [refund(`r${id}`, of, BigInt(amount))] }]),
  ),
  fc.record({ s, id: fc.nat(9) }).map(
    ({ s: of, id }): Step =>
      (store) =>
        store.commit([{ transfers: [{ ...receive(of, 10n), id: `p${id}` }] }]),
  ),
  s.map((of): Step => (store) => {
    const closeLanes = { session: hex(of, 16), atMs: unixMs(1) };
    return store.commit([{ closeLanes, transfers: [refund(`c${of}`, of, 5n)] }]);
  }),
  s.map(
    (of): Step =>
      (store) =>
        store.account(`session:${hex(of, 16)}`),
  ),
  fc.constant<Step>((store) => store.prepaidMsat(hex(5, 32))),
  fc.constant<Step>((store) => store.sheet()),
  fc.constant<Step>((store) => store.expiredSessions(unixMs(9001), 9)),
);

const step = fc.oneof(
  { weight: 6, arbitrary: images.map((run) => ({ run, crash: false })) },
  { weight: 3, arbitrary: charges.map((run) => ({ run, crash: false })) },
  { weight: 3, arbitrary: others.map((run) => ({ run, crash: false })) },
  { weight: 1, arbitrary: others.map((run) => ({ run, crash: true })) },
);

test('with a log and without one the same comes of everything', async () => {
  const list = fc.array(step, { minLength: 10, maxLength: 40, size: 'max' });
  await fc.assert(fc.asyncProperty(list, compare), { numRuns: 30 });
});

async function compare(
  steps: readonly { readonly run: Step; readonly crash: boolean }[],
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-model-'));
  const plain = await openHostStore({ file: ':memory:', thread: false });
  let logged = await openLogged(join(dir, 'start.db'));
  try {
    for (const of of SESSIONS) for (const store of [plain, logged]) await openLanes(store, of, 3);
    let file = join(dir, 'start.db');
    for (const [i, { run, crash }] of steps.entries()) {
      if (crash) {
        const before = logged;
        const copy = join(dir, `${i}.db`);
        logged = await crashed(file, copy);
        await before.close();
        file = copy;
      }
      assert.deepEqual(await run(logged), await run(plain));
    }
    assert.deepEqual(await stateOf(logged), await stateOf(plain));
  } finally {
    await logged.close();
    await plain.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function openLogged(file: string): Promise<HostStoreFile> {
  return openHostStore({ file, thread: false, spendLogBytes: 65_536 });
}

/** The files of an open store, copied: what a crash leaves. */
function crashed(file: string, copy: string): Promise<HostStoreFile> {
  for (const end of ['', '-wal', '-spend']) {
    if (existsSync(`${file}${end}`)) copyFileSync(`${file}${end}`, `${copy}${end}`);
  }
  return openLogged(copy);
}

async function stateOf(store: HostStoreFile): Promise<unknown> {
  const sessions = SESSIONS.map((of) => hex(of, 16));
  return {
    sheet: await store.sheet(),
    audit: await store.audit(),
    sessions: await Promise.all(sessions.map((session) => store.session(session))),
    lanes: await Promise.all(sessions.map((session) => store.lanesOf(session))),
  };
}
