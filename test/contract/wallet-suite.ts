/**
 * What every wallet promises, whatever stands behind it: run on the fake and on each adapter.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { decodeInvoice } from '../../src/bitcoin/bolt/index.ts';
import { toHex } from '../../src/base/bytes/index.ts';
import { sha256 } from '../../src/base/hash/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import {
  paymentFault,
  type Outgoing,
  type PayRequest,
  type Wallet,
} from '../../src/port/wallet/index.ts';
import { holding } from './wallet-hold-suite.ts';
import type { WalletWorld } from './wallet-world.ts';

const TIMEOUT_MS = 60_000;
const HOLD_MS = 400;
const MAX_FEE_MSAT = msat(200_000);
const PREIMAGE_HASH = (preimage: string): string =>
  toHex(sha256(Uint8Array.from(Buffer.from(preimage, 'hex'))));

/** Declares the suite. */
export function walletSuite(name: string, open: () => Promise<WalletWorld>): void {
  describe(`wallet contract: ${name}`, { timeout: 300_000 }, () => {
    let world: WalletWorld;
    before(async () => {
      world = await open();
    });
    after(() => world?.close());
    const use = (): WalletWorld => world;
    factsAndInvoices(use);
    paying(use);
    refusals(use);
    receiving(use);
    listing(use);
    holding(use);
    restarting(use);
  });
}

type Use = () => WalletWorld;

function factsAndInvoices(use: Use): void {
  test('info and balance', async () => {
    const info = await use().payer().info();
    assert.equal(info.network, 'regtest');
    assert.match(info.nodeId, /^0[23][0-9a-f]{64}$/);
    assert.ok(info.heightBlocks > 0);
    const balance = await use().payer().balance();
    assert.ok(balance.sendableMsat >= 1_000_000_000n);
    assert.ok(balance.receivableMsat >= 1_000_000_000n);
    assert.ok(balance.channelsMsat >= balance.sendableMsat);
    assert.equal(balance.closingSat, 0n);
  });

  test('an invoice says what was asked for', async () => {
    const payee = use().payee();
    const made = await payee.createInvoice({
      amountMsat: msat(2_500_001),
      description: 'ten quotes, ½ price',
      expirySeconds: 900,
    });
    const invoice = decodeInvoice(made.invoice);
    assert.equal(invoice.network, 'regtest');
    assert.equal(invoice.amountMsat, 2_500_001n);
    assert.equal(invoice.description, 'ten quotes, ½ price');
    assert.equal(invoice.expirySeconds, 900);
    assert.equal(invoice.paymentHash, made.paymentHash);
    assert.equal(invoice.payee, (await payee.info()).nodeId);
    const early = made.expiresAtMs - (invoice.timestampSeconds + 900) * 1000;
    assert.ok(early >= 0 && early < 1000);
    assert.deepEqual(await payee.incoming(made.paymentHash), { state: 'open', receivedMsat: 0n });
  });

  test('an invoice for nothing, or with a description that is too long, is refused', async () => {
    const payee = use().payee();
    const nothing = { amountMsat: msat(0), description: '', expirySeconds: 60 };
    await assert.rejects(payee.createInvoice(nothing), { code: 'INVOICE_AMOUNT' });
    const long = { description: 'ü'.repeat(320), expirySeconds: 60 };
    await assert.rejects(payee.createInvoice(long), { code: 'BYTES_LENGTH' });
  });

  test('a hash from outside serves one invoice only', async () => {
    const request = { description: '', expirySeconds: 60, paymentHash: randomHash() };
    const made = await use().payee().createInvoice(request);
    assert.equal(made.paymentHash, request.paymentHash);
    await assert.rejects(use().payee().createInvoice(request), { code: 'INVOICE_HASH_USED' });
  });
}

