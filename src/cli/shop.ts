/**
 * A shop that sells the sample quotes.
 * @module
 */
import { msat } from '../base/money/index.ts';
import type { Service } from '../host/index.ts';
import { openShop, type Shop, type ShopOptions } from '../package/host/index.ts';
import { SAMPLE_QUOTES, quotesService } from './quotes.ts';

/** What one call of the sample service costs. */
export const SAMPLE_PRICE_MSAT = msat(1000);
/** Its name. */
export const SAMPLE_NAME = 'quotes';

/** The sample service at its price. */
export function sampleService(): Service {
  return quotesService(SAMPLE_QUOTES, { kind: 'each', priceMsat: SAMPLE_PRICE_MSAT });
}

/** Opens it. @throws Fault as `openShop` */
export function openSampleShop(options: Omit<ShopOptions, 'services'>): Promise<Shop> {
  return openShop({ ...options, services: [sampleService()] });
}
