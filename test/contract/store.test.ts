/**
 * The contract of a host's store, on each adapter.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { msat } from '../../src/base/money/index.ts';
import { unixMs } from '../../src/base/time/index.ts';
import {
  isBalanced,
  newRow,
  refundEndTransfers,
  refundTransfers,
  type Refund,
} from '../../src/pay/ledger/index.ts';
import { openHostStore, type CommitGroup, type HostStore } from '../../src/port/store/index.ts';
import { calls, directory, entry, hex, receive, refund, terms, topUp } from './store-fixtures.ts';

const ADAPTERS = [
  { name: 'sqlite in process', thread: false },
  { name: 'sqlite in a thread', thread: true },
] as const;

/** One case: a store that is empty, and a way to close it and open it again. */
type Case = (store: HostStore, reopen: () => Promise<HostStore>) => Promise<void>;

const CASES: Readonly<Record<string, Case>> = {
  'an empty store is balanced': async (store) => {
    assert.ok(isBalanced(await store.sheet()));
    assert.deepEqual(await store.audit(), []);
    assert.equal(await store.walletCursor(), 0n);
    assert.equal(await store.session(hex(1, 16)), undefined);
    assert.deepEqual(await store.sessionsAfter(0n, 10), { rows: [], position: 0n });
    assert.deepEqual(await store.transfersAfter(0n, 10), { rows: [], position: 0n });
  },

  'a session comes back as it was opened, also after opening again': async (store, reopen) => {
    await open(store, 1);
    const again = await reopen();
    for (const found of [
      await again.session(hex(1, 16)),
      await again.sessionBySetup(hex(1001, 32)),
      await again.sessionByPaymentHash(hex(1, 32)),
    ]) {
      assert.deepEqual(found, newRow(terms(1)));
    }
  },

  'a session is opened once': async (store) => {
    await open(store, 1);
    const attempt = (change: Parameters<typeof terms>[1]): Promise<string> =>
      code(store, { open: terms(2, change) });
    const { session, setup, paymentHash } = terms(1);
    assert.equal(await attempt({ session, setup, paymentHash }), 'session_exists');
    assert.equal(await attempt({ setup, paymentHash }), 'setup_exists');
    assert.equal(await attempt({ paymentHash }), 'payment_hash_exists');
    assert.equal(await attempt({}), 'ok');
  },

  'an image is written on the version it was made from only': async (store) => {
    await paid(store, 1);
    const image = { session: hex(1, 16), version: 2n, calls: calls(1, entry(0n)) };
    assert.equal(await code(store, { images: [image] }), 'ok');
    assert.equal(await code(store, { images: [image] }), 'version_stale');
    const back = { ...image, version: 3n, calls: calls(0) };
    assert.equal(await code(store, { images: [back] }), 'image_backwards');
    const unknown = { ...image, session: hex(2, 16) };
    assert.equal(await code(store, { images: [unknown] }), 'session_unknown');
    assert.deepEqual((await store.session(hex(1, 16)))?.calls, image.calls);
  },

  'each group is written whole or not at all, whatever becomes of the others': async (store) => {
    await paid(store, 1);
    const image = { session: hex(1, 16), version: 2n, calls: calls(1, entry(0n)) };
    const results = await store.commit([
      { images: [image], transfers: [receive(1, 1100n)], cursor: 50n, answers: [answer(1, 0n)] },
      { open: terms(2) },
      { images: [{ ...image, version: 9n }] },
    ]);
    assert.deepEqual(
      results.map((result) => result.code),
      ['exists', 'ok', 'version_stale'],
    );
    assert.deepEqual((await store.session(hex(1, 16)))?.calls, calls(0));
    assert.equal(await store.walletCursor(), 7n);
    assert.equal(await store.storedAnswer(hex(1, 16), 0n), undefined);
    assert.notEqual(await store.session(hex(2, 16)), undefined);
  },

  'a transfer folds what was charged before it': async (store) => {
    await paid(store, 1);
    const image = { session: hex(1, 16), version: 2n, calls: calls(3, entry(0n)) };
    assert.equal(await code(store, { images: [image] }), 'ok');
    assert.equal((await store.account('served'))?.creditsPostedMsat, 0n);
    assert.equal((await store.sheet()).servedMsat, 300n);
    assert.equal(await code(store, { transfers: [refund('r', 1, 801n)] }), 'overdraft');
    assert.equal(await code(store, { transfers: [refund('r', 1, 800n)] }), 'ok');
    assert.equal((await store.account('served'))?.creditsPostedMsat, 300n);
    const sheet = await store.sheet();
    assert.deepEqual([sheet.servedMsat, sheet.refundingMsat, sheet.creditMsat], [300n, 800n, 0n]);
    assert.ok(isBalanced(sheet));
    const over = { ...image, version: 4n, calls: calls(4, entry(0n)) };
    assert.equal(await code(store, { images: [over] }), 'image_overdraft');
  },

  'the numbers of what was touched come with the result': async (store) => {
    await paid(store, 1);
    const image = { session: hex(1, 16), version: 2n, calls: calls(1, entry(0n)) };
    const [first, second] = await store.commit([
      { images: [image] },
      { transfers: [refund('r', 1, 100n)] },
    ]);
    assert.equal(first?.code === 'ok' && first.touched[0]?.numbers.version, 3n);
    const row = await store.session(hex(1, 16));
    assert.ok(row !== undefined && second?.code === 'ok');
    const { version, counters, foldedMsat, calls: written } = row;
    const numbers = { version, counters, foldedMsat, calls: written };
    assert.deepEqual(second.touched, [{ session: hex(1, 16), numbers }]);
    assert.equal(foldedMsat, 100n);
  },

  'a payment is booked once, and the cursor never goes back': async (store) => {
    await open(store, 1);
    assert.equal(await code(store, { transfers: [receive(1, 5n)], cursor: 9n }), 'ok');
    assert.equal(await code(store, { transfers: [receive(1, 5n)], cursor: 99n }), 'exists');
    const other = await code(store, { transfers: [receive(1, 6n)] });
    assert.equal(other, 'exists_with_different_amount');
    assert.equal(await code(store, { cursor: 3n }), 'ok');
    assert.equal(await store.walletCursor(), 9n);
    assert.deepEqual(await store.transfer(hex(1, 32)), receive(1, 5n));
  },

  'a top-up grows its session with the payment, once, or not at all': async (store, reopen) => {
    await paid(store, 1);
    assert.equal(await code(store, { topUp: topUp(1) }), 'ok');
    assert.equal(await code(store, { topUp: topUp(1) }), 'topup_exists');
    const other = { ...topUp(1), id: hex(6, 16) };
    assert.equal(await code(store, { topUp: other }), 'payment_hash_exists');
    assert.deepEqual(
      (await store.unpaidTopUps(unixMs(0))).map((one) => one.session),
      [topUp(1).paymentHash],
    );
    const payment = { ...receive(1, 500n), id: topUp(1).paymentHash };
    const grow = { transfers: [payment], topUpPaid: topUp(1).paymentHash };
    const results = await store.commit([grow, grow]);
    assert.deepEqual(
      results.map((result) => result.code),
      ['ok', 'exists'],
    );
    assert.equal(await code(store, { topUpPaid: topUp(1).paymentHash }), 'topup_unknown');
    const again = await reopen();
    const row = await again.session(hex(1, 16));
    assert.deepEqual(row?.bought, { calls: 15, totalMsat: 1500n, expiresAtMs: 20_000 });
    assert.equal((await again.topUp(hex(1, 16), hex(5, 16)))?.paid, true);
    assert.deepEqual(await again.unpaidTopUps(unixMs(0)), []);
    const image = { session: hex(1, 16), version: row?.version ?? 0n, calls: calls(12) };
    assert.equal(await code(again, { images: [image] }), 'ok');
    const over = { ...image, version: image.version + 1n, calls: calls(16) };
    assert.equal(await code(again, { images: [over] }), 'image_over_bought');
    assert.deepEqual(await again.audit(), []);
  },

  'started calls are found, and hold their price': async (store) => {
    await paid(store, 1);
    const started = entry(3n, { kind: 'started', effect: 'once' });
    const image = { session: hex(1, 16), version: 2n, calls: calls(0, started) };
    assert.deepEqual(await store.startedSessions(), []);
    assert.equal(await code(store, { images: [image] }), 'ok');
    assert.equal((await store.startedSessions())[0]?.terms.session, hex(1, 16));
    const { reservedMsat, creditMsat } = await store.sheet();
    assert.deepEqual([reservedMsat, creditMsat], [100n, 1000n]);
    assert.equal(await code(store, { transfers: [refund('r', 1, 1001n)] }), 'overdraft');
  },

  'answers are kept until they are forgotten, for every number': async (store, reopen) => {
    await paid(store, 1);
    const last = (1n << 64n) - 1n;
    const answers = [answer(1, 0n), answer(1, last)];
    assert.equal(await code(store, { answers }), 'ok');
    const again = await reopen();
    assert.deepEqual(await again.storedAnswer(hex(1, 16), last), answers[1]);
    assert.equal(await code(again, { forget: [{ session: hex(1, 16), n: last }] }), 'ok');
    assert.equal(await again.storedAnswer(hex(1, 16), last), undefined);
    assert.deepEqual(await again.storedAnswer(hex(1, 16), 0n), answers[0]);
  },

  'unpaid sessions are those that can still be paid': async (store) => {
    for (const s of [1, 2, 3]) await open(store, s);
    assert.equal(await code(store, { transfers: [receive(1, 1000n)] }), 'ok');
    assert.equal(await code(store, { transfers: [receive(3, 999n)] }), 'ok');
    const found = await store.unpaidSessions(unixMs(1002));
    const [payer, totalMsat] = [hex(5, 32), msat(1000)];
    assert.deepEqual(found, [{ session: hex(3, 16), payByMs: 1003, payer, totalMsat }]);
  },

  'a refund goes with its transfers, ends with theirs, and is there after a reopening': async (
    store,
    reopen,
  ) => {
    await open(store, 1);
    await code(store, { transfers: [receive(1, 100_000n)] });
    const asked: Refund = {
      paymentHash: hex(77, 32),
      session: hex(1, 16),
      invoice: 'lnbc1',
      amountMsat: msat(50_000),
      feeLimitMsat: msat(1000),
      askedAtMs: unixMs(9),
      state: 'refunding',
      feeMsat: msat(0),
    };
    const set = { refund: asked, transfers: refundTransfers(asked) };
    assert.equal(await code(store, set), 'ok');
    assert.equal(await code(store, set), 'exists', 'one hash, one refund');
    assert.deepEqual(await store.openRefunds(), [asked]);
    assert.equal(await store.prepaidMsat(hex(5, 32)), 100_000n);
    assert.deepEqual(await store.expiredSessions(unixMs(9001), 10), [hex(1, 16)]);
    const again = await reopen();
    assert.deepEqual(await again.refund(hex(77, 32)), asked);
    const end = { state: 'refunded', feeMsat: msat(7) } as const;
    const transfers = refundEndTransfers(asked, end, unixMs(10));
    const ended = { refundEnd: { paymentHash: asked.paymentHash, end }, transfers };
    assert.equal(await code(again, ended), 'ok');
    assert.deepEqual(await again.refund(hex(77, 32)), { ...asked, ...end });
    assert.deepEqual(await again.openRefunds(), []);
    assert.deepEqual(await again.refundTotals(hex(1, 16)), {
      refundedMsat: 50_000n,
      feesMsat: 7n,
      lastAskedAtMs: 9,
      count: 1,
      lastPaidAtMs: receive(1, 0n).atMs,
      topUpUntilMs: 0,
    });
    assert.equal(await again.prepaidMsat(hex(5, 32)), 49_993n);
    assert.deepEqual(await again.audit(), []);
  },

  'a payment whose session appeared later can be attributed': async (store) => {
    const early = { ...receive(4, 5n), credit: 'unattributed' } as const;
    await code(store, { transfers: [early] });
    assert.deepEqual(await store.attributable(), []);
    await open(store, 4);
    assert.deepEqual(await store.attributable(), [hex(4, 32)]);
  },

  'all sessions are listed page by page, in order': async (store) => {
    for (const s of [3, 1, 2]) await open(store, s);
    const first = await store.sessionsAfter(0n, 2);
    const second = await store.sessionsAfter(first.position, 2);
    const third = await store.sessionsAfter(second.position, 2);
    const sessions = [...first.rows, ...second.rows].map(({ terms: found }) => found.session);
    assert.deepEqual(
      sessions,
      [3, 1, 2].map((s) => hex(s, 16)),
    );
    assert.deepEqual(third, { rows: [], position: second.position });
  },

  'the largest amounts are exact': async (store) => {
    const totalMsat = msat(2_099_999_999_999_999_999n);
    assert.equal(await code(store, { open: terms(1, { totalMsat }) }), 'ok');
    assert.equal(await code(store, { transfers: [receive(1, totalMsat)] }), 'ok');
    assert.equal((await store.session(hex(1, 16)))?.counters.creditsPostedMsat, totalMsat);
    assert.equal(await code(store, { transfers: [{ ...receive(1, 2n), id: 'x' }] }), 'overflow');
  },
};

