/**
 * The time of day, without its jumps back.
 * @module
 */
import { unixMs, type Clock, type UnixMs } from '../base/time/index.ts';

/** The time; when the clock goes back, it stands still: what has expired stays expired. */
export function steadyTime(clock: Clock): () => UnixMs {
  let latestMs = unixMs(0);
  return () => {
    const now = clock.now();
    if (now > latestMs) latestMs = now;
    return latestMs;
  };
}
