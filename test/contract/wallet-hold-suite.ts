/**
 * What every node's wallet promises about hold invoices.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../src/base/bytes/index.ts';
import { sha256 } from '../../src/base/hash/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import type { Held, NodeWallet, Outgoing } from '../../src/port/wallet/index.ts';
import type { WalletWorld } from './wallet-world.ts';

const AMOUNT_MSAT = msat(30_000);
const TIMEOUT_MS = 60_000;
const OPEN = { state: 'open', receivedMsat: 0n };
const HELD = { state: 'held', receivedMsat: AMOUNT_MSAT };
const CANCELLED = { state: 'cancelled', receivedMsat: 0n };

interface Hold {
  readonly invoice: string;
  readonly paymentHash: string;
  readonly preimage: string;
}

/** Declares the tests. */
export function holding(use: () => WalletWorld): void {
  deciding(use);
  refusing(use);
  surviving(use);
}

function deciding(use: () => WalletWorld): void {
  test('a held payment is told, then settled, and only then received', async () => {
    const [payer, payee] = [use().payer(), use().payee()];
    const hold = await holdInvoice(payee);
    assert.deepEqual(await payee.incoming(hold.paymentHash), OPEN);
    const start = (await payee.receivedAfter(0n, 1000)).at(-1)?.cursor ?? 0n;
    const woken = new Promise<void>((resolve) => {
      const stop = payee.onHeld(() => {
        stop();
        resolve();
      });
    });
    const paying = pay(payer, hold.invoice);
    await woken;
    const held = await heldOf(payee, hold);
    assert.equal(held?.receivedMsat, AMOUNT_MSAT);
    assert.ok((held?.cancelHeightBlocks ?? 0) > (await payee.info()).heightBlocks + 100);
    assert.deepEqual(await payee.incoming(hold.paymentHash), HELD);
    assert.deepEqual(await payee.receivedAfter(start, 10), []);
    const settled = await payee.settle(hold.preimage);
    assert.equal(settled.state, 'paid');
    assert.deepEqual(await payee.settle(hold.preimage), settled);
    assert.deepEqual(await payee.incoming(hold.paymentHash), settled);
    const paid = await paying;
    assert.equal(paid.state === 'paid' ? paid.preimage : undefined, hold.preimage);
    const received = await payee.receivedAfter(start, 10);
    assert.deepEqual(
      received.map(({ paymentHash, receivedMsat }) => [paymentHash, receivedMsat]),
      [[hold.paymentHash, AMOUNT_MSAT]],
    );
    assert.equal(await heldOf(payee, hold), undefined);
  });

  test('a held payment that is cancelled goes back to its payer', async () => {
    const [payer, payee] = [use().payer(), use().payee()];
    const hold = await holdInvoice(payee);
    const paying = pay(payer, hold.invoice);
    await untilHeld(payee, hold);
    assert.deepEqual(await payee.cancel(hold.paymentHash), CANCELLED);
    assert.deepEqual(await payee.cancel(hold.paymentHash), CANCELLED);
    const failed = { state: 'failed', amountMsat: AMOUNT_MSAT, reason: 'PAYMENT_REFUSED' };
    assert.deepEqual(await paying, failed);
    assert.equal(await heldOf(payee, hold), undefined);
    const late = payee.settle(hold.preimage);
    await assert.rejects(late, { code: 'INVOICE_NOT_HELD', facts: { state: 'cancelled' } });
    assert.deepEqual(await pay(payer, hold.invoice), failed);
  });

  test('several are held at once: pages in their order, each decided alone', async () => {
    const [payer, payee] = [use().payer(), use().payee()];
    const holds = [await holdInvoice(payee), await holdInvoice(payee), await holdInvoice(payee)];
    const start = (await payee.heldAfter(0n, 1000)).at(-1)?.cursor ?? 0n;
    const paying: Promise<Outgoing>[] = [];
    for (const hold of holds) {
      paying.push(pay(payer, hold.invoice));
      await untilHeld(payee, hold);
    }
    const all = await payee.heldAfter(start, 10);
    assert.deepEqual(
      all.map(({ paymentHash }) => paymentHash),
      holds.map(({ paymentHash }) => paymentHash),
    );
    assert.deepEqual(await payee.heldAfter(start, 2), all.slice(0, 2));
    assert.deepEqual(await payee.heldAfter(all[0]?.cursor ?? 0n, 10), all.slice(1));
    await payee.settle(holds[1]?.preimage ?? '');
    await payee.cancel(holds[0]?.paymentHash ?? '');
    assert.deepEqual(await payee.heldAfter(start, 10), all.slice(2));
    await payee.settle(holds[2]?.preimage ?? '');
    const states = (await Promise.all(paying)).map(({ state }) => state);
    assert.deepEqual(states, ['failed', 'paid', 'paid']);
  });
}

