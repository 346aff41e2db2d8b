/**
 * Credentials of a bundle, for tests that speak the protocol themselves.
 * @module
 */
import { fromBase64url, toHex } from '../../src/base/bytes/index.ts';
import type { Json } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { callCode, requestHash } from '../../src/pay/bundle/index.ts';
import { printCall } from '../../src/wire/toll/index.ts';
import { PRICE_MSAT, type TestShop } from './shop.ts';

/** The credential for an input under a number. */
export type Credentials = (n: bigint, input: Json) => string;

/** Buys a bundle and makes its credentials, as its owner can. */
export async function buyCredentials(
  shop: TestShop,
  service: string,
  calls: number,
): Promise<Credentials> {
  const link = await shop.payer.connect(shop.url);
  const purchaseId = toHex(systemRandom.bytes(16));
  const maxTotalMsat = msat(PRICE_MSAT * BigInt(calls));
  const { session } = await shop.payer.buy(link, { service, calls, maxTotalMsat, purchaseId });
  const record = (await shop.payerStore.purchase(purchaseId))?.record ?? new Uint8Array(0);
  const { codeKey } = JSON.parse(Buffer.from(record).toString()) as { codeKey: string };
  const key = fromBase64url(codeKey, 'codeKey');
  return (n, input) => {
    const salt = systemRandom.bytes(16);
    const fields = { host: link.key.fingerprint, session, n, done: 0n, salt };
    const code = callCode(key, { ...fields, requestHash: requestHash(service, input) });
    return printCall({ session, n, done: 0n, salt, code });
  };
}
