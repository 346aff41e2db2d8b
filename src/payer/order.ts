/**
 * What is ordered: bundles and lanes in one form, their price by the price list, and whether two
 * orders are the same.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import { msat, parseMsat, type Msat } from '../base/money/index.ts';
import type { OrderLine } from '../pay/bundle/index.ts';
import { bundleTotalMsat } from '../pay/price/index.ts';
import type { Purchase } from '../port/store/index.ts';
import { priceFromJson } from '../wire/toll/index.ts';
import type { Link } from './link.ts';
import { parseRecord, type LaneSeed } from './record.ts';
import type { Order } from './setup.ts';

/** The names of what is ordered, as a purchase keeps them. */
export function namesOf(lines: readonly OrderLine[]): string {
  return lines.map(({ service }) => service).join(',');
}

/** What a bundle costs by the price list. @throws Fault `SERVICE_UNKNOWN`, `SERVICE_QUANTITY` */
export function priceOf(link: Link, { service, calls }: OrderLine): Msat {
  const sold = link.description.services.find(({ name }) => name === service);
  if (!sold) throw new Fault('SERVICE_UNKNOWN', { service });
  if (!Number.isInteger(calls) || calls < 1 || calls > sold.max_calls) {
    throw new Fault('SERVICE_QUANTITY', { min: 1, max: sold.max_calls });
  }
  return bundleTotalMsat(priceFromJson(sold.price), calls);
}

/** What units cost by the price list. @throws Fault `SERVICE_UNKNOWN`, `TICK_UNSOLD` */
export function ticksPrice(link: Link, line: OrderLine | undefined): Msat {
  const sold = link.description.services.find(({ name }) => name === line?.service);
  if (!sold || !line) throw new Fault('SERVICE_UNKNOWN', { service: line?.service ?? '' });
  if (!sold.ticks) throw new Fault('TICK_UNSOLD', { service: line.service });
  return msat(parseMsat(sold.ticks.unit_msat) * BigInt(line.calls));
}

/** What the lanes of a purchase are made from; undefined when it has none. */
export function lanesOf({ record }: Purchase): LaneSeed | undefined {
  const parsed = parseRecord(record);
  return parsed.stage === 'topup' ? undefined : parsed.lanes;
}

/** @throws Fault `PURCHASE_CONFLICT` when the id stands for another order */
export function assertSameOrder(link: Link, known: Purchase, { lines, lanes }: Order): void {
  const record = parseRecord(known.record);
  const ordered = 'lines' in record ? record.lines : undefined;
  const before = ordered ?? [{ service: known.service, calls: record.calls }];
  const same =
    known.host === link.url &&
    record.stage !== 'topup' &&
    (record.lanes === undefined) === (lanes === undefined) &&
    before.length === lines.length &&
    lines.every((line, i) => before[i]?.service === line.service && before[i].calls === line.calls);
  if (!same) throw new Fault('PURCHASE_CONFLICT', { purchase: known.id });
}
