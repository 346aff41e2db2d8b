/**
 * A process that makes calls through a host and says how large its heap is in between; run with
 * `--expose-gc`.
 * @module
 */
import { z } from 'zod';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock, unixMs } from '../../src/base/time/index.ts';
import { openBooks } from '../../src/books/index.ts';
import { openHost, service, type Host } from '../../src/host/index.ts';
import { CallCodes, requestHashHex } from '../../src/pay/bundle/index.ts';
import { openHostStore } from '../../src/port/store/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { toAuthorization, printCall } from '../../src/wire/toll/index.ts';
import { fixtureHostKeys } from '../fixtures/keys.ts';
import { termsOf } from '../property/world.ts';

const CALLS = 20_000;
const FIRST_LOOK = 5_000;
/** Calls under way at once. */
const AT_ONCE = 32;

const parts = { clock: systemClock, random: systemRandom, log: silentLog };
const store = await openHostStore({ file: ':memory:', thread: false });
// Answers are kept up to a number of bytes: so few that they are full before the first look.
const books = await openBooks({ store, ...parts, limits: { answerBytes: 100_000 } });
const keys = await fixtureHostKeys();
const totalMsat = msat(CALLS * 10);
const paidAtMs = systemClock.now();
const expiresAtMs = unixMs(paidAtMs + 86_400_000);
const terms = { ...termsOf(0), calls: CALLS, totalMsat, expiresAtMs };
await books.open(terms);
const { paymentHash } = terms;
await books.received({ paymentHash, receivedMsat: totalMsat, paidAtMs, cursor: 1n });
const value = z.strictObject({ value: z.number().int() });
const echo = service('quotes', {
  description: 'Says it again.',
  input: value,
  output: value,
  price: { kind: 'each', priceMsat: msat(10) },
  handler: (input) => input,
});
const wallet = openFakeNetwork(parts).wallet('host');
const host = await openHost({ keys, wallet, books, services: [echo], ...parts });

let next = 0;
const heap: number[] = [];
for (const until of [FIRST_LOOK, CALLS]) {
  await Promise.all(Array.from({ length: AT_ONCE }, () => callUntil(host, until)));
  globalThis.gc?.();
  heap.push(process.memoryUsage().heapUsed);
}
const { chargedCalls = 0 } = (await books.session(terms.session))?.state ?? {};
await host.close();
process.send?.({ heap, chargedCalls }, () => process.exit(0));

async function callUntil(to: Host, until: number): Promise<void> {
  const codes = new CallCodes(terms.codeKey, keys.fingerprint, terms.session);
  while (next < until) {
    const n = next++;
    const { session } = terms;
    const done = BigInt(Math.max(0, n - AT_ONCE + 1));
    const fields = { session, n: BigInt(n), done, salt: systemRandom.bytes(16) };
    const code = codes.code(fields, requestHashHex('quotes', { value: n }));
    const authorization = toAuthorization(printCall({ ...fields, code }));
    const headers: Record<string, string> = { authorization, 'content-type': 'application/json' };
    const answer = await to.handle({
      method: 'POST',
      path: '/call/quotes',
      header: (name) => headers[name],
      body: new Uint8Array(Buffer.from(JSON.stringify({ value: n }))),
      address: '127.0.0.1',
    });
    if (answer.status !== 200) throw new Error(Buffer.from(answer.body).toString());
  }
}
