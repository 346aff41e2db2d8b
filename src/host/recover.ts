/**
 * Asks a service what became of a call with effect once that a crash has cut.
 * @module
 */
import { utf8 } from '../base/bytes/index.ts';
import type { Recover } from '../books/index.ts';
import type { Service } from './service.ts';

/** A service that is sold no more, or fails to find out, knows nothing. */
export function recoverer(services: ReadonlyMap<string, Service>): Recover {
  return async ({ service, session, n }) => {
    const found = await services
      .get(service)
      ?.recover({ session, n })
      .catch(() => 'unknown' as const);
    if (found === undefined || typeof found === 'string') return found ?? 'unknown';
    const done = utf8(JSON.stringify(found.done));
    const units = services.get(service)?.ticks?.byAnswer?.(undefined)(done.length);
    return { done, ...(units === undefined ? {} : { units }) };
  };
}
