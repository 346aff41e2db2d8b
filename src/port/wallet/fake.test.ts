/**
 * The fake network: what it does on demand, and that it never makes or loses money.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msat } from '../../base/money/index.ts';
import { seededRandom } from '../../base/random/index.ts';
import { systemClock, unixMs, type Clock } from '../../base/time/index.ts';
import { openFakeNetwork, type FakeNetwork, type FakeWallet } from './fake.ts';
import type { Outgoing } from './wallet.ts';

const FUNDS_MSAT = msat(10_000_000);

interface Pair {
  readonly network: FakeNetwork;
  readonly payer: FakeWallet;
  readonly payee: FakeWallet;
}

function open(clock: Clock = systemClock): Pair {
  const network = openFakeNetwork({ clock, random: seededRandom(1) });
  const payer = network.wallet('payer');
  payer.fund(FUNDS_MSAT);
  return { network, payer, payee: network.wallet('payee') };
}

async function invoice(payee: FakeWallet): Promise<{ invoice: string; paymentHash: string }> {
  const request = { amountMsat: msat(1_000), description: '', expirySeconds: 600 };
  return await payee.createInvoice(request);
}

function pay(payer: FakeWallet, text: string, timeoutMs = 0): Promise<Outgoing> {
  return payer.pay({ invoice: text, maxFeeMsat: msat(10_000), timeoutMs });
}

function conserved({ network }: Pair): void {
  const { balancesMsat, inFlightMsat, feesMsat } = network.totals();
  assert.equal(balancesMsat + inFlightMsat + feesMsat, FUNDS_MSAT);
}

test('a payment told to stay pending does so until it is resolved, either way', async () => {
  const pair = open();
  const { network, payer, payee } = pair;
  for (const outcome of ['paid', 'PAYMENT_REFUSED'] as const) {
    const made = await invoice(payee);
    payer.nextPay({ kind: 'pending' });
    assert.deepEqual(await pay(payer, made.invoice), { state: 'pending', amountMsat: 1_000n });
    assert.deepEqual(await pay(payer, made.invoice), { state: 'pending', amountMsat: 1_000n });
    assert.equal(network.totals().inFlightMsat, 1_000n);
    assert.equal((await payee.incoming(made.paymentHash))?.state, 'open');
    conserved(pair);
    const waiting = pay(payer, made.invoice, 10_000);
    payer.resolve(made.paymentHash, outcome);
    const expected = outcome === 'paid' ? 'paid' : 'failed';
    assert.equal((await waiting).state, expected);
    assert.equal(network.totals().inFlightMsat, 0n);
    conserved(pair);
  }
  assert.equal((await payee.balance()).sendableMsat, 1_000n);
  network.close();
});

test('a payment told to fail does so, once, and takes no money', async () => {
  const pair = open();
  const { network, payer, payee } = pair;
  const made = await invoice(payee);
  payer.nextPay({ kind: 'fail', reason: 'PAYMENT_NO_ROUTE' });
  const failed = await pay(payer, made.invoice);
  assert.deepEqual(failed, { state: 'failed', amountMsat: 1_000n, reason: 'PAYMENT_NO_ROUTE' });
  assert.equal((await payer.balance()).sendableMsat, FUNDS_MSAT);
  assert.equal((await pay(payer, made.invoice)).state, 'paid');
  conserved(pair);
  network.close();
});

test('a delayed payment arrives when its time has come on the clock', async () => {
  const timers: { fire: () => void; ms: number }[] = [];
  const clock: Clock = {
    ...systemClock,
    now: () => unixMs(1_800_000_000_000),
    timer: (ms, fire) => {
      timers.push({ fire, ms });
      return () => undefined;
    },
  };
  const { network, payer, payee } = open(clock);
  const made = await invoice(payee);
  payer.nextPay({ kind: 'delay', delayMs: 5_000 });
  const waiting = pay(payer, made.invoice, 60_000);
  assert.equal((await payer.outgoing(made.paymentHash))?.state, 'pending');
  const delays = timers.filter(({ ms }) => ms === 5_000);
  assert.equal(delays.length, 1);
  delays[0]?.fire();
  assert.equal((await waiting).state, 'paid');
  network.close();
});

test('lost wake-ups are lost, and what was received is still there', async () => {
  const { network, payer, payee } = open();
  let wakes = 0;
  payee.onReceived(() => wakes++);
  payee.loseWakes(true);
  await pay(payer, (await invoice(payee)).invoice);
  assert.equal(wakes, 0);
  assert.equal((await payee.receivedAfter(0n, 10)).length, 1);
  payee.loseWakes(false);
  await pay(payer, (await invoice(payee)).invoice);
  assert.equal(wakes, 1);
  assert.equal((await payee.receivedAfter(0n, 10)).length, 2);
  network.close();
});

test('a routing fee leaves the payer and reaches nobody', async () => {
  const pair = open();
  const { network, payer, payee } = pair;
  payee.setRouteFee(msat(7));
  const paid = await pay(payer, (await invoice(payee)).invoice);
  assert.equal(paid.state === 'paid' ? paid.feeMsat : undefined, 7n);
  assert.equal(network.totals().feesMsat, 7n);
  conserved(pair);
  network.close();
});

test('only one of two payers of the same invoice pays', async () => {
  const pair = open();
  const { network, payer, payee } = pair;
  const other = network.wallet('other');
  other.fund(msat(5_000));
  const made = await invoice(payee);
  assert.equal((await pay(payer, made.invoice)).state, 'paid');
  const refused = await pay(other, made.invoice);
  assert.deepEqual(refused, { state: 'failed', amountMsat: 1_000n, reason: 'PAYMENT_REFUSED' });
  assert.equal((await other.balance()).sendableMsat, 5_000n);
  network.close();
});

test('the same seed gives the same invoices', async () => {
  const clock: Clock = { ...systemClock, now: () => unixMs(1_800_000_000_000) };
  const [first, second] = [open(clock), open(clock)];
  assert.deepEqual(await invoice(first.payee), await invoice(second.payee));
  first.network.close();
  second.network.close();
});
