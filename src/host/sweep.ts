/**
 * Moves credit that is no longer owed to `expired`: only where the host said so beforehand.
 * @module
 */
import type { Log } from '../base/log/index.ts';
import { unixMs, type Clock } from '../base/time/index.ts';
import type { Books } from '../books/index.ts';
import { SWEEP_MS } from './limits.ts';

const DAY_MS = 24 * 3600 * 1000;

/** What a sweep works with. */
export interface SweepParts {
  readonly books: Books;
  readonly clock: Clock;
  readonly log: Log;
  readonly creditKeepDays?: number;
}

/** Sweeps now and every hour; the result stops it. Without `creditKeepDays` it does nothing. */
export function sweepCredit(parts: SweepParts): () => void {
  const { books, clock, log, creditKeepDays } = parts;
  if (creditKeepDays === undefined) return () => undefined;
  let stopped = false;
  let cancel = (): void => undefined;
  const sweep = async (): Promise<void> => {
    try {
      const count = await books.expireCredit(
        unixMs(Math.max(0, clock.now() - creditKeepDays * DAY_MS)),
      );
      if (count > 0) log.info('credit of old sessions has expired', { count });
    } catch (error) {
      log.warn('old credit could not be swept; trying again', {}, error);
    }
  };
  const next = (afterMs: number): void => {
    if (stopped) return;
    cancel = clock.timer(afterMs, () => void sweep().finally(() => next(SWEEP_MS)));
  };
  next(0);
  return () => {
    stopped = true;
    cancel();
  };
}