for (const { name, thread } of ADAPTERS) {
  for (const [title, run] of Object.entries(CASES)) {
    test(`${name}: ${title}`, async (t) => runCase(t, thread, run));
  }
}

async function runCase(t: TestContext, thread: boolean, run: Case): Promise<void> {
  const file = join(directory(t), 'host.db');
  let store = await openHostStore({ file, thread });
  const reopen = async (): Promise<HostStore> => {
    await store.close();
    store = await openHostStore({ file, thread });
    return store;
  };
  try {
    await run(store, reopen);
    assert.ok(isBalanced(await store.sheet()));
    assert.deepEqual(await store.audit(), []);
  } finally {
    await store.close();
  }
}

async function code(store: HostStore, group: CommitGroup): Promise<string> {
  return (await store.commit([group]))[0]?.code ?? 'missing';
}

async function open(store: HostStore, s: number): Promise<void> {
  assert.equal(await code(store, { open: terms(s) }), 'ok');
}

/** A session that received 100 more than its total; the cursor is then 7. */
async function paid(store: HostStore, s: number): Promise<void> {
  await open(store, s);
  assert.equal(await code(store, { transfers: [receive(s, 1100n)], cursor: 7n }), 'ok');
}

function answer(s: number, n: bigint) {
  return { session: hex(s, 16), n, body: new Uint8Array([4, 5]), chargedMsat: msat(100) };
}

test('an audit finds a refund that was set aside without a row', async () => {
  const store = await openHostStore({ file: ':memory:', thread: false });
  await open(store, 1);
  await code(store, { transfers: [receive(1, 100_000n), refund('refund:x', 1, 5n)] });
  assert.deepEqual(await store.audit(), ['1 refunds were set aside without a row']);
  await store.close();
});
