/**
 * What a host says about itself, made of what it sells.
 * @module
 */
import type { Network } from '../bitcoin/bolt/index.ts';
import type { Books } from '../books/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import { priceToJson, ticksToJson, type Description } from '../wire/toll/index.ts';
import { describeKeys } from './identities.ts';
import type { Service } from './service.ts';

/** What a description is made of. */
export interface DescribedParts {
  readonly keys: HostKeys;
  readonly books: Books;
  readonly services: readonly Service[];
  readonly creditKeepDays?: number;
}

/** The description that payers read before they buy. */
export function describeHost(network: Network, parts: DescribedParts): Description {
  const { keys, books, services, creditKeepDays } = parts;
  const { maxPrepaidMsat, maxLiabilityMsat, refundAfterMs } = books.limits;
  return {
    protocol: 'tollcall-1',
    network,
    ...describeKeys(keys),
    credit: {
      max_prepaid_msat: `${maxPrepaidMsat}`,
      max_liability_msat: `${maxLiabilityMsat}`,
      refund_after_ms: refundAfterMs,
      ...(creditKeepDays === undefined ? {} : { keep_days: creditKeepDays }),
    },
    services: services.map((service) => ({
      name: service.name,
      description: service.description,
      price: priceToJson(service.price),
      ...(service.ticks === undefined ? {} : { ticks: ticksToJson(service.ticks.price) }),
      effect: service.effect,
      max_calls: service.maxCalls,
      ...service.jsonSchema,
    })),
  };
}
