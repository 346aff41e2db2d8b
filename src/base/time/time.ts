/**
 * Time comes in as an argument. This is the only place that reads the machine's clock or sets a
 * timer.
 * @module
 */
import assert from 'node:assert/strict';

/** Milliseconds since the Unix epoch. */
export type UnixMs = number & { readonly __unit: 'unix-ms' };

/** A source of time; the simulator has its own. */
export interface Clock {
  /** The time of day. It may jump. */
  now(): UnixMs;
  /** Milliseconds from some fixed moment; never goes back. For durations only. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `fire` once after `ms`; the result cancels it. A pending timer does not keep a process
   * alive.
   */
  timer(ms: number, fire: () => void): () => void;
}

/** A moment. */
export function unixMs(value: number): UnixMs {
  return value as UnixMs;
}

/** For people and logs: ISO 8601 in UTC. */
export function formatTime(at: UnixMs): string {
  return new Date(at).toISOString();
}

/** The longest wait: a Node timer above it would fire at once. 24.8 days. */
export const MAX_WAIT_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now() as UnixMs,
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      assertWait(ms);
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
  timer: (ms, fire) => {
    assertWait(ms);
    const timer = setTimeout(fire, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

function assertWait(ms: number): void {
  assert(ms <= MAX_WAIT_MS, 'a wait is at most MAX_WAIT_MS');
}
