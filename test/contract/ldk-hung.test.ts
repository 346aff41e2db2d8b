/**
 * A node's process that answers nothing any more: nobody waits for it for ever, it is started
 * again, and a payment that it was asked for is looked up.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '../../src/base/fault/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { decodeInvoice } from '../../src/bitcoin/bolt/index.ts';
import { openLdkWorld, until, usable } from './ldk-world.ts';

/** Long enough for a node that answers. */
const ANSWER_MS = 5_000;

test('a hung node is ended and started again; its payments have one outcome', async (t) => {
  const world = await openLdkWorld(ANSWER_MS);
  t.after(() => world.close());
  const [payer, payee] = await Promise.all([world.open('payer'), world.open('payee')]);
  await world.channel(payer, payee);
  await usable(payer);
  const { nodeId } = await payer.info();

  await payer.freeze();
  const info = await payer.info().catch((error: unknown) => error);
  assert.ok(isFault(info));
  assert.equal(info.code, 'WALLET_STOPPED');
  assert.deepEqual([info.row.money, info.row.retry], ['unknown', 'same']);
  assert.equal((await payer.info()).nodeId, nodeId, 'it runs again');
  await usable(payer);

  const amountMsat = msat(50_000);
  const request = { amountMsat, description: 'hung', expirySeconds: 600 };
  const { invoice } = await payee.createInvoice(request);
  const { paymentHash } = decodeInvoice(invoice);
  const paying = payer.pay({ invoice, maxFeeMsat: msat(1000), timeoutMs: 60_000 });
  await until(async () => (await payer.outgoing(paymentHash)) !== undefined);
  await payer.freeze();
  const told = await paying;
  assert.notEqual(told.state, 'failed', 'nothing is certain');
  // Whoever asks the node while it hangs is told that it stopped.
  const stateOf = async (): Promise<string | undefined> =>
    (await payer.outgoing(paymentHash).catch(() => undefined))?.state;
  await until(async () => (await stateOf()) === 'paid');
  assert.equal((await payee.incoming(paymentHash))?.state, 'paid');
  assert.equal((await payee.receivedAfter(0n, 10)).length, 1);
});
