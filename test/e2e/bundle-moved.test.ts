/**
 * Sessions that move to another profile: one holder, and no number is used by two.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { Payer, type PayerSession } from '../../src/payer/index.ts';
import { openNet, type Net, type NetRequest, type NetResponse } from '../../src/port/net/index.ts';
import { openPayerStore } from '../../src/port/store/index.ts';
import { parseCall } from '../../src/wire/toll/index.ts';
import { fixtureKeyring } from '../fixtures/keys.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

let shop: TestShop;
before(async () => {
  shop = await openShop();
});
after(() => shop.close());

/** Notes the numbers that are sent. */
class Watch implements Net {
  readonly #net = openNet();
  readonly numbers: bigint[] = [];

  send(request: NetRequest): Promise<NetResponse> {
    const toll = request.headers['authorization']?.replace('Toll ', '');
    if (toll !== undefined) this.numbers.push(parseCall(toll).n);
    return this.#net.send(request);
  }

  close(): Promise<void> {
    return this.#net.close();
  }
}

interface Profile {
  readonly payer: Payer;
  readonly net: Watch;
}

async function profile(t: { after(end: () => Promise<void>): void }): Promise<Profile> {
  const [net, store] = [new Watch(), await openPayerStore({ file: ':memory:' })];
  t.after(async () => {
    await net.close();
    await store.close();
  });
  const parts = { clock: systemClock, random: systemRandom, log: silentLog };
  const wallet = shop.payerWallet;
  const payer = new Payer({ net, store, wallet, ...parts, keyring: fixtureKeyring() });
  return { payer, net };
}

async function buy({ payer }: Profile, calls: number): Promise<PayerSession> {
  const link = await payer.connect(shop.url);
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(calls));
  return payer.buy(link, { service: 'echo', calls, maxTotalMsat });
}

async function only({ payer }: Profile): Promise<PayerSession> {
  const [session] = await payer.sessions(await payer.connect(shop.url));
  assert.ok(session);
  return session;
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

test('the new holder goes on; the old one can do nothing any more', async (t) => {
  const [from, to] = [await profile(t), await profile(t)];
  const old = await buy(from, 4);
  await old.call({ text: 'a' });
  const file = await from.payer.exportSession(old.session);
  const { session } = await to.payer.importSession(file);
  assert.equal(session, old.session);
  const moved = await only(to);
  assert.deepEqual((await moved.call({ text: 'b' })).result, { text: 'b' });
  await assert.rejects(old.call({ text: 'c' }), faultOf('PURCHASE_MOVED'));
  await assert.rejects(
    old.topUp({ calls: 1, maxTotalMsat: msat(1000) }),
    faultOf('PURCHASE_MOVED'),
  );
  await assert.rejects(old.refund(), faultOf('PURCHASE_MOVED'));
  assert.deepEqual(await from.payer.sessions(await from.payer.connect(shop.url)), []);
  assert.equal((await moved.status()).callsLeft, 2);
  assert.equal((await moved.receipt()).facts.servedCalls, 2);
});

test('a copied file: two holders, no number twice, each answer charged once', async (t) => {
  const [from, a, b] = [await profile(t), await profile(t), await profile(t)];
  const old = await buy(from, 10);
  await old.call({ text: 'first' });
  const file = await from.payer.exportSession(old.session);
  // Lost and asked for again, it is the same session.
  await a.payer.importSession(file);
  await b.payer.importSession(await from.payer.exportSession(old.session));
  const holders = [await only(a), await only(b)];
  let answered = 1;
  for (let i = 0; i < 4; i++) {
    for (const session of holders) {
      const answer = session.call({ text: `${i}` }).then(
        () => 'answered',
        (error: unknown) => (isFault(error) ? error.code : 'strange'),
      );
      const outcome = await answer;
      assert.ok(['answered', 'CALL_FORGOTTEN'].includes(outcome), outcome);
      answered += Number(outcome === 'answered');
    }
  }
  const numbers = [...from.net.numbers, ...a.net.numbers, ...b.net.numbers];
  assert.equal(new Set(numbers).size, numbers.length, 'no number was used twice');
  assert.equal(
    (await only(a).then((one) => one.status())).chargedMsat,
    BigInt(answered) * PRICE_MSAT,
  );
});

test('a session that comes back goes on where nobody was', async (t) => {
  const [from, to] = [await profile(t), await profile(t)];
  const old = await buy(from, 5);
  await old.call({ text: 'a' });
  await to.payer.importSession(await from.payer.exportSession(old.session));
  await (await only(to)).call({ text: 'b' });
  await from.payer.importSession(await to.payer.exportSession(old.session));
  assert.deepEqual((await old.call({ text: 'c' })).result, { text: 'c' });
  const numbers = [...from.net.numbers, ...to.net.numbers];
  assert.equal(new Set(numbers).size, 3);
});

test('a file with another key than the pinned one: the pin stays, the session comes', async (t) => {
  const [from, to] = [await profile(t), await profile(t)];
  const old = await buy(from, 2);
  const file = await from.payer.exportSession(old.session);
  const before = JSON.parse(file) as { fingerprint: string };
  await to.payer.connect(shop.url);
  await to.payer.importSession(JSON.stringify({ ...before, fingerprint: '11'.repeat(32) }));
  assert.deepEqual((await (await only(to)).call({ text: 'a' })).result, { text: 'a' });
});

test('what is here cannot be imported, what has no outcome cannot leave', async (t) => {
  const [from, to] = [await profile(t), await profile(t)];
  const session = await buy(from, 2);
  const file = await from.payer.exportSession(session.session);
  await to.payer.importSession(file);
  await assert.rejects(to.payer.importSession(file), faultOf('PURCHASE_CONFLICT'));
  const other = await buy(from, 2);
  const stop = AbortSignal.timeout(1);
  await other.call({ text: 'x' }, { callId: 'open', signal: stop }).catch(() => undefined);
  await other.call({ text: 'x' }, { callId: 'open' });
  await from.payer.exportSession(other.session);
  await assert.rejects(from.payer.exportSession('00'.repeat(16)), faultOf('SESSION_UNKNOWN'));
});

test('what a forged file says of host, service and time is looked at', async (t) => {
  const [from, to] = [await profile(t), await profile(t)];
  const file = JSON.parse(await from.payer.exportSession((await buy(from, 1)).session)) as object;
  const forged = [
    { host: 'javascript:alert(1)' },
    { host: `${shop.url}/x` },
    { service: '\u001b]0;echo\u0007' },
    { service: '__proto__' },
    { made_at_ms: 'soon' },
  ];
  for (const change of forged) {
    const text = JSON.stringify({ ...file, ...change });
    await assert.rejects(to.payer.importSession(text), faultOf('CONFIG_INVALID'));
  }
  assert.deepEqual((await to.payer.importSession(JSON.stringify(file))).host, shop.url);
});

for (const [what, file] of [
  ['no JSON', 'x'],
  ['another file', '{"form":"other"}'],
  ['an empty one', '{"form":"tollcall-session-1"}'],
] as const) {
  test(`not the file of a session, ${what}: CONFIG_INVALID`, async (t) => {
    const { payer } = await profile(t);
    await assert.rejects(payer.importSession(file), faultOf('CONFIG_INVALID'));
  });
}
