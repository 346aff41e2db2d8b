/**
 * The sample service: stock quotes out of a CSV file.
 * @module
 */
import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { Fault } from '../base/fault/index.ts';
import { service, type Service } from '../host/index.ts';
import type { BundlePrice } from '../pay/price/index.ts';

const row = z.object({
  symbol: z.string().regex(/^[A-Z0-9.]{1,12}$/),
  price: z.string().regex(/^\d+(\.\d+)?$/),
  currency: z.string().regex(/^[A-Z]{3}$/),
  as_of: z.iso.date(),
});

const input = z.strictObject({ symbol: z.string().regex(/^[A-Z0-9.]{1,12}$/) });

/** The file that comes with tollcall. */
export const SAMPLE_QUOTES = new URL('./quotes.csv', import.meta.url);

/**
 * Sells the lines of a CSV file with the columns symbol, price, currency and as_of.
 * @throws Fault `CONFIG_INVALID` when the file cannot be read or a line is not of that form
 */
export function quotesService(file: string | URL, price: BundlePrice): Service {
  const quotes = new Map(readRows(file).map((quote) => [quote.symbol, quote]));
  return service('quotes', {
    description: 'The last price of a stock. Input: {"symbol": "AAPL"}.',
    input,
    output: row,
    price,
    handler: ({ symbol }) => {
      const quote = quotes.get(symbol);
      if (!quote) throw new Fault('SERVICE_FAILED', { reason: `no quote for ${symbol}` });
      return quote;
    },
  });
}

function readRows(file: string | URL): z.infer<typeof row>[] {
  try {
    return z.array(row).parse(parse(readFileSync(file), { columns: true, trim: true }));
  } catch (error) {
    throw new Fault('CONFIG_INVALID', { file: String(file), problem: 'not a quotes file' }, error);
  }
}