function refusing(use: () => WalletWorld): void {
  test('what is not held cannot be settled', async () => {
    const payee = use().payee();
    const unknown = toHex(systemRandom.bytes(32));
    await assert.rejects(payee.settle(unknown), { code: 'INVOICE_UNKNOWN' });
    await assert.rejects(payee.settle('00'), { code: 'BYTES_LENGTH' });
    await assert.rejects(payee.cancel(unknown), { code: 'INVOICE_UNKNOWN' });
    const { preimage, paymentHash } = await holdInvoice(payee);
    const open = { code: 'INVOICE_NOT_HELD', facts: { state: 'open' } };
    await assert.rejects(payee.settle(preimage), open);
    assert.deepEqual(await payee.incoming(paymentHash), OPEN);
  });

  test('an open invoice that is cancelled takes no payment', async () => {
    const payee = use().payee();
    const hold = await holdInvoice(payee);
    const request = { amountMsat: AMOUNT_MSAT, description: '', expirySeconds: 600 };
    const own = await payee.createInvoice(request);
    for (const { invoice, paymentHash } of [hold, own]) {
      assert.deepEqual(await payee.cancel(paymentHash), CANCELLED);
      const refused = await pay(use().payer(), invoice);
      assert.equal(refused.state === 'failed' ? refused.reason : '', 'PAYMENT_REFUSED');
      assert.deepEqual(await payee.incoming(paymentHash), CANCELLED);
    }
  });

  test('what is paid cannot be cancelled', async () => {
    const payee = use().payee();
    const request = { amountMsat: AMOUNT_MSAT, description: '', expirySeconds: 600 };
    const { invoice, paymentHash } = await payee.createInvoice(request);
    const paid = await pay(use().payer(), invoice);
    await assert.rejects(payee.cancel(paymentHash), { code: 'INVOICE_SETTLED' });
    const preimage = paid.state === 'paid' ? paid.preimage : '';
    assert.deepEqual(await payee.settle(preimage), await payee.incoming(paymentHash));
  });
}

function surviving(use: () => WalletWorld): void {
  test('held payments survive restarts of both sides and the expiry of their invoice', async () => {
    const holds = [await holdInvoice(use().payee()), await holdInvoice(use().payee())];
    for (const { invoice } of holds) void pay(use().payer(), invoice);
    for (const hold of holds) await untilHeld(use().payee(), hold);
    const before = await use().payee().heldAfter(0n, 1000);
    await use().restart('payee');
    await use().restart('payer');
    use().passTime(700_000);
    const payee = use().payee();
    assert.deepEqual(await payee.heldAfter(0n, 1000), before);
    const [settled, cancelled] = holds;
    assert.ok(settled && cancelled);
    assert.deepEqual(await payee.incoming(settled.paymentHash), HELD);
    assert.equal((await payee.settle(settled.preimage)).state, 'paid');
    await payee.cancel(cancelled.paymentHash);
    await use().restart('payee');
    assert.equal(await outcome(use().payer(), settled), 'paid');
    assert.equal(await outcome(use().payer(), cancelled), 'failed');
    assert.equal((await use().payee().incoming(settled.paymentHash))?.state, 'paid');
    assert.deepEqual(await use().payee().incoming(cancelled.paymentHash), CANCELLED);
  });

  test('what is held up to its deadline is cancelled, before the chain decides', async () => {
    const [payer, payee] = [use().payer(), use().payee()];
    const hold = await holdInvoice(payee);
    const paying = pay(payer, hold.invoice);
    const { cancelHeightBlocks } = await untilHeld(payee, hold);
    await use().mine(cancelHeightBlocks - 1 - (await payee.info()).heightBlocks);
    assert.deepEqual(await payee.incoming(hold.paymentHash), HELD);
    await use().mine(1);
    assert.deepEqual(await payee.incoming(hold.paymentHash), CANCELLED);
    assert.deepEqual(await payee.heldAfter(0n, 10), []);
    assert.equal((await paying).state, 'failed');
    await assert.rejects(payee.settle(hold.preimage), { code: 'INVOICE_NOT_HELD' });
  });
}

async function holdInvoice(payee: NodeWallet): Promise<Hold> {
  const secret = systemRandom.bytes(32);
  const paymentHash = toHex(sha256(secret));
  const request = { amountMsat: AMOUNT_MSAT, description: 'hold', expirySeconds: 600, paymentHash };
  const { invoice } = await payee.createInvoice(request);
  return { invoice, paymentHash, preimage: toHex(secret) };
}

function pay(payer: NodeWallet, invoice: string): Promise<Outgoing> {
  return payer.pay({ invoice, maxFeeMsat: msat(0), timeoutMs: TIMEOUT_MS });
}

async function heldOf(payee: NodeWallet, { paymentHash }: Hold): Promise<Held | undefined> {
  return (await payee.heldAfter(0n, 1000)).find((held) => held.paymentHash === paymentHash);
}

async function untilHeld(payee: NodeWallet, hold: Hold): Promise<Held> {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  for (;;) {
    const held = await heldOf(payee, hold);
    if (held) return held;
    await systemClock.sleep(5, deadline);
  }
}

/** What became of a payment, once that is certain. */
async function outcome(payer: NodeWallet, { paymentHash }: Hold): Promise<string | undefined> {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  for (;;) {
    const outgoing = await payer.outgoing(paymentHash);
    if (outgoing?.state !== 'pending') return outgoing?.state;
    await systemClock.sleep(5, deadline);
  }
}
