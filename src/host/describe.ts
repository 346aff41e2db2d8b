/**
 * What a host says about itself, made of what it sells.
 * @module
 */
import type { Network } from '../bitcoin/bolt/index.ts';
import type { Books } from '../books/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import { priceToJson, type Description } from '../wire/toll/index.ts';
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
    host_key: keys.publicPem,
    host_key_fingerprint: keys.fingerprint,
    credit: {
      max_prepaid_msat: `${maxPrepaidMsat}`,
      max_liability_msat: `${maxLiabilityMsat}`,
      refund_after_ms: refundAfterMs,
      ...(creditKeepDays === undefined ? {} : { keep_days: creditKeepDays }),
    },
    services: services.map(({ name, description, price, effect, maxCalls, jsonSchema }) => ({
      name,
      description,
      price: priceToJson(price),
      effect,
      max_calls: maxCalls,
      ...jsonSchema,
    })),
  };
}
