/**
 * What a host owes or keeps no longer: orders that nobody paid in time, credit of old sessions,
 * where the host said so beforehand, and private keys that were replaced.
 * @module
 */
import type { Log } from '../base/log/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import type { Books } from '../books/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import { SWEEP_MS } from './limits.ts';
import type { PaymentWatch } from './payments.ts';

const DAY_MS = 24 * 3600 * 1000;

/** What a sweep works with. */
export interface SweepParts {
  readonly keys: HostKeys;
  readonly books: Books;
  readonly payments: PaymentWatch;
  readonly clock: Clock;
  readonly log: Log;
  /** Credit of a session that expired longer ago is no longer owed. Absent: it always is. */
  readonly creditKeepDays?: number;
}

/** Sweeps now and every `SWEEP_MS`; the result stops it. */
export function sweepBooks(parts: SweepParts): () => void {
  const { clock, log } = parts;
  let stopped = false;
  let cancel = (): void => undefined;
  const next = (afterMs: number): void => {
    if (stopped) return;
    cancel = clock.timer(afterMs, () => {
      void sweep(parts)
        .catch((error: unknown) => log.warn('the books were not swept; trying again', {}, error))
        .finally(() => next(SWEEP_MS));
    });
  };
  next(0);
  return () => {
    stopped = true;
    cancel();
  };
}

async function sweep(parts: SweepParts): Promise<void> {
  const { books, payments, clock, log, creditKeepDays } = parts;
  destroyOldKeys(parts);
  // An order is forgotten only if the wallet says that nothing came for it.
  await payments.refresh();
  await books.forgetUnpaid();
  if (creditKeepDays === undefined) return;
  const beforeMs = unixMs(Math.max(0, clock.now() - creditKeepDays * DAY_MS));
  const count = await books.expireCredit(beforeMs);
  if (count > 0) log.info('credit of old sessions has expired', { count });
}

/** Of overlaps that have ended. That it fails is no reason to leave the books. */
function destroyOldKeys({ keys, clock, log }: SweepParts): void {
  try {
    keys.retire(clock.now());
  } catch (error) {
    log.warn('a key that was replaced was not destroyed; trying again', {}, error);
  }
}
