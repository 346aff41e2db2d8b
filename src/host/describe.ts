/**
 * What a host says about itself, made of what it sells.
 * @module
 */
import type { Network } from '../bitcoin/bolt/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import { priceToJson, type Description } from '../wire/toll/index.ts';
import type { Service } from './service.ts';

/** The description that payers read before they buy. */
export function describeHost(
  network: Network,
  keys: HostKeys,
  services: readonly Service[],
): Description {
  return {
    protocol: 'tollcall-1',
    network,
    host_key: keys.publicPem,
    host_key_fingerprint: keys.fingerprint,
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
