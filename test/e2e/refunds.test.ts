/**
 * Refunds over HTTP: what arrives, what is refused and why, and that nothing is paid twice.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { toHex } from '../../src/base/bytes/index.ts';
import { isFault, type FaultCode } from '../../src/base/fault/index.ts';
import type { Json, JsonObject } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, unixMs } from '../../src/base/time/index.ts';
import { encodeInvoice, type InvoiceDraft } from '../../src/bitcoin/bolt/index.ts';
import { refundCode } from '../../src/pay/bundle/index.ts';
import { isBalanced } from '../../src/pay/ledger/index.ts';
import type { PayerSession } from '../../src/payer/index.ts';
import { printAsk } from '../../src/wire/toll/index.ts';
import { syncHostKeys } from '../fixtures/keys.ts';
import { SPEC_KEY, signerOf } from '../fixtures/invoices.ts';
import { PRICE_MSAT, openShop, type TestShop } from './shop.ts';

let shop: TestShop;
before(async () => {
  shop = await openShop({ limits: { refundAfterMs: 0 } });
});
after(() => shop.close());

/** What a request says. */
interface Asked {
  readonly session: string;
  readonly invoice: string;
  readonly amount: bigint;
}

async function buy(calls: number, from = shop): Promise<PayerSession> {
  const link = await from.payer.connect(from.url);
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(calls));
  return from.payer.buy(link, { service: 'echo', calls, maxTotalMsat });
}

/** An invoice of somebody who is neither host nor payer. */
function foreign(change: Partial<InvoiceDraft> = {}): string {
  const draft: InvoiceDraft = {
    network: 'regtest',
    amountMsat: msat(2_000),
    timestampSeconds: Math.floor(systemClock.now() / 1000),
    expirySeconds: 3600,
    paymentHash: toHex(systemRandom.bytes(32)),
    paymentSecret: toHex(systemRandom.bytes(32)),
    description: 'refund',
    features: [8, 14],
    ...change,
  };
  return encodeInvoice(draft, signerOf(SPEC_KEY));
}

async function mine(amount?: bigint): Promise<string> {
  const amountMsat = amount === undefined ? {} : { amountMsat: msat(amount) };
  const request = { description: 'refund', expirySeconds: 3600, ...amountMsat };
  return (await shop.payerWallet.createInvoice(request)).invoice;
}

/** The credential of whoever has the session's key. */
async function credentialOf({ session, invoice, amount }: Asked, from = shop): Promise<string> {
  const terms = (await from.books.session(session))?.terms;
  const salt = systemRandom.bytes(16);
  const host = syncHostKeys().fingerprint;
  const fields = { host, session, salt, invoice, amountMsat: msat(amount) };
  const code = refundCode(terms?.codeKey ?? new Uint8Array(32), fields);
  return printAsk({ session, salt, code });
}

async function send(params: Json, toll?: string, from = shop): Promise<JsonObject> {
  const body = { jsonrpc: '2.0', id: 1, method: 'toll.refund', params, ...(toll ? { toll } : {}) };
  const headers = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(body) };
  return (await (await fetch(`${from.url}/rpc`, init)).json()) as JsonObject;
}

async function ask(asked: Asked, from = shop): Promise<JsonObject> {
  const { invoice, amount } = asked;
  return send({ invoice, amount_msat: `${amount}` }, await credentialOf(asked, from), from);
}

function codeOf(answer: JsonObject): unknown {
  const data = (answer['error'] as JsonObject | undefined)?.['data'] as JsonObject | undefined;
  return data?.['code'];
}

function stateOf(answer: JsonObject): unknown {
  return (answer['result'] as JsonObject | undefined)?.['state'];
}

function faultOf(code: FaultCode): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}

