/**
 * What an order costs, and the invoice for it.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import { msat, type Msat } from '../base/money/index.ts';
import type { Line } from '../pay/ledger/index.ts';
import { MAX_CALLS, bundleTotalMsat } from '../pay/price/index.ts';
import type { LaneOrder } from '../pay/tick/index.ts';
import type { CreatedInvoice, Wallet } from '../port/wallet/index.ts';
import { INVOICE_EXPIRY_SECONDS, MAX_INVOICE_LINES } from './limits.ts';
import type { Service } from './service.ts';

/**
 * What calls of a service cost, by the price list.
 * @throws Fault `SERVICE_UNKNOWN`, `SERVICE_QUANTITY`
 */
export function priceLine(
  services: ReadonlyMap<string, Service>,
  { service: name, calls }: Pick<Line, 'service' | 'calls'>,
): Line {
  const service = services.get(name);
  if (!service) throw new Fault('SERVICE_UNKNOWN', { service: name.slice(0, 64) });
  if (!Number.isInteger(calls) || calls < 1 || calls > service.maxCalls) {
    throw new Fault('SERVICE_QUANTITY', { min: 1, max: service.maxCalls });
  }
  return { service: name, calls, totalMsat: bundleTotalMsat(service.price, calls) };
}

/**
 * What ordered lanes cost together.
 * @throws Fault `TICK_UNSOLD`, `SERVICE_UNKNOWN`, `SERVICE_QUANTITY`
 */
export function priceLanes(
  services: ReadonlyMap<string, Service>,
  { service: name, calls }: Pick<Line, 'service' | 'calls'>,
  lanes: readonly LaneOrder[],
): { readonly line: Line; readonly unitMsat: Msat } {
  const service = services.get(name);
  if (service === undefined) throw new Fault('SERVICE_UNKNOWN', { service: name.slice(0, 64) });
  if (service.ticks === undefined) throw new Fault('TICK_UNSOLD', { service: name });
  const units = lanes.reduce((sum, { length }) => sum + length, 0);
  const { unitMsat } = service.ticks.price;
  const totalMsat = unitMsat * BigInt(units);
  const exact = totalMsat <= BigInt(Number.MAX_SAFE_INTEGER);
  if (units !== calls || units > MAX_CALLS || !exact) {
    throw new Fault('SERVICE_QUANTITY', { min: 1, max: MAX_CALLS });
  }
  return { line: { service: name, calls: units, totalMsat: msat(totalMsat) }, unitMsat };
}

/** An invoice for some calls. @throws Fault `HOST_WALLET` */
export async function makeInvoice(
  wallet: Wallet,
  lines: readonly Pick<Line, 'service' | 'calls'>[],
  amountMsat: Msat,
): Promise<CreatedInvoice> {
  const named = lines.slice(0, MAX_INVOICE_LINES).map(lineText);
  const description = named.join(', ') + (lines.length > MAX_INVOICE_LINES ? ', ...' : '');
  try {
    return await wallet.createInvoice({
      amountMsat,
      description,
      expirySeconds: INVOICE_EXPIRY_SECONDS,
    });
  } catch (error) {
    throw new Fault('HOST_WALLET', {}, error);
  }
}

function lineText({ service, calls }: Pick<Line, 'service' | 'calls'>): string {
  return `${calls} ${calls === 1 ? 'call' : 'calls'} of ${service}`;
}