function paying(use: Use): void {
  test('pays exactly what is asked, with a preimage that proves it', async () => {
    const [payer, payee] = [use().payer(), use().payee()];
    const { invoice, paymentHash } = await invoiceOf(payee, 21_000);
    const paid = await pay(payer, invoice);
    assert.equal(paid.state, 'paid');
    assert.equal(paid.amountMsat, 21_000n);
    assert.equal(PREIMAGE_HASH(preimageOf(paid)), paymentHash);
    assert.deepEqual(await payer.outgoing(paymentHash), paid);
    const incoming = await payee.incoming(paymentHash);
    assert.equal(incoming?.state, 'paid');
    assert.equal(incoming?.receivedMsat, 21_000n);
    assert.ok((incoming?.paidAtMs ?? 0) > 0);
  });

  test('pays an invoice without amount', async () => {
    const { invoice, paymentHash } = await invoiceOf(use().payee(), undefined);
    await assert.rejects(pay(use().payer(), invoice), { code: 'INVOICE_AMOUNT' });
    const paid = await pay(use().payer(), invoice, { amountMsat: msat(5_555) });
    assert.deepEqual([paid.state, paid.amountMsat], ['paid', 5_555n]);
    assert.equal((await use().payee().incoming(paymentHash))?.receivedMsat, 5_555n);
  });

  test('the same invoice is paid once, at the same time and later', async () => {
    const [payer, payee] = [use().payer(), use().payee()];
    const { invoice } = await invoiceOf(payee, 7_000);
    const before = await payee.balance();
    const both = await Promise.all([pay(payer, invoice), pay(payer, invoice)]);
    const later = await pay(payer, invoice);
    assert.deepEqual(both, [later, later]);
    assert.equal(later.state, 'paid');
    assert.equal((await payee.balance()).sendableMsat - before.sendableMsat, 7_000n);
  });

  test('pays within the fee limit, and fails beyond it', async () => {
    const { invoice, paymentHash } = await invoiceOf(use().far(), 50_000);
    const refused = await pay(use().payer(), invoice, { maxFeeMsat: msat(0) });
    assert.deepEqual(refused, { state: 'failed', amountMsat: 50_000n, reason: 'PAYMENT_FEE' });
    assert.deepEqual(await use().payer().outgoing(paymentHash), refused);
    const paid = await pay(use().payer(), invoice);
    assert.equal(paid.state, 'paid');
    assert.ok('feeMsat' in paid && paid.feeMsat >= 1_000n && paid.feeMsat <= 100_000n);
  });

  test('fails for certain without the liquidity', async () => {
    const { invoice } = await invoiceOf(use().payee(), use().tooMuchMsat);
    const failed = await pay(use().payer(), invoice);
    assert.ok(failed.state === 'failed');
    assert.equal(failed.reason, 'PAYMENT_LIQUIDITY');
    assert.equal(failed.liquidity?.neededMsat, use().tooMuchMsat);
    assert.ok((failed.liquidity?.sendableMsat ?? 0n) > 1_000_000_000n);
    const { code, facts } = paymentFault(failed);
    assert.equal(code, 'PAYMENT_LIQUIDITY');
    assert.deepEqual(Object.keys(facts), ['neededMsat', 'sendableMsat']);
    assert.deepEqual(await use().payer().outgoing(failedHash(invoice)), failed);
  });

  test('pays and is paid more than any one channel carries', async () => {
    const [payer, payee] = [use().payer(), use().payee()];
    const before = await payee.balance();
    const there = await invoiceOf(payee, use().multiPartMsat);
    const paid = await pay(payer, there.invoice);
    assert.equal(paid.state, 'paid');
    assert.equal(PREIMAGE_HASH(preimageOf(paid)), there.paymentHash);
    assert.equal((await payee.incoming(there.paymentHash))?.receivedMsat, use().multiPartMsat);
    const back = await invoiceOf(payer, use().multiPartMsat);
    assert.equal((await pay(payee, back.invoice)).state, 'paid');
    assert.equal((await payer.incoming(back.paymentHash))?.receivedMsat, use().multiPartMsat);
    assert.equal((await payee.balance()).channelsMsat, before.channelsMsat);
  });

  test('knows nothing of payments that were never started', async () => {
    assert.equal(await use().payer().outgoing(randomHash()), undefined);
    assert.equal(await use().payee().incoming(randomHash()), undefined);
  });
}

