/**
 * `tollcall wallet pay`: what it pays, what it refuses, and that asking again pays nothing.
 * @module
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { msat } from '../../src/base/money/index.ts';
import { sha256 } from '../../src/base/hash/index.ts';
import { fromHex, toHex } from '../../src/base/bytes/index.ts';
import { Home, type Ended } from './cli.ts';
import { offerProfile } from './pocket.ts';
import { openShop, type TestShop } from './shop.ts';

const home = new Home();
let shop: TestShop;
let offered: { close(): Promise<void> };
before(async () => {
  shop = await openShop();
  offered = await offerProfile(home.at('payer'), shop.payerWallet);
});
after(async () => {
  await offered.close();
  await shop.close();
  await home.leave();
});

const invoiceFor = (sats?: bigint): Promise<{ invoice: string; paymentHash: string }> =>
  shop.hostWallet.createInvoice({
    ...(sats === undefined ? {} : { amountMsat: msat(sats * 1000n) }),
    description: 'tea',
    expirySeconds: 600,
  });

const pay = (...args: readonly string[]): Promise<Ended> =>
  home.runBeside('wallet', 'pay', '--profile', home.at('payer'), ...args);

test('it pays, and shows the proof; the same invoice again is the same payment', async () => {
  const { invoice, paymentHash } = await invoiceFor(4n);
  const before = await shop.payerWallet.balance();
  const paid = await pay(`lightning:${invoice}`, '--json', '--max-msat', '4000');
  const facts = JSON.parse(paid.stdout) as Record<string, string>;
  assert.equal(paid.status, 0, paid.stderr);
  assert.equal(facts['payment_hash'], paymentHash);
  assert.equal(facts['amount_msat'], '4000');
  assert.equal(toHex(sha256(fromHex(facts['preimage'], 'preimage'))), paymentHash);
  const again = await pay(invoice);
  assert.match(again.stdout, /paid 4 sat, 0 sat in fees; preimage [0-9a-f]{64}/);
  const spent = before.sendableMsat - (await shop.payerWallet.balance()).sendableMsat;
  assert.equal(spent, 4000n);
});

test('above the limit, without an amount, no invoice: refused, nothing is paid', async () => {
  const before = await shop.payerWallet.balance();
  const [{ invoice }, open] = await Promise.all([invoiceFor(4n), invoiceFor()]);
  const cases = [
    [1, /PAYMENT_PRICE; money: unspent/, invoice, '--max-msat', '3999'],
    [1, /INVOICE_AMOUNT/, open.invoice],
    [2, /INVOICE_MALFORMED/, 'lnbcrt1nonsense'],
    [2, /USAGE_INVALID/, invoice, '--max-msat', 'much'],
  ] as const;
  for (const [status, expected, ...args] of cases) {
    const ended = await pay(...args);
    assert.match(ended.stderr, expected);
    assert.equal(ended.status, status, ended.stderr);
  }
  assert.deepEqual(await shop.payerWallet.balance(), before);
});