test('a refund arrives, less what is set aside; the receipt and the status say so', async () => {
  const session = await buy(4);
  await session.call({ text: 'a' });
  const { sendableMsat: before } = await shop.payerWallet.balance();
  const { amountMsat, paymentHash } = await session.refund();
  assert.equal(amountMsat, 2_000n);
  assert.equal((await shop.payerWallet.balance()).sendableMsat, before + 2_000n);
  assert.equal((await shop.payerWallet.incoming(paymentHash))?.state, 'paid');
  const status = await session.status();
  assert.equal(status.creditMsat, 1_000n, 'what was set aside came back');
  assert.equal(status.callsLeft, 1, 'as many calls as the credit pays for');
  assert.equal(status.refundableMsat, 0n, 'spend-only');
  const { facts } = await session.receipt();
  assert.deepEqual(
    [facts.paidMsat, facts.servedMsat, facts.refundedMsat, facts.refundFeesMsat, facts.creditMsat],
    [4_000n, 1_000n, 2_000n, 0n, 1_000n],
  );
  assert.deepEqual((await session.call({ text: 'b' })).result, { text: 'b' });
  await assert.rejects(session.call({ text: 'c' }), faultOf('SESSION_EXHAUSTED'));
});

test('routing fees come out of the credit; the rest of what was set aside returns', async () => {
  const session = await buy(10);
  shop.payerWallet.setRouteFee(msat(700));
  await session.refund({ amountMsat: msat(5_000) });
  shop.payerWallet.setRouteFee(msat(0));
  const { facts } = await session.receipt();
  assert.deepEqual([facts.refundedMsat, facts.refundFeesMsat], [5_000n, 700n]);
  assert.equal(facts.creditMsat, 4_300n);
});

test('the same refund id is the same refund, in another process too', async () => {
  const session = await buy(4);
  const { sendableMsat: before } = await shop.payerWallet.balance();
  const first = await session.refund({ refundId: 'mine', amountMsat: msat(1_000) });
  assert.deepEqual(await session.refund({ refundId: 'mine' }), first);
  const link = await shop.payer.connect(shop.url);
  const again = (await shop.payer.sessions(link)).find((s) => s.session === session.session);
  assert.deepEqual(await again?.refund({ refundId: 'mine' }), first);
  assert.equal((await shop.payerWallet.balance()).sendableMsat, before + 1_000n);
});

test('an invoice without an amount takes the amount that is asked for', async () => {
  const session = await buy(4);
  const invoice = await mine();
  const { amountMsat } = await session.refund({ invoice, amountMsat: msat(1_500) });
  assert.equal(amountMsat, 1_500n);
  assert.equal((await session.status()).creditMsat, 2_500n);
});

test('a payment that fails is credit again; the id is used up, another one works', async () => {
  const session = await buy(4);
  shop.hostWallet.nextPay({ kind: 'fail', reason: 'PAYMENT_NO_ROUTE' });
  await assert.rejects(session.refund({ refundId: 'f0' }), faultOf('REFUND_FAILED'));
  await assert.rejects(session.refund({ refundId: 'f0' }), faultOf('REFUND_FAILED'));
  assert.equal((await session.status()).creditMsat, 4_000n);
  shop.payerWallet.setRouteFee(msat(1_001));
  await assert.rejects(session.refund({ refundId: 'f1' }), faultOf('REFUND_FAILED'), 'above F');
  shop.payerWallet.setRouteFee(msat(0));
  assert.equal((await session.refund({ refundId: 'f2' })).amountMsat, 3_000n);
});

test('a payment under way stays set aside until it has ended, and holds the place', async () => {
  const session = await buy(8);
  const invoice = await mine(3_000n);
  const asked = { session: session.session, invoice, amount: 3_000n };
  shop.hostWallet.nextPay({ kind: 'pending' });
  const early = session.refund({ refundId: 'p', invoice, deadlineMs: 1 });
  await assert.rejects(early, faultOf('REFUND_PENDING'));
  assert.equal((await session.status()).creditMsat, 4_000n);
  const second = { ...asked, invoice: foreign(), amount: 2_000n };
  assert.equal(codeOf(await ask(second)), 'REFUND_BUSY');
  const hash = (await shop.payerStore.refund('p'))?.paymentHash ?? '';
  shop.hostWallet.resolve(hash, 'paid');
  assert.equal(stateOf(await ask(asked)), 'refunded');
  assert.equal((await session.refund({ refundId: 'p' })).amountMsat, 3_000n);
  assert.equal((await session.status()).creditMsat, 5_000n);
});