function refusals(use: Use): void {
  test('refuses another amount than that of the invoice', async () => {
    const { invoice, paymentHash } = await invoiceOf(use().payee(), 1_000);
    const wrong = pay(use().payer(), invoice, { amountMsat: msat(1_001) });
    await assert.rejects(wrong, { code: 'INVOICE_AMOUNT' });
    assert.equal(await use().payer().outgoing(paymentHash), undefined);
  });

  test('refuses to pay itself', async () => {
    const { invoice } = await invoiceOf(use().payer(), 1_000);
    await assert.rejects(pay(use().payer(), invoice), { code: 'INVOICE_OWN' });
  });

  test('refuses what is no invoice, or for another network', async () => {
    await assert.rejects(pay(use().payer(), 'lnbcrt1'), { code: 'INVOICE_MALFORMED' });
    // BOLT 11, examples: "Please make a donation of any amount".
    const mainnet = [
      'lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwz',
      'qfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus',
      '8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52',
      'vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql',
    ].join('');
    await assert.rejects(pay(use().payer(), mainnet), { code: 'INVOICE_NETWORK' });
  });

  test('refuses an invoice that has expired, and an open one becomes expired', async () => {
    const { invoice, paymentHash } = await invoiceOf(use().payee(), 1_000, 60);
    const paidBefore = await invoiceOf(use().payee(), 1_000, 60);
    const paid = await pay(use().payer(), paidBefore.invoice);
    use().passTime(61_000);
    await assert.rejects(pay(use().payer(), invoice), { code: 'INVOICE_EXPIRED' });
    assert.equal((await use().payee().incoming(paymentHash))?.state, 'expired');
    // What was paid in time stays known.
    assert.deepEqual(await pay(use().payer(), paidBefore.invoice), paid);
    assert.equal((await use().payee().incoming(paidBefore.paymentHash))?.state, 'paid');
  });
}

function receiving(use: Use): void {
  test('tells what was received, in order, page by page, and wakes its subscriber', async () => {
    const [payer, payee] = [use().payer(), use().payee()];
    const start = (await payee.receivedAfter(0n, 1000)).at(-1)?.cursor ?? 0n;
    const invoices = await Promise.all([1, 2, 3].map((n) => invoiceOf(payee, n * 1_000)));
    const woken = new Promise<void>((resolve) => {
      const stop = payee.onReceived(() => {
        stop();
        resolve();
      });
    });
    for (const { invoice } of invoices) await pay(payer, invoice);
    await woken;
    const all = await payee.receivedAfter(start, 10);
    assert.deepEqual(
      all.map((received) => [received.paymentHash, received.receivedMsat]),
      invoices.map(({ paymentHash }, i) => [paymentHash, BigInt(i + 1) * 1_000n]),
    );
    const cursors = all.map(({ cursor }) => cursor);
    assert.deepEqual(
      cursors,
      [...new Set(cursors)].toSorted((a, b) => Number(a - b)),
    );
    assert.deepEqual(await payee.receivedAfter(start, 2), all.slice(0, 2));
    assert.deepEqual(await payee.receivedAfter(cursors[1] ?? 0n, 10), all.slice(2));
    assert.deepEqual(await payee.receivedAfter(cursors[2] ?? 0n, 10), []);
  });

  test('holds a payment for a hash from outside, over a restart', async () => {
    const paymentHash = randomHash();
    const request = { amountMsat: msat(3_000), description: '', expirySeconds: 600, paymentHash };
    const { invoice } = await use().payee().createInvoice(request);
    const before = (await use().payee().receivedAfter(0n, 1000)).length;
    const pending = await pay(use().payer(), invoice, { timeoutMs: HOLD_MS });
    assert.deepEqual(pending, { state: 'pending', amountMsat: 3_000n });
    const held = { state: 'held', receivedMsat: 3_000n };
    assert.deepEqual(await use().payee().incoming(paymentHash), held);
    await use().restart('payee');
    assert.deepEqual(await use().payee().incoming(paymentHash), held);
    assert.equal((await use().payee().receivedAfter(0n, 1000)).length, before);
    assert.deepEqual(await use().payer().outgoing(paymentHash), pending);
    // Nobody waits for it any more, and it is as much under way as before.
    await use().payee().cancel(paymentHash);
    while ((await use().payer().outgoing(paymentHash))?.state === 'pending') {
      await systemClock.sleep(5);
    }
    assert.equal((await use().payer().outgoing(paymentHash))?.state, 'failed');
  });
}

