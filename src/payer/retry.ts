/**
 * Trying again: the same request, after a growing pause, until it is answered or time is up.
 * @module
 */
import { Fault, isFault } from '../base/fault/index.ts';
import type { Random } from '../base/random/index.ts';
import type { Clock } from '../base/time/index.ts';
import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS } from './limits.ts';

/** Who may wait, and how long. */
export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `attempt` until it succeeds, fails for good, or the deadline has passed.
 *
 * A try that may have arrived taints the rest: if the last word is "unreachable" but an earlier
 * try went unanswered, nobody knows, and `CALL_UNANSWERED` is thrown.
 */
export async function persist<T>(patience: Patience, attempt: () => Promise<T>): Promise<T> {
  const { clock, random, deadlineMs, signal } = patience;
  const endMs = clock.monotonicMs() + deadlineMs;
  let pauseMs = FIRST_PAUSE_MS;
  let unanswered = false;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isFault(error) || !error.row.passes) throw error;
      unanswered ||= error.row.money === 'unknown';
      const waitMs = pauseMs + random.below(pauseMs);
      if (clock.monotonicMs() + waitMs >= endMs) throw lastWord(error, unanswered);
      await clock.sleep(waitMs, signal);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }
}

function lastWord(fault: Fault, unanswered: boolean): Fault {
  return unanswered && fault.row.money !== 'unknown'
    ? new Fault('CALL_UNANSWERED', {}, fault)
    : fault;
}