test('what calls have reserved is not refundable', async () => {
  const link = await shop.payer.connect(shop.url);
  const order = { service: 'slow', calls: 2, maxTotalMsat: msat(2_000) };
  const session = await shop.payer.buy(link, order);
  const running = session.call({ text: 'x' });
  const seen = new Set<bigint>();
  while (!seen.has(0n)) seen.add((await session.status()).refundableMsat);
  const asked = { session: session.session, invoice: foreign({ amountMsat: msat(1_000) }) };
  assert.equal(codeOf(await ask({ ...asked, amount: 1_000n })), 'REFUND_DUST');
  await assert.rejects(running, faultOf('SERVICE_TIMEOUT'));
  assert.equal((await session.status()).refundableMsat, 1_000n);
});

/** With the final 18 blocks one more than two days. */
const LONG_HOP = {
  nodeId: '0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798',
  shortChannelId: 1n,
  feeBaseMsat: 0,
  feeProportionalMillionths: 0,
  cltvExpiryDeltaBlocks: 271,
};

const REFUSALS: readonly (readonly [
  what: string,
  FaultCode,
  (s: string) => Promise<Asked> | Asked,
])[] = [
  ['no invoice', 'REFUND_INVOICE', (session) => ({ session, invoice: 'lnbc1x', amount: 1n })],
  [
    'another network',
    'REFUND_NETWORK',
    (session) => ({ session, invoice: foreign({ network: 'mainnet' }), amount: 2_000n }),
  ],
  [
    "the host's own invoice",
    'REFUND_OWN',
    async (session) => {
      const request = { amountMsat: msat(2_000), description: '', expirySeconds: 600 };
      const { invoice } = await shop.hostWallet.createInvoice(request);
      return { session, invoice, amount: 2_000n };
    },
  ],
  [
    'another amount',
    'REFUND_AMOUNT',
    (session) => ({ session, invoice: foreign(), amount: 1_999n }),
  ],
  [
    'no amount',
    'REFUND_AMOUNT',
    async (session) => ({ session, invoice: await mine(), amount: 0n }),
  ],
  [
    'an invoice that the wallet has paid before',
    'REFUND_HASH_USED',
    async (session) => {
      const invoice = await mine(2_000n);
      await shop.hostWallet.pay({ invoice, maxFeeMsat: msat(0), timeoutMs: 1_000 });
      return { session, invoice, amount: 2_000n };
    },
  ],
  [
    'the invoice of another session',
    'REFUND_HASH_USED',
    async (session) => {
      const invoice = await mine(1_000n);
      await (await buy(2)).refund({ invoice });
      return { session, invoice, amount: 1_000n };
    },
  ],
  [
    'an invoice that is about to expire',
    'REFUND_EXPIRED',
    (session) => ({ session, invoice: foreign({ expirySeconds: 59 }), amount: 2_000n }),
  ],
  [
    'an invoice that is good for days',
    'REFUND_LONG',
    (session) => ({ session, invoice: foreign({ expirySeconds: 26 * 3600 }), amount: 2_000n }),
  ],
  [
    'a way that takes long',
    'REFUND_CLTV',
    (session) => ({ session, invoice: foreign({ routes: [[LONG_HOP]] }), amount: 2_000n }),
  ],
  [
    'a long final CLTV',
    'REFUND_CLTV',
    (session) => ({
      session,
      invoice: foreign({ minFinalCltvExpiryBlocks: 145 }),
      amount: 2_000n,
    }),
  ],
  [
    'an unpaid session',
    'SESSION_UNPAID',
    async () => ({ session: await unpaidSession(), invoice: foreign(), amount: 2_000n }),
  ],
  [
    'credit that is dust',
    'REFUND_DUST',
    async () => ({ session: (await buy(1)).session, invoice: foreign(), amount: 2_000n }),
  ],
  [
    'more than is refundable',
    'REFUND_EXCEEDS',
    (session) => ({
      session,
      invoice: foreign({ amountMsat: msat(3_001) }),
      amount: 3_001n,
    }),
  ],
];

async function unpaidSession(): Promise<string> {
  const session = toHex(systemRandom.bytes(16));
  await shop.books.open({
    session,
    service: 'echo',
    calls: 5,
    totalMsat: msat(5_000),
    paymentHash: toHex(systemRandom.bytes(32)),
    openedAtMs: systemClock.now(),
    payByMs: systemClock.now(),
    expiresAtMs: unixMs(systemClock.now() + 1_000_000),
    setup: toHex(systemRandom.bytes(32)),
    payer: toHex(systemRandom.bytes(32)),
    codeKey: systemRandom.bytes(32),
    reply: new Uint8Array(2),
  });
  return session;
}