function listing(use: Use): void {
  test('lists what it paid, page by page; what is started again keeps its place', async () => {
    const [payer, payee] = [use().payer(), use().payee()];
    const start = (await payer.listOutgoing(0n, 1000)).at(-1)?.cursor ?? 0n;
    const far = await invoiceOf(use().far(), 50_000);
    await pay(payer, far.invoice, { maxFeeMsat: msat(0) });
    const direct = await invoiceOf(payee, 1_000);
    const paid = await pay(payer, direct.invoice);
    const listed = await payer.listOutgoing(start, 10);
    const hashes = [far.paymentHash, direct.paymentHash];
    assert.deepEqual(
      listed.map(({ paymentHash }) => paymentHash),
      hashes,
    );
    assert.deepEqual(listed[1]?.outgoing, paid);
    assert.equal(listed[0]?.outgoing.state, 'failed');
    await pay(payer, far.invoice);
    await use().restart('payer');
    const again = await use().payer().listOutgoing(start, 10);
    assert.deepEqual(
      again.map(({ cursor }) => cursor),
      listed.map(({ cursor }) => cursor),
    );
    assert.deepEqual(
      again.map(({ outgoing }) => outgoing.state),
      ['paid', 'paid'],
    );
    assert.deepEqual(await use().payer().listOutgoing(start, 1), again.slice(0, 1));
    assert.deepEqual(await use().payer().listOutgoing(start, 0), again.slice(0, 1));
    assert.deepEqual(
      await use()
        .payer()
        .listOutgoing(again[0]?.cursor ?? 0n, 9),
      again.slice(1),
    );
  });

  test('lists its invoices in the order in which they were made', async () => {
    const payee = use().payee();
    const start = (await payee.listIncoming(0n, 1000)).at(-1)?.cursor ?? 0n;
    const made = [await invoiceOf(payee, 1_000), await invoiceOf(payee, 2_000)];
    await pay(use().payer(), made[1]?.invoice ?? '');
    const listed = await payee.listIncoming(start, 10);
    assert.deepEqual(
      listed.map(({ paymentHash, incoming }) => [paymentHash, incoming.state]),
      [
        [made[0]?.paymentHash, 'open'],
        [made[1]?.paymentHash, 'paid'],
      ],
    );
    assert.deepEqual(await payee.listIncoming(listed[0]?.cursor ?? 0n, 10), listed.slice(1));
  });
}

function restarting(use: Use): void {
  test('a restart keeps everything', async () => {
    const { invoice, paymentHash } = await invoiceOf(use().payee(), 4_000);
    const open = await invoiceOf(use().payee(), 6_000);
    const paid = await pay(use().payer(), invoice);
    const nodeId = (await use().payee().info()).nodeId;
    const received = await use().payee().receivedAfter(0n, 1000);
    const incoming = await use().payee().incoming(paymentHash);
    await use().restart('payee');
    await use().restart('payer');
    assert.equal((await use().payee().info()).nodeId, nodeId);
    assert.deepEqual(await use().payee().receivedAfter(0n, 1000), received);
    assert.deepEqual(await use().payee().incoming(paymentHash), incoming);
    assert.deepEqual(await use().payer().outgoing(paymentHash), paid);
    assert.deepEqual(await pay(use().payer(), invoice), paid);
    const after = await pay(use().payer(), open.invoice);
    assert.equal(after.state, 'paid');
  });

  test('a closed wallet answers nothing', async () => {
    const closed = use().payee();
    await use().restart('payee');
    await assert.rejects(closed.info(), { code: 'WALLET_STOPPED' });
    assert.equal((await use().payee().info()).network, 'regtest');
  });
}

function invoiceOf(
  wallet: Wallet,
  amountMsat: number | bigint | undefined,
  expirySeconds = 600,
): ReturnType<Wallet['createInvoice']> {
  const asked = amountMsat === undefined ? {} : { amountMsat: msat(amountMsat) };
  return wallet.createInvoice({ description: 'contract', expirySeconds, ...asked });
}

function pay(wallet: Wallet, invoice: string, more: Partial<PayRequest> = {}): Promise<Outgoing> {
  return wallet.pay({ invoice, maxFeeMsat: MAX_FEE_MSAT, timeoutMs: TIMEOUT_MS, ...more });
}

function failedHash(invoice: string): string {
  return decodeInvoice(invoice).paymentHash;
}

function preimageOf(outgoing: Outgoing): string {
  return 'preimage' in outgoing ? outgoing.preimage : '';
}

function randomHash(): string {
  return toHex(systemRandom.bytes(32));
}