for (const [what, code, make] of REFUSALS) {
  test(`refused, ${what}: ${code}; nothing moves`, async () => {
    const bought = await buy(4);
    const asked = await make(bought.session);
    assert.equal(codeOf(await ask(asked)), code);
    assert.equal((await bought.status()).creditMsat, 4_000n);
  });
}

test('a refund is bound to the key, the invoice and the amount', async () => {
  const { session } = await buy(4);
  const asked = { session, invoice: await mine(), amount: 2_000n };
  const params = { invoice: asked.invoice, amount_msat: '2000' };
  const good = await credentialOf(asked);
  const wrong: readonly (readonly [Json, string | undefined, FaultCode])[] = [
    [params, undefined, 'CODE_MISSING'],
    [params, 'a1.x', 'CODE_MALFORMED'],
    [{ ...params, amount_msat: '2001' }, good, 'CODE_INVALID'],
    [{ ...params, invoice: await mine() }, good, 'CODE_INVALID'],
    [params, await credentialOf({ ...asked, session: '00'.repeat(16) }), 'SESSION_UNKNOWN'],
    [{ invoice: asked.invoice }, good, 'REQUEST_MALFORMED'],
    [{ ...params, invoice: 'x'.repeat(8_000) }, good, 'REQUEST_MALFORMED'],
    [{ ...params, amount_msat: 2_000 }, good, 'REQUEST_MALFORMED'],
  ];
  for (const [value, toll, code] of wrong) assert.equal(codeOf(await send(value, toll)), code);
  assert.equal(stateOf(await send(params, good)), 'refunded');
  assert.equal(stateOf(await send(params, good)), 'refunded', 'a replay is answered');
});

test('many requests for one refund pay once', async () => {
  const session = await buy(10);
  const { sendableMsat: before } = await shop.payerWallet.balance();
  const asked = { session: session.session, invoice: await mine(4_000n), amount: 4_000n };
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(asked)));
  assert.deepEqual(new Set(answers.map(stateOf)), new Set(['refunded']));
  assert.equal((await shop.payerWallet.balance()).sendableMsat, before + 4_000n);
  assert.equal((await session.status()).creditMsat, 6_000n);
});

test('a refund right after the payment is refused, with the time to wait', async () => {
  const slow = await openShop({ limits: { refundAfterMs: 60_000 } });
  try {
    const session = await buy(4, slow);
    const early = await session.refund({ refundId: 'e' }).catch((error: unknown) => error);
    assert(isFault(early) && early.code === 'REFUND_EARLY');
    assert(Number(early.facts['waitMs']) > 50_000);
    assert.equal((await slow.payerStore.refund('e'))?.state, 'asked', 'the id may try again');
  } finally {
    await slow.close();
  }
});

test('caps refuse a set-up before there is an invoice, and are in the description', async () => {
  const limits = { maxPrepaidMsat: msat(5_000), maxLiabilityMsat: msat(6_000), refundAfterMs: 0 };
  const capped = await openShop({ limits, creditKeepDays: 365 });
  try {
    const link = await capped.payer.connect(capped.url);
    assert.deepEqual(link.description.credit, {
      max_prepaid_msat: '5000',
      max_liability_msat: '6000',
      refund_after_ms: 0,
      keep_days: 365,
    });
    const session = await buy(5, capped);
    await assert.rejects(buy(1, capped), faultOf('SETUP_PREPAID'));
    assert.equal(capped.books.unpaidCount(systemClock.now()), 0);
    await session.call({ text: 'one less' });
    const more = await buy(1, capped);
    await session.refund();
    assert.equal((await more.status()).callsLeft, 1);
  } finally {
    await capped.close();
  }
});

test('in the end the books balance, and the wallet has what they say', async () => {
  const sheet = await shop.books.sheet();
  assert(isBalanced(sheet));
  assert.equal(sheet.refundingMsat, 0n);
  const { sendableMsat } = await shop.hostWallet.balance();
  const paidByHand = 2_000n;
  const left = sheet.receivedMsat - sheet.refundedMsat - sheet.refundFeesMsat - paidByHand;
  assert.equal(sendableMsat, left);
});
